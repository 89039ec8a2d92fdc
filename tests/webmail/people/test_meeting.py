"""Whom a message names, and who is left out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.mirror.envelope import Mailbox
from app.people.meeting import MAX_RECIPIENTS, Letter, name_of, people_of
from app.people.ranking import GOT_FROM, WROTE_TO, weight_of
from tests.conftest import START

OWN = frozenset({"alice@example.net"})


def _got(address: str, name: str = "", at=START) -> Letter:
    return Letter(name, address, at, b"To: Victim <victim@example.org>\r\n", False)


def _sent(*fields: str) -> Letter:
    return Letter("Alice", "alice@example.net", START, "\r\n".join([*fields, ""]).encode(), True)


def _met(*letters: Letter) -> dict[str, str]:
    return {key: met.name for key, met in people_of(letters, OWN, START).items()}


@pytest.mark.parametrize(("letter", "met"), [
    (_got("Maren@Example.com", "Maren Holt"), {"maren@example.com": "Maren Holt"}),
    (_sent("To: Bob <bob@example.org>, c@example.org", "Cc: Dora <d@example.org>"),
     {"bob@example.org": "Bob", "c@example.org": "", "d@example.org": "Dora"}),
    (_sent("To: Choir: a@example.org, b@example.org;"), {"a@example.org": "", "b@example.org": ""}),
    (_sent("To: Alice <ALICE@example.net>"), {}),  # oneself
    (_got("alice@example.net"), {}),  # and whoever claims to be: whom it names is not taken for somebody written to
    (_got("no-reply@shop.example", "Shop"), {}),
    (_got("bounces+123@list.example"), {}),
    (_got("not an address"), {}),
    (_got("a@localhost"), {}),
    (_got(""), {}),
])  # fmt: skip
def test_whom_a_letter_names(letter, met):
    assert _met(letter) == met


@pytest.mark.parametrize(("name", "kept"), [
    ("  'Maren Holt' ", "Maren Holt"),
    ("boss@company.example", ""),  # reads like a friend's address
    ("Maren\u202e\r\nHolt", "Maren Holt"),
    ("x" * 999, "x" * 200),
])  # fmt: skip
def test_names_are_cleaned(name, kept):
    assert name_of(Mailbox(name, "a@example.org")) == kept


def test_weights_add_up_and_no_date_to_come_counts():
    met = people_of([_got("a@example.org", at=START + timedelta(days=9_999)), _got("a@example.org", "A")], OWN, START)
    assert met["a@example.org"].weight == pytest.approx(weight_of(START, 2 * GOT_FROM))
    assert met["a@example.org"].name == "A"
    assert people_of([_sent("To: a@example.org")], OWN, START)["a@example.org"].weight == weight_of(START, WROTE_TO)


def test_a_crowd_is_cut():
    crowd = ", ".join(f"p{number}@example.org" for number in range(200))
    assert len(_met(_sent(f"To: {crowd}"))) == MAX_RECIPIENTS
