"""What one client knows of the folder it has selected: which message has which number (RFC 9051 §2.3.1.2).  Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.protocol.sequence_sets import SequenceSet
from mailsite_ext.storage.values import Uids

if TYPE_CHECKING:
    from mailsite_ext.imap.updates import Update


def packed(uids: Iterable[int] = ()) -> Uids:
    return array("Q", uids)


def without(uids: Uids, gone: Iterable[int]) -> tuple[Uids, list[int]]:
    """The UIDs but those in `gone`, and the places of these, ascending; the very same array where none is in it."""
    places = sorted({at for uid in gone if (at := bisect_left(uids, uid)) < len(uids) and uids[at] == uid})
    if not places:
        return uids, places
    kept, begin = packed(), 0
    for place in places:
        kept.extend(uids[begin:place])
        begin = place + 1
    kept.extend(uids[begin:])
    return kept, places


@dataclass(slots=True)
class View:
    """The selected folder as its client knows it; message number n is `uids[n - 1]`.

    `uids` may be shared by sessions of this process: it is replaced, never changed.  What `modseq` has not seen yet
    the client has not been told; `gone` are messages it still counts though they were expunged, because it could not
    be told in the middle of a command (RFC 9051 §7.5.1).
    """

    folder_id: int
    is_read_only: bool
    uids: Uids
    uidnext: int
    modseq: int
    keywords: tuple[str, ...] = ()  # those told in the last FLAGS response
    gone: frozenset[int] = frozenset()
    saved: Uids = field(default_factory=packed)  # the `$` of RFC 9051 §6.4.4.1, as UIDs
    recent: tuple[tuple[int, int], ...] = ()  # first UID and the one after the last, ascending (RFC 3501 §2.3.2)
    updates: tuple[Update, ...] = ()  # searches kept up to date until another folder is selected (RFC 5267 §4.3)

    def find_number(self, uid: int) -> int:
        """The message's number; 0 for a UID the client does not know."""
        at = bisect_left(self.uids, uid)
        return at + 1 if at < len(self.uids) and self.uids[at] == uid else 0

    def numbers_of(self, uids: Iterable[int]) -> list[int]:
        return [number for uid in uids if (number := self.find_number(uid))]

    def numbers(self, uids: Sequence[int]) -> Sequence[int]:
        """The number of each of these ascending UIDs, 0 for those the client does not know; quick for neighbours."""
        first = self.find_number(uids[0]) if uids else 0
        if first and self.uids[first - 1 : first - 1 + len(uids)] == packed(uids):
            return range(first, first + len(uids))
        return [self.find_number(uid) for uid in uids]

    def chosen(self, messages: SequenceSet, *, is_uid: bool) -> Uids:
        """The UIDs of the messages a set names; UIDs that are not there name nothing (RFC 9051 §6.4.9).

        Raises BadCommand for a message number above the number of messages.
        """
        if messages.is_saved:
            return self.saved
        return self._by_uid(messages) if is_uid else self._by_number(messages)

    def _by_uid(self, messages: SequenceSet) -> Uids:
        return self._in_spans(messages.spans(self.uids[-1] if self.uids else 0))

    def _in_spans(self, spans: Iterable[tuple[int, int]]) -> Uids:
        found = packed()
        for low, high in spans:
            found.extend(self.uids[bisect_left(self.uids, low) : bisect_right(self.uids, high)])
        return found

    def _by_number(self, messages: SequenceSet) -> Uids:
        spans = messages.spans(len(self.uids))
        if spans and spans[-1][1] > len(self.uids):
            raise BadCommand("There is no message with such a number")
        found = packed()
        for low, high in spans:
            found.extend(self.uids[low - 1 : high])
        return found

    def forget(self, vanished: Iterable[int]) -> list[int]:
        """Take messages out; the numbers to be told in EXPUNGE responses, in an order in which each is right."""
        self.uids, places = without(self.uids, vanished)
        return [place + 1 for place in reversed(places)]

    def add_recent(self, low: int, high: int) -> None:
        """From UID `low` to the one before `high` no session was told earlier than this one."""
        if low >= high:
            return
        if self.recent and self.recent[-1][1] >= low:
            *before, (low, _high) = self.recent
            self.recent = (*before, (low, high))
        else:
            self.recent = (*self.recent, (low, high))

    def recent_uids(self) -> Uids:
        return self._in_spans((low, high - 1) for low, high in self.recent)

    def is_recent(self, uid: int) -> bool:
        return any(low <= uid < high for low, high in self.recent)

    def shown_flags(self, uid: int, flags: str) -> str:
        r"""Stored flags and, for this session, `\Recent`."""
        return f"\\Recent {flags}".rstrip() if self.is_recent(uid) else flags

    def with_new(self, uids: Iterable[int]) -> None:
        """Add messages that came, their UIDs above all known ones."""
        self.uids = self.uids + packed(uids)
