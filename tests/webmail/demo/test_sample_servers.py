"""The demo's own mail servers, spoken to with Python's own clients."""

from __future__ import annotations

import email
import imaplib
import smtplib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from demo import grammar
from demo.imap import ImapServer
from demo.letters import ME, letters
from demo.smtp import SmtpServer, answer_to
from demo.store import Store

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture
def store() -> Store:
    store = Store(uidvalidity=7)
    for item in letters(NOW)[:20]:
        store.create(item.folder).add(item.octets, item.flags, item.received_at)
    return store


@pytest.fixture
def imap(store: Store) -> Iterator[imaplib.IMAP4]:
    server = ImapServer(store, ME[1], "secret", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = imaplib.IMAP4("127.0.0.1", server.port)
    yield client
    client.shutdown()
    server.shutdown()
    server.server_close()


def test_letters_are_the_same_every_time_and_none_comes_from_tomorrow():
    made = letters(NOW)
    assert made == letters(NOW)
    assert 200 < len(made) < 600
    assert max(item.received_at for item in made) <= NOW
    assert all(b"\n" not in item.octets.replace(b"\r\n", b"") for item in made)


def test_a_wrong_password_is_refused(imap):
    with pytest.raises(imaplib.IMAP4.error, match="do not match"):
        imap.login(ME[1], "guess")


def test_nothing_is_told_before_the_login(imap):
    imap.send(b'1 LIST "" *\r\n')
    assert imap.readline().startswith(b"1 BAD")


def test_read_flag_move_and_append(imap, store):
    imap.login(ME[1], "secret")
    _, (count,) = imap.select("INBOX")
    assert int(count) == len(store.mailboxes["INBOX"].messages) > 2
    _, fetched = imap.uid("FETCH", "1", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)] BODYSTRUCTURE)")
    assert b"Subject:" in fetched[0][1]
    imap.uid("STORE", "1", "+FLAGS", "(\\Flagged)")
    assert "\\Flagged" in store.mailboxes["INBOX"].messages[0].flags
    _, (_answer,) = imap.uid("MOVE", "1", "Archive")
    assert next(m.uid for m in store.mailboxes["INBOX"].messages) == 2
    assert imap.append("Drafts", "(\\Draft)", None, b"Subject: x\r\n\r\ny\r\n")[0] == "OK"
    assert store.mailboxes["Drafts"].messages[-1].octets.endswith(b"y\r\n")


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (b"1:* (FLAGS UID)", [b"1:*", [b"FLAGS", b"UID"]]),
        (b'"a \\"b\\"" {3}\r\nxyz', [b'a "b"', b"xyz"]),
        (b"BODY.PEEK[HEADER.FIELDS (TO CC)]<0.5>", [b"BODY.PEEK[HEADER.FIELDS (TO CC)]<0.5>"]),
    ],
)
def test_arguments(line, read):
    assert grammar.parse_arguments(line) == read


@pytest.mark.parametrize("line", [b"(", b")", b'"open', b"(()"])
def test_bad_arguments_are_named_so(line):
    with pytest.raises(ValueError):
        grammar.parse_arguments(line)


def test_sections_of_a_message_with_an_attachment():
    octets = next(item.octets for item in letters(NOW) if b"application/pdf" in item.octets)
    message = email.message_from_bytes(octets)
    assert grammar.section_of(message, octets, "") == octets
    assert (grammar.section_of(message, octets, "1") or b"").startswith(b"Your invoice")
    assert grammar.section_of(message, octets, "9") is None
    assert b'"application" "pdf"' in grammar.bodystructure(message)


def test_mail_to_oneself_arrives_and_mail_to_others_is_answered():
    arrived: list[bytes] = []
    server = SmtpServer(lambda octets, _at: arrived.append(octets), ME[1], "secret", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login(ME[1], "guess")
            client.login(ME[1], "secret")
            client.sendmail(ME[1], [ME[1]], b"Subject: note\r\n\r\n.dot\r\n")
    finally:
        server.shutdown()
        server.server_close()
    assert arrived == [b"Subject: note\r\n\r\n.dot\r\n"]


def test_the_answer_belongs_to_the_conversation():
    answer = email.message_from_bytes(
        answer_to(b"Subject: Sunday\r\nMessage-ID: <1@x>\r\n\r\n", "ines@x.example", ME[1], "Yes.")
    )
    assert (answer["Subject"], answer["In-Reply-To"], answer["To"]) == ("Re: Sunday", "<1@x>", ME[1])
