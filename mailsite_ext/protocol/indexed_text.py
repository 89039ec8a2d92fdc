"""What an index of text keeps of a message, so that it answers as a look at the message would.  Pure.

An index holds the very strings `MessageText` compares, in its folding.  Strings that must not run into each other are
parted by GAP; what an index cannot hold (NUL, half a surrogate pair) stands there as UNHELD.  A term with such a
character is never asked of an index, so both can only end a match, as they do in the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mailsite_ext.protocol.message_text import MessageText, folded, sent_day
from mailsite_ext.protocol.part_table import Part

GAP = "\x1e"
UNHELD = "\x1f"
NOT_IN_TERMS = re.compile("[\x00\x1e\x1f\ud800-\udfff\ufffe\uffff]")
MOST_OCTETS = 1_048_576
"""Of a message's texts: a longer one is looked through each time, as if there were no index."""

COLUMNS = ("subject", "from", "to", "cc")
"""Fields with a column of their own."""


@dataclass(frozen=True, slots=True)
class IndexedText:
    """`fields`: those of COLUMNS, in that order; `header`: every field as `name: value`; all parted by GAP."""

    fields: tuple[str, ...]
    header: str
    body: str
    sent_day: int | None  # date.toordinal() of the Date field

    @property
    def is_long(self) -> bool:
        """Headers count too, which no part's octets tell: those of messages in the message are text as well."""
        return len(self.header) + len(self.body) > MOST_OCTETS


def is_indexable(parts: Iterable[Part]) -> bool:
    texts = (part.body_octets for part in parts if part.section and part.type.startswith("text/"))
    return sum(texts) <= MOST_OCTETS


def indexed_text(message: MessageText) -> IndexedText:
    dates = message.fields("date")
    day = sent_day(dates[0]) if dates else None
    return IndexedText(
        tuple(_joined(message.fields(name)) for name in COLUMNS),
        _joined(f"{name}: {value}" for name, value in message.all_fields()),
        _joined(message.body_texts()),
        day.toordinal() if day else None,
    )


def _joined(texts: Iterable[str]) -> str:
    return GAP.join([NOT_IN_TERMS.sub(UNHELD, text) for text in texts])


def find_term(text: str) -> str | None:
    """The term to ask an index for; None: only the messages themselves can tell."""
    term = folded(text)
    return None if NOT_IN_TERMS.search(term) else term


def has_field(header: str, name: str, term: str) -> bool:
    """Is `term` in a field of that name, in a header as `IndexedText` keeps it?  An empty term: is there one?"""
    start = f"{name}: "
    return any(term in record[len(start) :] for record in header.split(GAP) if record.startswith(start))
