"""SEARCH decided message by message: RFC 9051 §6.4.4 and what each key needs to be read."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from mailsite_ext.protocol import search_keys as k
from mailsite_ext.protocol.imap_cursor import Cursor, RawCommand
from mailsite_ext.protocol.imap_limits import ImapLimits
from mailsite_ext.protocol.imap_search import (
    Candidate,
    Needs,
    SearchContext,
    has_modseq,
    matcher,
    needs,
)
from mailsite_ext.protocol.message_structure import read_structure
from mailsite_ext.protocol.message_text import MessageText, sent_day
from mailsite_ext.protocol.search_grammar import SearchGrammar
from mailsite_ext.protocol.sections import by_section

NOON = int(datetime(2026, 2, 1, 12, tzinfo=UTC).timestamp())
MESSAGE = (
    b"Date: Sat, 31 Jan 2026 23:30:00 -0800\r\n"
    b"From: =?utf-8?q?J=C3=BCrgen?= <juergen@example.org>\r\n"
    b"To: Bob\r\n <bob@example.net>\r\n"
    b"Subject: =?iso-8859-1?q?Caf=E9_am?=\r\n =?iso-8859-1?q?_Montag?=\r\n"
    b"X-Empty:\r\n"
    b"Content-Type: multipart/mixed; boundary=q\r\n\r\n"
    b"--q\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Stra=C3=9Fe nach M=C3=BCn=\r\nchen\r\n"
    b"--q\r\nContent-Type: message/rfc822\r\n\r\nSubject: attached letter\r\n\r\nwithin\r\n"
    b"--q\r\nContent-Type: application/pdf\r\n\r\nsecretpdf\r\n--q--\r\n"
)


def candidate(**changes: object) -> Candidate:
    parts = by_section(read_structure(MESSAGE).parts)
    values: dict[str, object] = {
        "number": 3, "uid": 30, "flags": frozenset({"\\seen", "$work"}), "modseq": 70, "size_octets": 1_000,
        "received_s": NOON, "saved_s": NOON + 86_400, "email_id": "M1", "thread_id": "T1",
        "text": lambda: MessageText(parts, lambda at, octets: MESSAGE[at : at + octets]),
    }  # fmt: skip
    return Candidate(**values | changes)  # type: ignore[arg-type]


def key(text: str) -> k.Key:
    octets = text.encode()
    return SearchGrammar(Cursor(RawCommand(octets, ("ß".encode(),)), ImapLimits())).program()


CONTEXT = SearchContext(now_s=NOON + 3_600, largest_number=9, largest_uid=90, saved=frozenset({30}))


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("ALL", True),
        ("SEEN KEYWORD $WORK", True),
        ("UNSEEN", False),
        ("OR UNSEEN UNANSWERED", True),
        ("NOT (SEEN DELETED)", True),
        ("NEW", False),
        ("OLD", True),
        ("3", True),
        ("1:2,4:*", False),
        ("*:3", True),
        ("UID 29:31", True),
        ("UID *", False),
        ("$", True),
        ("UID $", True),
        ("LARGER 999 SMALLER 1001", True),
        ("LARGER 1000", False),
        ("ON 1-Feb-2026", True),
        ("BEFORE 1-Feb-2026", False),
        ("SINCE 1-Feb-2026", True),
        ("SENTON 31-Jan-2026", True),  # its own day, zone disregarded
        ("SENTSINCE 1-Feb-2026", False),
        ("SAVEDON 2-Feb-2026", True),
        ("SAVEDBEFORE 2-Feb-2026", False),
        ("OLDER 3600", True),
        ("OLDER 3601", False),
        ("YOUNGER 3600", True),
        ("YOUNGER 3599", False),
        ("MODSEQ 70", True),
        ("MODSEQ 71", False),
        ("EMAILID M1 THREADID T1", True),
        ("EMAILID m1", False),
        ("SUBJECT \"café AM montag\"", True),
        ("SUBJECT =?iso", False),
        ("FROM JÜRGEN", True),
        ("FROM example.org", True),
        ("TO \"bob <bob@\"", True),
        ("CC \"\"", False),
        ("HEADER X-Empty \"\"", True),
        ("HEADER X-None \"\"", False),
        ("BODY \"STRASSE nach münchen\"", True),
        ("BODY {2}\r\n", True),
        ("BODY attached", True),  # the header of an attached message is of the body
        ("BODY within", True),
        ("BODY café", False),
        ("BODY secretpdf", False),
        ("BODY \"\"", True),
        ("TEXT café", True),
        ("TEXT münchen", True),
        ("TEXT \"subject: café\"", True),
        ("SAVEDATESUPPORTED", True),
    ],
)  # fmt: skip
def test_keys(text, matches):
    assert matcher(key(text), CONTEXT)(candidate()) is matches


def test_an_address_is_found_as_the_envelope_has_it():
    """Comments and spaces inside it hide no address (RFC 9051 §6.4.4: "in the envelope structure's FROM field")."""
    octets = b"From: Ann <ann (her box)@ (at home) example.org>, b@example.org\r\n\r\n"
    parts = by_section(read_structure(octets).parts)
    text = MessageText(parts, lambda at, most: octets[at : at + most])
    assert text.fields("from") == [
        "ann <ann (her box)@ (at home) example.org>, b@example.org",
        "ann@example.org",
    ]


def test_a_message_never_saved_matches_no_saved_day():
    assert not matcher(key("SAVEDSINCE 1-Jan-1990"), CONTEXT)(candidate(saved_s=None))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SEEN SINCE 1-Feb-2026 UID 1:* OLDER 9", Needs.METADATA),
        ("NOT SUBJECT x", Needs.HEADER),
        ("SENTSINCE 1-Feb-2026", Needs.HEADER),
        ("OR SEEN (FROM x BODY y)", Needs.BODY),
        ("TEXT x", Needs.BODY),
    ],
)
def test_what_a_key_needs(text, wanted):
    assert needs(key(text)) is wanted


def test_cheap_keys_spare_the_reading():
    def text() -> MessageText:
        raise AssertionError("the message was opened")

    unread = candidate(text=text)
    assert not matcher(key("BODY x UNSEEN"), CONTEXT)(unread)
    assert matcher(key("OR BODY x SEEN"), CONTEXT)(unread)


def test_modseq_is_seen_wherever_it_stands():
    assert has_modseq(key("OR SEEN NOT (ALL MODSEQ 1)"))
    assert not has_modseq(key("OR SEEN NOT (ALL UID 1)"))


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("Sat, 31 Jan 2026 23:30:00 -0800", date(2026, 1, 31)),
        ("1 feb 99 10:00 GMT", date(1999, 2, 1)),
        ("1 Feb 03", date(2003, 2, 1)),
        ("31 Feb 2026", None),
        ("yesterday", None),
    ],
)
def test_the_day_of_a_date_field(value, day):
    assert sent_day(value) == day
