"""What a delta changes in the mirror: cached rows × what the server said × what was done here meanwhile.

Pure.  What people did and the server did not know of when it was asked lies over its answer: old flags never flicker
back, and a message moved away does not reappear while the move is on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.mirror.flags import normalise
from app.sources import Delta, FlagState, RemoteMessage, StoreFlags, StoreLabels


@dataclass(frozen=True, slots=True)
class Known:
    """A mirrored message: its row, and its flags and labels as they are shown."""

    row_id: int
    flags: frozenset[str]
    labels: frozenset[str] = frozenset()
    modseq: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Words added and removed; the two never share one."""

    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()

    def then(self, added: frozenset[str], removed: frozenset[str]) -> Change:
        return Change((self.added - removed) | added, (self.removed - added) | (removed - added))

    def over(self, words: frozenset[str]) -> frozenset[str]:
        return (words - self.removed) | self.added


NO_CHANGE = Change()


@dataclass(frozen=True, slots=True)
class Overlay:
    """What was done here, by UID of one folder; `hidden` have left it."""

    flags: Mapping[int, Change] = field(default_factory=dict)
    labels: Mapping[int, Change] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()

    def flags_over(self, uid: int, flags: Iterable[str]) -> frozenset[str]:
        change = self.flags.get(uid)
        return change.over(normalise(flags)) if change else normalise(flags)

    def labels_over(self, uid: int, labels: Iterable[str]) -> frozenset[str]:
        return self.labels.get(uid, NO_CHANGE).over(frozenset(labels))


def overlay_of(changes: Sequence[StoreFlags | StoreLabels], hidden: Iterable[int]) -> Overlay:
    """The overlay of changes to one folder's messages, in the order they were done."""
    flags: dict[int, Change] = {}
    labels: dict[int, Change] = {}
    for change in changes:
        words = flags if isinstance(change, StoreFlags) else labels
        for uid in change.uids:
            words[uid] = words.get(uid, NO_CHANGE).then(change.add, change.remove)
    return Overlay(flags, labels, frozenset(hidden))


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to the rows of one folder; flags and labels by row, and only where they differ."""

    insert: Sequence[RemoteMessage] = ()
    flags: Mapping[int, frozenset[str]] = field(default_factory=dict)
    labels: Mapping[int, frozenset[str]] = field(default_factory=dict)
    modseqs: Mapping[int, int] = field(default_factory=dict)
    delete: Sequence[int] = ()

    @property
    def changes_something(self) -> bool:
        return bool(self.insert or self.flags or self.labels or self.delete)


def plan_changes(known: Mapping[int, Known], delta: Delta, overlay: Overlay) -> Plan:
    """`known` are the mirrored messages among those the delta names, by UID."""
    states = dict(delta.flags)
    states |= {m.uid: _state_of(m) for m in delta.new if m.uid in known}
    news = {uid: state for uid, state in states.items() if uid in known and uid not in delta.vanished}
    fresh = {uid: state for uid, state in news.items() if not _is_older(state, known[uid])}
    flags = {uid: overlay.flags_over(uid, state.flags) for uid, state in fresh.items()}
    labels = {uid: overlay.labels_over(uid, state.labels) for uid, state in fresh.items() if state.labels is not None}
    return Plan(
        insert=_unknown(delta, known, overlay),
        flags={known[uid].row_id: marks for uid, marks in flags.items() if marks != known[uid].flags},
        labels={known[uid].row_id: names for uid, names in labels.items() if names != known[uid].labels},
        modseqs={
            known[uid].row_id: state.modseq
            for uid, state in fresh.items()
            if state.modseq is not None and state.modseq != known[uid].modseq
        },
        delete=[known[uid].row_id for uid in sorted(delta.vanished & known.keys())],
    )


def _state_of(message: RemoteMessage) -> FlagState:
    return FlagState(message.flags, message.modseq, message.gmail.labels if message.gmail else None)


def _is_older(state: FlagState, known: Known) -> bool:
    """Whether another session has told of a later state meanwhile (RFC 7162: MODSEQ only grows)."""
    return state.modseq is not None and known.modseq is not None and state.modseq < known.modseq


def _unknown(delta: Delta, known: Mapping[int, Known], overlay: Overlay) -> Sequence[RemoteMessage]:
    unknown: dict[int, RemoteMessage] = {}
    for message in delta.new:
        if message.uid not in known and message.uid not in overlay.hidden and message.uid not in delta.vanished:
            unknown.setdefault(message.uid, message)
    return list(unknown.values())
