"""Mail clients as people have them, against the listener over loopback."""

from __future__ import annotations

import imaplib
import os
import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from app.bus.unix import UnixBus
from mailsite_ext.limits import Limits
from mailsite_ext.listeners.exchange_log import ExchangeLog
from mailsite_ext.storage.values import Content, Delivery, Placement
from tests.mailsite.listeners.imap_hosting import imap_hosting

LETTER = b"From: zoe@example.org\r\nSubject: Harvest\r\nMessage-ID: <1@x>\r\n\r\napples\r\n"


class Lines:
    """A MailLog that keeps what is noted."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str]] = []

    def note(self, _when, _service, _peer, who, words) -> None:
        self.noted.append((who, words))


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def lines():
    return Lines()


@pytest.fixture
def host(sql_storage, tmp_path, authority, lines):
    context = authority.issue().server_context()
    with imap_hosting(
        sql_storage,
        UnixBus(tmp_path / "bus"),
        tmp_path / "spool",
        "imap",
        "imaps",
        context=lambda: context,
        client_context=authority.client_context(),
        limits=Limits(connections_per_address=100),
        log=ExchangeLog(lines, Clock(), "imap"),
    ) as running:
        sql_storage.create_mailbox("bob")
        deliver(sql_storage, LETTER)
        yield running


def deliver(storage, octets: bytes) -> None:
    storage.deliver(Delivery(Content(octets, len(octets)), [Placement("bob")], datetime.now(UTC))).result()


def tool(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not here: not tried against the listener")


def run(*words: str, **more) -> str:
    return str(subprocess.run(words, capture_output=True, text=True, check=True, timeout=60, **more).stdout)


def test_imaplib(host):
    with imaplib.IMAP4_SSL("localhost", host.ports["imaps"], ssl_context=host.client_context) as client:
        client.authenticate("PLAIN", lambda _challenge: b"\0bob\0other")
        assert client.select("INBOX") == ("OK", [b"1"])
        assert client.uid("FETCH", "1", "(RFC822.SIZE)")[1] == [b"1 (UID 1 RFC822.SIZE %d)" % len(LETTER)]
        client.append("Sent", "(\\Seen)", imaplib.Time2Internaldate(0), LETTER)
        assert client.copy("1", "Archive")[0] == "OK"
        client.store("1", "+FLAGS", "\\Deleted")
        assert client.expunge() == ("OK", [b"1"])
        assert client.status("Sent", "(MESSAGES UNSEEN)") == ("OK", [b'"Sent" (MESSAGES 1 UNSEEN 0)'])


def test_curl(host, tmp_path):
    address = f"imap://127.0.0.1:{host.ports['imap']}"
    curl = (tool("curl"), "-sS", "--user", "bob:other")
    assert '"INBOX"' in run(*curl, address)
    assert run(*curl, f"{address}/INBOX;UID=1/;SECTION=TEXT") == "apples\n"
    assert "* SEARCH 1" in run(*curl, f"{address}/INBOX?SUBJECT%20harvest")
    letter = tmp_path / "letter"
    letter.write_bytes(LETTER)
    run(*curl, "-T", str(letter), f"{address}/Drafts")
    assert "EXISTS" in run(*curl, "-X", "EXAMINE Drafts", address)


def test_mbsync(host, tmp_path, authority, lines):
    """Two runs over TLS, compressed: all of it comes once, what is changed here and there comes together."""
    sync = tool("mbsync")
    local = tmp_path / "local"
    local.mkdir()
    configuration = tmp_path / "mbsyncrc"
    configuration.write_text(
        f"IMAPAccount ours\nHost localhost\nPort {host.ports['imaps']}\nUser bob\nPass other\n"
        f"TLSType IMAPS\nSSLType IMAPS\nCertificateFile {authority.ca}\n\n"
        f"IMAPStore far\nAccount ours\n\nMaildirStore near\nPath {local}/\nInbox {local}/INBOX\nSubFolders Verbatim\n\n"
        "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nExpunge Both\nSyncState *\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path)}
    version = subprocess.run([sync, "--version"], capture_output=True, text=True, check=False).stdout
    unwanted = "SSLType IMAPS\n" if version.split()[1] >= "1.5" else "TLSType IMAPS\n"
    configuration.write_text(configuration.read_text().replace(unwanted, ""))

    run(sync, "-c", str(configuration), "-a", env=environment)
    (letter,) = (local / "INBOX" / "new").iterdir()
    assert b"Harvest" in letter.read_bytes()
    letter.rename(local / "INBOX" / "cur" / (letter.name.partition(":")[0] + ":2,FS"))
    deliver(host.storage, LETTER.replace(b"<1@x>", b"<2@x>"))
    run(sync, "-c", str(configuration), "-a", env=environment)
    inbox = host.storage.find_folder("bob", "INBOX")
    assert [flags for _uid, _modseq, flags in host.storage.changes(inbox.id, 0).changed] == ["\\Flagged \\Seen", ""]
    assert len(list((local / "INBOX").rglob("*U=*"))) == 2
    assert sum("COMPRESS DEFLATE" in words for _who, words in lines.noted) == 2


def test_what_is_said_stands_in_the_log_without_secrets(host, lines):
    with imaplib.IMAP4("127.0.0.1", host.ports["imap"]) as client:
        with pytest.raises(imaplib.IMAP4.error):
            client.login("bob", "not my password")
        client.login("bob", "other")
        client.select("INBOX")
        client.fetch("1", "(BODY[])")
        client.append("Sent", None, None, b"Subject: mine alone\r\n\r\n")
    noted = "\n".join(words for _who, words in lines.noted)
    for secret in ("not my", "other", "apples", "mine alone"):
        assert secret not in noted
    assert "LOGIN (secret)" in noted
    assert "FETCH 1 (BODY[])" in noted
    assert "APPEND Sent {" in noted
    assert [who for who, _words in lines.noted[:3]] == ["S", "C", "S"]
