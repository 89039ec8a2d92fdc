"""Pieces of the own mailbox in new messages (CATENATE, RFC 4469): whose they are, how much of them."""

from __future__ import annotations

import re

import pytest

from app.bus.unix import UnixBus
from app.clock import SystemClock
from mailsite_ext.errors import StorageDamaged
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.catenating import named_octets
from mailsite_ext.imap.folder_maps import FolderMaps
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import Content
from tests.mailsite.dialogs import Client
from tests.mailsite.listeners.imap_hosting import imap_hosting

LETTER = b"x: y\r\n\r\n" + b"z" * 592


@pytest.fixture
def mail(sql_storage):
    for name in ("bob", "mallory"):
        sql_storage.create_mailbox(name)
    return sql_storage


def put(mail: StorageEngine, mailbox: str, folder: str = "INBOX", octets: bytes = LETTER) -> int:
    """The UIDVALIDITY of where it came to lie, UID 1."""
    found = mail.find_folder(mailbox, folder) or mail.create_folder(mailbox, folder)
    (stored,) = mail.append(found.id, [(Content(octets, len(octets)), frozenset(), None)]).result()
    return stored.uidvalidity


def octets(mail, mailbox: str, url: str) -> bytes:
    told: list[int] = []
    account = Account(mail, FolderMaps(mail), mailbox, SystemClock(), 1_000)
    found = b"".join(named_octets(account, url.encode(), told.append))
    assert told == [len(found)]
    return found


def refusal(mail, mailbox: str, url: str) -> str:
    with pytest.raises(BadCommand) as refused:
        octets(mail, mailbox, url)
    return refused.value.line().decode()


def test_a_url_is_of_the_own_mailbox(mail):
    put(mail, "bob", octets=b"bob's\r\n")
    put(mail, "mallory", octets=b"mallory's\r\n")
    put(mail, "bob", "Private")
    assert octets(mail, "mallory", "/INBOX/;UID=1") == b"mallory's\r\n"
    nowhere = refusal(mail, "mallory", "/nowhere/;UID=1")
    for path in ("/Private", "/bob/INBOX", "/../bob/INBOX", "/%2E%2E%2Fbob%2FINBOX"):
        assert refusal(mail, "mallory", f"{path}/;UID=1") == nowhere.replace("/nowhere", path)


def test_a_folder_that_was_made_anew_is_another_one(mail):
    before = put(mail, "bob", "Work")
    assert octets(mail, "bob", f"/Work;UIDVALIDITY={before}/;UID=1") == LETTER
    mail.delete_folder(mail.find_folder("bob", "Work").id)
    after = put(mail, "bob", "Work")
    assert "NO [BADURL" in refusal(mail, "bob", f"/Work;UIDVALIDITY={before}/;UID=1")
    assert octets(mail, "bob", f"/Work;UIDVALIDITY={after}/;UID=1") == LETTER


def test_a_name_that_only_has_folders_below_it(mail):
    put(mail, "bob", "Work")
    put(mail, "bob", "Work/Deep")
    mail.delete_folder(mail.find_folder("bob", "Work").id)
    assert "BADURL" in refusal(mail, "bob", "/Work/;UID=1")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/INBOX/;UID=1/;SECTION=HEADER", LETTER[:8]),
        ("/INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=590.9", b"zz"),
        ("/INBOX/;UID=1/;SECTION=1/;PARTIAL=590", b"zz"),
        ("/INBOX/;UID=1/;PARTIAL=100000.1", b""),
        ("/INBOX/;UID=1/;SECTION=HEADER.FIELDS.NOT%20(X)", b"\r\n"),
    ],
)
def test_what_of_it(mail, url, expected):
    put(mail, "bob")
    assert octets(mail, "bob", url) == expected


def test_a_message_that_is_shorter_than_it_was_is_not_filled_up(mail, monkeypatch):
    put(mail, "bob")
    opened = mail.open_message

    def cut(folder_id: int, uid: int):
        message = opened(folder_id, uid)
        read = message.read
        monkeypatch.setattr(type(message), "read", lambda self, at, octets: read(at, min(octets, 500 - at)))
        return message

    monkeypatch.setattr(mail, "open_message", cut)
    with pytest.raises(StorageDamaged):
        octets(mail, "bob", "/INBOX/;UID=1")


# Over the wire, where a message has at most 1,000 octets

WHOLE = b' URL "/INBOX/;UID=1"'
HALF = b' URL "/INBOX/;UID=1/;PARTIAL=0.500"'


@pytest.fixture
def host(mail, tmp_path):
    put(mail, "bob")
    limits = Limits(message_octets=1_000)
    with imap_hosting(mail, UnixBus(tmp_path / "bus"), tmp_path / "spool", limits=limits) as running:
        yield running
    assert not list(running.spool_folder.iterdir())


def signed_in(host) -> Client:
    client = Client(host.connect())
    client.hear()
    client.say(b"a LOGIN bob other\r\n")
    client.hear()
    return client


def answer(client: Client, pieces: bytes) -> str:
    """The tagged answer to an APPEND, without what differs each time."""
    client.say(b"b APPEND Drafts " + pieces + b"\r\nc NOOP\r\n")
    heard = [client.hear()]
    while not heard[-1].startswith("c "):
        heard.append(client.hear())
    assert len(heard) == 2, heard
    return re.sub(r" \[APPENDUID .*\]", "", heard[0])


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (b"CATENATE (" + HALF[1:] + HALF + b")", "b OK stored"),
        (b"CATENATE (" + HALF[1:] + HALF + b" TEXT {1+}\r\nx)", "b NO [TOOBIG] the message is too large"),
        (b"CATENATE (TEXT {401+}\r\n" + b"x" * 401 + WHOLE + b")", "b NO [TOOBIG] the message is too large"),
        (b"CATENATE (TEXT {900+}\r\n" + b"x" * 900 + b" TEXT {101+}\r\n" + b"x" * 101 + b")",
            "b NO [TOOBIG] the message is too large"),
        (b"CATENATE (TEXT {900+}\r\n" + b"x" * 900 + b" TEXT {101}", "b NO [TOOBIG] the message is too large"),
        # few words, many octets: what is copied for one command is bounded, whatever number of messages it makes
        (b"CATENATE (" + WHOLE[1:] + b") CATENATE (" + WHOLE[1:] + b")", "b NO [TOOBIG] the message is too large"),
        (b"CATENATE (" + WHOLE[1:] + WHOLE * 900 + b")", "b NO [TOOBIG] the message is too large"),
        (b"CATENATE (" + WHOLE[1:] + b") {1000+}\r\n" + b"x" * 1_000, "b OK stored"),
        # MULTIAPPEND fills no disk with one command either (RFC 3502)
        (b" ".join([b"{1000+}\r\n" + b"x" * 1_000] * 10), "b OK stored"),
        (b" ".join([b"{1000+}\r\n" + b"x" * 1_000] * 11), "b NO [TOOBIG] the message is too large"),
    ],
)  # fmt: skip
def test_a_message_of_pieces_is_no_larger_than_others(host, pieces, expected):
    client = signed_in(host)
    assert answer(client, pieces) == expected
    assert answer(client, b"CATENATE (" + WHOLE[1:] + b")") == "b OK stored"  # and nothing is counted twice
    client.socket.close()


def test_a_client_that_vanishes_between_pieces_leaves_nothing(host):
    talk = b"b APPEND Drafts CATENATE (" + HALF[1:] + b" TEXT {5+}\r\nhello" + HALF + b") {3+}\r\nx\r\n\r\n"
    for cut in range(20, len(talk), 9):
        client = signed_in(host)
        client.say(talk[:cut])
        client.socket.close()
    assert host.storage.find_folder("bob", "Drafts").messages == 0
