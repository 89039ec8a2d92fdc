"""What a search finds, on every source alike (RFC 9051 §6.4.4)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from app.sources import SearchField, SearchTerm, StoreFlags

pytestmark = [pytest.mark.servers]

KITCHEN = b"""From: Ines Ferreira <ines@press.example>
To: alice@example.org
Subject: Kitchen tiles

The matt ones are left.
"""
CHOIR = b"""From: Tobias <tobias@choir.example>
To: choir@example.org
Cc: alice@example.org
Subject: Rehearsal

In the kitchen.
"""
BANK = b"""From: Bank <post@bank.example>
To: alice@example.org
Subject: A "quoted" word

Nothing here.
"""


@pytest.fixture
def three(account):
    for letter in (KITCHEN, CHOIR, BANK):
        account.server.deliver(account.user, letter)
    return account


def found(account, *terms):
    return list(account.source.search("INBOX", terms))


@pytest.mark.parametrize(
    ("terms", "wanted"),
    [
        ([SearchTerm(SearchField.ANY, "KITCHEN")], [1, 2]),
        ([SearchTerm(SearchField.SUBJECT, "itch")], [1]),
        ([SearchTerm(SearchField.BODY, "kitchen")], [2]),
        ([SearchTerm(SearchField.FROM, "press.example")], [1]),
        ([SearchTerm(SearchField.TO, "alice")], [1, 2, 3]),
        ([SearchTerm(SearchField.TO, "choir@")], [2]),
        ([SearchTerm(SearchField.SUBJECT, '"quoted"')], [3]),
        ([SearchTerm(SearchField.ANY, "kitchen"), SearchTerm(SearchField.FROM, "ines")], [1]),
        ([SearchTerm(SearchField.ANY, "kitchen", negated=True)], [3]),
        ([SearchTerm(SearchField.TO, "choir@", negated=True)], [1, 3]),
        ([SearchTerm(SearchField.UNREAD)], [1, 2, 3]),
        ([SearchTerm(SearchField.ATTACHMENT)], [1, 2, 3]),
        ([], [1, 2, 3]),
    ],
)
def test_terms(three, terms, wanted):
    assert found(three, *terms) == wanted


def test_flags(three):
    three.source.apply(StoreFlags("INBOX", (1,), add=frozenset({"\\Seen", "\\Flagged"})))
    three.source.apply(StoreFlags("INBOX", (2,), add=frozenset({"\\Answered"})))
    assert found(three, SearchTerm(SearchField.UNREAD)) == [2, 3]
    assert found(three, SearchTerm(SearchField.UNREAD, negated=True)) == [1]
    assert found(three, SearchTerm(SearchField.STARRED)) == [1]
    assert found(three, SearchTerm(SearchField.ANSWERED)) == [2]


def test_days_and_sizes(account):
    today = datetime.now(UTC).date()
    account.source.append("INBOX", b"Subject: old\r\n\r\nlong ago\r\n", [], datetime(2024, 3, 5, 12, tzinfo=UTC))
    account.source.append("INBOX", b"Subject: large\r\n\r\n" + b"x" * 3_000 + b"\r\n", [])
    assert found(account, SearchTerm(SearchField.BEFORE, date(2024, 3, 6))) == [1]
    assert found(account, SearchTerm(SearchField.SINCE, date(2024, 3, 5)), SearchTerm(SearchField.SMALLER, 999)) == [1]
    assert found(account, SearchTerm(SearchField.SINCE, today - timedelta(days=2))) == [2]
    assert found(account, SearchTerm(SearchField.LARGER, 2_000)) == [2]


def test_words_that_are_not_ascii(account):
    account.server.deliver(account.user, b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nhello\n")
    account.server.deliver(account.user, b"Subject: none\n\nhello\n")
    assert found(account, SearchTerm(SearchField.SUBJECT, "grüß")) == [1]


def test_an_empty_folder_has_nothing(account):
    assert found(account, SearchTerm(SearchField.ANY, "kitchen")) == []
