"""What people type, as terms."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.search.query import MAX_CHARS, MAX_TERMS, parse
from app.sources import SearchField as Field
from app.sources import SearchTerm as Term

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("kitchen", (Term(Field.ANY, "kitchen"),)),
        ("oak  table", (Term(Field.ANY, "oak"), Term(Field.ANY, "table"))),
        ('"oak table"', (Term(Field.ANY, "oak table"),)),
        ('"never closed', (Term(Field.ANY, "never closed"),)),
        ("-oak", (Term(Field.ANY, "oak", negated=True),)),
        ('-"oak table"', (Term(Field.ANY, "oak table", negated=True),)),
        ("from:ines", (Term(Field.FROM, "ines"),)),
        ('FROM:"Ines Ferreira"', (Term(Field.FROM, "Ines Ferreira"),)),
        ("to:me cc:you", (Term(Field.TO, "me"), Term(Field.TO, "you"))),
        ("subject:a body:b", (Term(Field.SUBJECT, "a"), Term(Field.BODY, "b"))),
        ("after:2026-03-01", (Term(Field.SINCE, date(2026, 3, 1)),)),
        ("before:2026/3/1", (Term(Field.BEFORE, date(2026, 3, 1)),)),
        ("on:2026-03-01", (Term(Field.SINCE, date(2026, 3, 1)), Term(Field.BEFORE, date(2026, 3, 2)))),
        ("newer_than:7d", (Term(Field.SINCE, date(2026, 11, 16)),)),
        ("older_than:1y", (Term(Field.BEFORE, date(2025, 11, 23)),)),
        ("larger:5M", (Term(Field.LARGER, 5_242_880),)),
        ("smaller:100kb", (Term(Field.SMALLER, 102_400),)),
        ("larger:9999999G", (Term(Field.LARGER, 2**31 - 1),)),
        ("is:unread is:starred", (Term(Field.UNREAD), Term(Field.STARRED))),
        ("is:read", (Term(Field.UNREAD, negated=True),)),
        ("-is:read", (Term(Field.UNREAD),)),
        ("has:attachments", (Term(Field.ATTACHMENT),)),
        ("http://example.org", (Term(Field.ANY, "http://example.org"),)),
        ("re:invoice", (Term(Field.ANY, "re:invoice"),)),
        ("12:30", (Term(Field.ANY, "12:30"),)),
        ("two\r\nlines\0", (Term(Field.ANY, "two"), Term(Field.ANY, "lines"))),
    ],
)
def test_terms(text, terms):
    assert parse(text, TODAY).terms == terms


@pytest.mark.parametrize(
    "piece", ["before:soon", "on:2026-02-30", "larger:big", "is:odd", "has:legs", "newer_than:7", "on:9999-12-31"]
)
def test_what_makes_no_sense_is_told(piece):
    query = parse(f"oak {piece}", TODAY)
    assert query.terms == (Term(Field.ANY, "oak"),)
    assert query.not_understood == (piece,)


def test_a_folder_is_no_term():
    query = parse('in:"Travel 2026" oak', TODAY)
    assert (query.folder, query.terms) == ("Travel 2026", (Term(Field.ANY, "oak"),))
    assert not parse("in:archive", TODAY).is_empty
    assert parse("   ", TODAY).is_empty


@pytest.mark.parametrize(
    ("text", "decidable"), [("oak", True), ("body:oak", False), ("-oak", False), ("-from:ines is:unread", True)]
)
def test_what_envelopes_can_tell(text, decidable):
    assert parse(text, TODAY).is_decidable_here is decidable


@given(st.text(max_size=700))
def test_any_text_is_a_query(text):
    query = parse(text, TODAY)
    assert len(query.terms) <= MAX_TERMS
    for term in query.terms:
        assert not isinstance(term.value, str) or (len(term.value) <= MAX_CHARS and "\n" not in term.value)
