"""Rows as HTML.  What is printed once is kept under everything that decides how it reads, and so is never stale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from flask import get_template_attribute
from markupsafe import Markup

from app.mailbox.rows import Words, row_view
from app.messages.lru import Lru
from app.mirror.queries import ListRow
from app.sources import Role
from app.web.filters import Calendar, DateStyle

KEPT_OCTETS = 6_000_000  # in each process: some 2,000 rows
ROW_OCTETS = 1_500  # what a row weighs besides its HTML


class Manner(NamedTuple):
    """What decides how a row reads besides itself: who reads it in which language, on which day, in which list.

    `message_url` begins, `query` ends the addresses of the list's messages; `act_url` is where deeds are posted.
    """

    dates: DateStyle
    words: Words
    own: frozenset[str]  # the person's addresses, in lower case
    role: Role | None
    message_url: str
    query: str
    act_url: str


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """A row of the list; `heading` is set on the first row under it."""

    id: int
    heading: str
    html: Markup


class _Kept(NamedTuple):
    heading: str
    html: Markup


_kept: Lru[_Kept] = Lru(KEPT_OCTETS, lambda kept: ROW_OCTETS + kept.html.__sizeof__())


def print_rows(rows: Iterable[ListRow], calendar: Calendar, manner: Manner, opened_id: int) -> Iterator[PrintedRow]:
    """The rows of a list; the one with `opened_id` is shown as open."""
    last_heading = ""
    for row in rows:
        is_open = row.id == opened_id
        heading, html = _kept.get_or_make((manner, row, is_open), partial(_print, row, calendar, manner, is_open))
        yield PrintedRow(row.id, heading if heading != last_heading else "", html)
        last_heading = heading


def _print(row: ListRow, calendar: Calendar, manner: Manner, is_open: bool) -> _Kept:
    view = row_view(row, calendar, role=manner.role, own=manner.own, words=manner.words)
    html = get_template_attribute("mailbox/_row.html", "row")(view, manner, is_open)
    return _Kept(calendar.heading(row.received_at), html)
