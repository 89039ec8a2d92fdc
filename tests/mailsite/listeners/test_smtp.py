"""What the SMTP listener does with mail: where it goes, what is written on it, what happens when something fails."""

from __future__ import annotations

import base64
import hashlib
import hmac
import smtplib
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from email import message_from_bytes

import pytest

from app.clock import SystemClock
from app.extension_api import MailLog
from mailsite_ext.errors import MailboxFull, SendingLimitReached, StorageFull
from mailsite_ext.limits import Limits
from mailsite_ext.listeners.exchange_log import ExchangeLog
from mailsite_ext.settings.values import Posture
from tests.mailsite.dialogs import Client
from tests.mailsite.listeners.hosting import SPECS, hosting, octets_of

MESSAGE = (
    b"From: Alice <alice@example.org>\r\nDate: x\r\nMessage-ID: <1@example.org>\r\nSubject: hello\r\n\r\nhello\r\n"
)


@pytest.fixture
def running(authority, tmp_path):
    """Make a host with its certificate; hosts made end with the test."""
    context = authority.issue().server_context()
    opened = []

    def make(*names, **words):
        manager = hosting(
            tmp_path / f"spool{len(opened)}",
            *(names or SPECS),
            context=lambda: context,
            client_context=authority.client_context(),
            **words,
        )
        opened.append(manager)
        return manager.__enter__()

    yield make
    for manager in opened:
        manager.__exit__(None, None, None)


def send(host, name="reception", to=("bob@example.org",), sender="friend@far.example", message=MESSAGE, **options):
    with smtplib.SMTP("localhost", host.ports[name], timeout=10) as client:
        client.ehlo("client.example")
        if options.pop("tls", False):
            client.starttls(context=host.client_context)
        if login := options.pop("login", None):
            client.login(*login)
        return client.sendmail(sender, list(to), message, **options)


def test_mail_is_kept_with_what_happened_to_it_on_top(running):
    host = running("reception")
    send(host, message=MESSAGE + b".dot\r\n")
    (letter,) = host.box.letters
    assert (letter.mailbox, letter.folder) == ("bob", "INBOX")
    assert letter.body == MESSAGE + b".dot\r\n"  # octet for octet
    top = message_from_bytes(letter.head + b"\r\n")
    assert top.keys() == ["Return-Path", "Delivered-To", "X-Satchel-Seal", "Received"]
    assert top["Return-Path"] == "<friend@far.example>"
    assert top["Delivered-To"] == "bob@example.org"
    for words in ("from client.example ([127.0.0.1])", "by mx.example.org with ESMTP id", "for <bob@example.org>"):
        assert words in top["Received"]


def test_one_message_for_several_is_one_step_and_tells_nobody_of_the_others(running):
    host = running("reception")
    send(host, to=("bob@example.org", "alice@example.org", "alice+x@example.org", "postmaster@example.org"))
    assert host.box.deliveries == 1
    assert [letter.mailbox for letter in host.box.letters] == ["bob", "alice"]
    assert b"alice" not in host.box.letters[0].head
    assert b"bob" not in host.box.letters[1].head


@pytest.mark.parametrize("octets", [1_000, 300_000, 3_000_000])
def test_messages_of_every_size_come_through_whole(running, octets):
    host = running("both")
    message = MESSAGE + b"".join(b".%08d line\r\n" % n for n in range(octets // 16))
    send(host, "both", message=message, tls=True)
    assert host.box.letters[0].body == message
    assert b"with ESMTPS (TLSv1.3 " in host.box.letters[0].head
    assert not list(host.spool_folder.iterdir())


@pytest.mark.parametrize(
    ("posture", "tls", "folder"),
    [(Posture.ALLOW, False, "INBOX"), (Posture.SPAM, True, "INBOX"), (Posture.SPAM, False, "Junk")],
)
def test_spam_insecure(running, posture, tls, folder):
    host = running("reception", posture=posture)
    send(host, tls=tls)
    assert host.box.letters[0].folder == folder
    assert (b"X-Satchel-Verdict: Junk; it came without TLS\r\n" in host.box.letters[0].head) == (folder == "Junk")


@pytest.mark.parametrize(
    ("fault", "reply"), [(StorageFull(), b"4.3.1"), (MailboxFull(), b"4.2.2"), (ValueError("a bug"), b"4.3.0")]
)
def test_what_cannot_be_stored_is_never_accepted(running, fault, reply):
    host = running("reception")
    host.box.fault = fault
    with pytest.raises(smtplib.SMTPDataError) as caught:
        send(host)
    assert caught.value.smtp_code in {451, 452}
    assert caught.value.smtp_error.startswith(reply)
    host.box.fault = None
    send(host)
    assert len(host.box.letters) == 1


def test_a_disk_that_fills_while_a_message_comes_is_said_at_its_end(running):
    host = running("reception")
    host.spool_folder.rmdir()
    host.spool_folder.write_text("no folder any more")
    with pytest.raises(smtplib.SMTPDataError) as caught:
        send(host, message=MESSAGE + b"x" * 60 + b"\r\n" * 200_000)
    assert caught.value.smtp_code == 451


@pytest.mark.parametrize(
    ("added", "code"),
    [
        (b"Received: x\r\n" * 100, 250),
        (b"Received: x\r\n" * 101, 554),
        (b"Delivered-To: Bob@example.org\r\n", 554),
        (b"Delivered-To: alice@example.org\r\n", 250),
        (b"X: " + b"y" * 60_000 + b"\r\n" + (b"Z: " + b"y" * 900 + b"\r\n") * 300, 552),
    ],
)
def test_loops_and_headers_without_end(running, added, code):
    host = running("reception")
    if code == 250:
        send(host, message=added + MESSAGE)
    else:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            send(host, message=added + MESSAGE)
        assert caught.value.smtp_code == code
    assert len(host.box.letters) == (code == 250)


def test_too_large_is_said_at_once_or_at_the_end(running):
    host = running("reception", limits=Limits(message_octets=10_000))
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(host, message=MESSAGE * 200)  # smtplib says SIZE=
    assert refused.value.smtp_code == 552
    client = Client(host.connect("reception"))
    client.say(b"HELO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n")
    client.say(MESSAGE * 200 + b".\r\nQUIT\r\n")
    heard = [client.hear()[:9] for _ in range(7)]
    assert heard[4:] == ["354 go ah", "552 5.3.4", "221 2.0.0"]
    client.socket.close()


@pytest.mark.parametrize("trickle", [b"a\r\n", b"\0", b"a\n"])
def test_a_message_that_trickles_comes_to_an_end(running, trickle):
    """Also one that is refused already, of which nothing is kept."""
    host = running("reception", limits=Limits(smtp_transaction_s=0.3))
    client = Client(host.connect("reception"))
    client.say(b"HELO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n")
    assert [client.hear()[:3] for _ in range(5)] == ["220", "250", "250", "250", "354"]
    client.say(trickle)
    assert client.hear() == "421 4.4.2 too slow, closing"
    assert client.hear() == ""
    client.socket.close()
    assert not host.box.letters


LOGIN = ("alice@example.org", "secret")


def test_mail_of_people_here(running):
    host = running("both")
    send(
        host,
        "both",
        sender="alice@example.org",
        login=LOGIN,
        tls=True,
        message=b"From: alice@example.org\r\n\r\nhi\r\n",
    )
    (letter,) = host.box.letters
    top = message_from_bytes(letter.head + b"\r\n")
    assert "with ESMTPSA" in top["Received"]
    assert top["Date"] == "Tue, 24 Nov 2026 08:00:00 +0000"  # the client left it to us (RFC 6409 §8.1)
    assert top["Message-ID"].endswith("@example.org>")


@pytest.mark.parametrize(
    ("name", "tls", "codes"),
    [
        ("both", False, {530}),  # AUTH needs TLS
        ("reception", True, {502}),  # not here at all
        ("reception", False, {502}),
        ("require", True, {502}),
    ],
)
def test_where_auth_is_refused(running, name, tls, codes):
    host = running(name)
    with smtplib.SMTP("localhost", host.ports[name], timeout=10) as client:
        client.ehlo()
        if tls:
            client.starttls(context=host.client_context)
            client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AGFsaWNlAHNlY3JldA==")[0] in codes


def test_where_auth_is_allowed_in_clear(running):  # T3
    host = running("open")
    send(host, "open", sender="alice@example.org", login=LOGIN)
    assert len(host.box.letters) == 1


def test_wrong_passwords_come_to_an_end(running):
    host = running("open")
    codes = []
    for _ in range(12):
        with smtplib.SMTP("127.0.0.1", host.ports["open"], timeout=10) as client:
            client.ehlo()
            codes.append(client.docmd("AUTH", "PLAIN " + base64.b64encode(b"\0alice@example.org\0wrong").decode())[0])
    assert codes == [535] * 10 + [421] * 2


@dataclass
class Queue:
    taken: list = field(default_factory=list)

    def check(self, mailbox, recipient, others) -> None:
        if others >= 2:
            raise SendingLimitReached("2 recipients an hour")

    def submit(self, arrival, recipients, content, fields) -> Future:
        assert arrival.origin.login == "alice"
        self.taken.append((str(arrival.mail.sender), [str(one.recipient) for one in recipients], octets_of(content)))
        done: Future = Future()
        done.set_result(None)
        return done


def test_mail_to_the_world_goes_to_the_queue_where_there_is_one(running):
    queue = Queue()
    host = running("open", outbound=queue)
    send(
        host, "open", sender="alice@example.org", to=["bob@example.org", "x@far.example", "y@far.example"], login=LOGIN
    )
    assert queue.taken == [("alice@example.org", ["x@far.example", "y@far.example"], MESSAGE)]
    refused = send(host, "open", sender="alice@example.org", to=[f"{who}@far.example" for who in "xyz"], login=LOGIN)
    assert refused["z@far.example"][0] == 450
    assert [letter.mailbox for letter in host.box.letters] == ["bob"]
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(host, "open", to=["x@far.example"])  # a stranger
    assert caught.value.recipients["x@far.example"][0] == 550


def test_the_log_holds_what_was_said_and_no_secret(running, tmp_path):  # O14
    log = ExchangeLog(MailLog(tmp_path / "log" / "smtp.log"), SystemClock(), "smtp")
    host = running("open", log=log)
    send(host, "open", sender="alice@example.org", login=LOGIN, message=MESSAGE.replace(b"hello", b"private words"))
    with smtplib.SMTP("127.0.0.1", host.ports["open"], timeout=10) as client:
        client.ehlo()
        client.docmd("AUTH LOGIN")
        client.docmd(base64.b64encode(b"alice@example.org").decode())
        client.docmd(base64.b64encode(b"secret").decode())
    text = (tmp_path / "log" / "smtp.log").read_text("utf-8")
    log.close()
    assert "C: mail FROM:<alice@example.org>" in text
    assert "S: 250 2.1.5" in text
    assert "C: AUTH (secret)" in text
    assert "C: (secret)" in text
    for secret in ("private words", base64.b64encode(b"secret").decode(), "AGFsaWNl", "alice@example.org\\0"):
        assert secret not in text


def test_a_stop_finishes_what_is_under_way_and_sends_the_idle_away(running):
    host = running("reception")
    host.box.holds = threading.Event()
    idle = Client(host.connect("reception"))
    assert idle.hear().startswith("220")
    done: list[object] = []
    sender = threading.Thread(target=lambda: done.append(send_or_error(host)))
    sender.start()
    wait_until(lambda: len(host.servers["reception"].connections) == 2 and busy(host))
    stopping = threading.Thread(target=host.stop, args=("reception",))
    stopping.start()
    assert idle.hear() == "421 4.3.2 going down, try later"
    assert idle.hear() == ""
    host.box.holds.set()
    sender.join(10)
    stopping.join(10)
    assert done == [None]  # it got its 250
    assert len(host.box.letters) == 1
    with pytest.raises(OSError):
        host.connect("reception")
    idle.socket.close()


def busy(host) -> bool:
    return any(connection.is_busy for connection in host.servers["reception"].connections)


def send_or_error(host) -> object:
    try:
        return send(host)
    except smtplib.SMTPDataError as error:
        return error
    except (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException):  # to QUIT, after the 250
        return None


def wait_until(holds, deadline_s: float = 10.0) -> None:
    event = threading.Event()
    for _ in range(int(deadline_s / 0.01)):
        if holds():
            return
        event.wait(0.01)
    raise AssertionError("it never happened")


def test_scram_over_the_wire(running, authority):
    """smtplib knows no SCRAM: the exchange by hand, with the client's own arithmetic."""
    host = running("submission")
    with smtplib.SMTP_SSL("localhost", host.ports["submission"], context=authority.client_context()) as client:
        client.ehlo()
        bare = "n=alice@example.org,r=clientnonce"
        code, challenge = client.docmd("AUTH", "SCRAM-SHA-256 " + base64.b64encode(f"n,,{bare}".encode()).decode())
        assert code == 334
        first = base64.b64decode(challenge).decode()
        parts = dict(part.split("=", 1) for part in first.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", b"secret", base64.b64decode(parts["s"]), int(parts["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        final = f"c=biws,r={parts['r']}"
        said = f"{bare},{first},{final}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), said, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True))).decode()
        code, challenge = client.docmd(base64.b64encode(f"{final},p={proof}".encode()).decode())
        assert code == 334
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        assert base64.b64decode(challenge) == b"v=" + base64.b64encode(hmac.digest(server_key, said, "sha256"))
        assert client.docmd("")[0] == 235


def test_tls_of_another_world_is_hung_up_on(running):
    host = running("submission")
    bare = host.connect("submission", bare=True)
    bare.sendall(b"EHLO in the clear\r\n")
    client = Client(bare)
    client.hear()
    assert client.hear() == ""
    bare.close()
