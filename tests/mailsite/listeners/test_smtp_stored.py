"""The SMTP listener with the real directory, logins and storages: what got 250 lies in the mailbox, octet for octet."""

from __future__ import annotations

import asyncio
import smtplib
import threading

import pytest

from app.mail_services.modes import Mode
from app.users.failures import Way
from mailsite_ext.delivery.inbound import Inbound
from mailsite_ext.domains import service
from mailsite_ext.domains.directory import Directory
from mailsite_ext.domains.logins import Logins
from mailsite_ext.limits import Limits
from mailsite_ext.listeners import ports
from mailsite_ext.listeners.peers import TOO_MANY, Peers
from mailsite_ext.listeners.serve import Server
from mailsite_ext.listeners.smtp import Reception
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Posture, Settings, StorageKind
from mailsite_ext.storage.open import new_storage
from tests.mailsite.listeners.hosting import OPEN, SEALS

HOSTED = Settings(domains=("example.org",))
MESSAGE = (
    b"From: Alice <alice@example.org>\r\nDate: x\r\nMessage-ID: <1@example.org>\r\nSubject: hello\r\n\r\nhello\r\n.\r\n"
)


@pytest.fixture
def config(sqlite_config):
    return sqlite_config


@pytest.fixture(params=StorageKind)
def storage(request, parts, db, set_mode):
    set_mode(Mode.BOTH)
    store_settings(db, HOSTED)
    db.commit()
    made = new_storage(parts, request.param)
    yield made
    made.close()


@pytest.fixture
def people(parts, db, storage, alice, bob):
    """Alice and Bob have mailboxes; Alice's app password."""
    mailboxes = [service.ensure_mailbox(parts, db, person) for person in (alice, bob)]
    for mailbox in mailboxes:
        storage.create_mailbox(mailbox.name)
    return service.add_app_password(parts, db, mailboxes[0], "Laptop").password


@pytest.fixture
def port(parts, storage, people, clock, tmp_path):
    limits = Limits(stop_grace_s=5)
    (tmp_path / "spool").mkdir()
    reception = Reception(
        spec=OPEN,
        host="mx.example.org",
        limits=limits,
        directory=Directory(parts, HOSTED),
        logins=Logins(parts, HOSTED, limits, Way.SMTP),
        has_room=lambda hosted, octets: True,
        inbound=Inbound(storage, "mx.example.org", Posture.SPAM, limits, SEALS),
        clock=clock,
        spool_folder=tmp_path / "spool",
    )
    loop = asyncio.new_event_loop()
    server = Server(reception.serve, limits, peers=Peers(limits, tmp_path / "peers"), too_many=TOO_MANY["smtp"])
    sockets = ports.bind(("127.0.0.1",), 0)
    loop.run_until_complete(server.listen(sockets, implicit_tls=False))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield sockets[0].getsockname()[1]
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def send(port, sender, to, message=MESSAGE, login=None):
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        if login:
            client.login(*login)
        client.sendmail(sender, to, message)


def kept(storage, mailbox, folder="INBOX"):
    found = storage.find_folder(mailbox, folder)
    octets = []
    for uid in storage.uids(found.id):
        with storage.open_message(found.id, uid) as reader:
            octets.append(reader.read(0, reader.size_octets))
    return octets


@pytest.mark.parametrize("lines", [1, 50_000])
def test_what_was_taken_is_there(port, storage, lines, tmp_path):
    message = MESSAGE + b"a line\r\n" * lines
    send(port, "friend@far.example", ["alice@example.org", "bob@example.org"], message)
    for mailbox in ("alice", "bob"):
        (octets,) = kept(storage, mailbox, "Junk")  # it came without TLS, under Spam Insecure
        head, body = octets[: -len(message)], octets[-len(message) :]
        assert body == message
        assert head.startswith(b"Return-Path: <friend@far.example>\r\nDelivered-To: " + mailbox.encode())
    assert not list((tmp_path / "spool").iterdir())


def test_a_person_writes_to_another(port, storage, people):
    send(port, "alice@example.org", ["bob@example.org"], login=("alice@example.org", people))
    (octets,) = kept(storage, "bob")
    assert octets.endswith(MESSAGE)
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(port, "bob@example.org", ["alice@example.org"], login=("alice@example.org", people))
    assert refused.value.smtp_code == 550
    with pytest.raises(smtplib.SMTPAuthenticationError):
        send(port, "alice@example.org", ["bob@example.org"], login=("alice@example.org", people[:-1] + "x"))


def test_nobody_relays_and_unknown_people_are_refused_at_once(port):
    for to in ("x@far.example", "nobody@example.org"):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            send(port, "friend@far.example", [to])
        assert refused.value.recipients[to][0] == 550


def test_many_at_once_are_all_there_once(port, storage):
    senders = [
        threading.Thread(target=send, args=(port, f"f{n}@far.example", ["bob@example.org"], MESSAGE + b"%d\r\n" % n))
        for n in range(15)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(30)
    numbers = sorted(int(octets.rpartition(b".\r\n")[2]) for octets in kept(storage, "bob", "Junk"))
    assert numbers == list(range(15))
