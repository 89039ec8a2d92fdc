"""Searches as keys of SEARCH (RFC 9051 §6.4.4)."""

from datetime import date

import pytest

from app.errors import BadInput
from app.imap.search import needs_charset, search_keys
from app.sources import SearchField as Field
from app.sources import SearchTerm as Term


@pytest.mark.parametrize(
    ("terms", "keys"),
    [
        ([], b" ALL"),
        ([Term(Field.ATTACHMENT)], b" ALL"),
        ([Term(Field.ANY, "oak table")], b' (TEXT "oak table")'),
        ([Term(Field.SUBJECT, 'say "hi"\\')], b' (SUBJECT "say \\"hi\\"\\\\")'),
        ([Term(Field.TO, "ines")], b' (OR TO "ines" CC "ines")'),
        ([Term(Field.FROM, "a", negated=True), Term(Field.UNREAD)], b' NOT (FROM "a") (UNSEEN)'),
        ([Term(Field.SINCE, date(2026, 3, 1))], b" (SINCE 1-Mar-2026)"),
        ([Term(Field.BEFORE, date(986, 3, 1))], b" (BEFORE 1-Mar-0986)"),
        ([Term(Field.LARGER, 5_000), Term(Field.SMALLER, 0)], b" (LARGER 5000) (SMALLER 0)"),
        ([Term(Field.STARRED), Term(Field.ANSWERED)], b" (FLAGGED) (ANSWERED)"),
        ([Term(Field.BODY, "grün")], " (BODY grün)".encode()),  # a literal
    ],
)
def test_keys(terms, keys):
    assert b"".join(search_keys(terms, is_gmail=False)) == keys


@pytest.mark.parametrize(
    ("terms", "keys"),
    [
        ([Term(Field.ANY, 'oak" from:x')], b' (X-GM-RAW "\\"oak  from:x\\"")'),
        ([Term(Field.ATTACHMENT)], b' (X-GM-RAW "has:attachment")'),
        ([Term(Field.FROM, "ines")], b' (FROM "ines")'),
    ],
)
def test_keys_of_gmail(terms, keys):
    assert b"".join(search_keys(terms, is_gmail=True)) == keys


def test_a_charset_is_named_for_what_is_not_ascii():
    assert needs_charset([Term(Field.ANY, "grün")])
    assert not needs_charset([Term(Field.ANY, "green"), Term(Field.LARGER, 5)])


def test_a_line_end_never_reaches_the_wire():
    with pytest.raises(BadInput):
        search_keys([Term(Field.ANY, "a\r\nX1 LOGOUT")], is_gmail=False)
