"""The deeds people know by name, each as a call of the service: for a form's few messages, and for whole folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app.actions import service
from app.actions.models import Action
from app.bus import Bus
from app.clock import Clock
from app.errors import BadInput
from app.mirror.flags import FLAGGED, SEEN
from app.web.ids import is_row_id


@dataclass(frozen=True, slots=True)
class Doer:
    """Who does it; `seen_in` is the folder the messages are listed in, which on Gmail is another than where they are.

    `in_bulk`: nothing is held for the undo time: what waits holds a copy of each message's row.
    """

    db: Session
    user_id: int
    clock: Clock
    bus: Bus
    seen_in: int | None = None
    in_bulk: bool = False


Deed = Callable[[Doer, Sequence[int], str], Action | None]
"""Does it to messages, by id; the string is its object: a folder's id or a label."""


def find_deed(name: str) -> Deed:
    """Raises BadInput."""
    deed = DEEDS.get(name)
    if deed is None:
        raise BadInput("do", _("This cannot be done to a message."))
    return deed


def _flags(verb: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Deed:
    def flag(doer: Doer, ids: Sequence[int], _object: str) -> Action | None:
        return service.flag(doer.db, doer.user_id, ids, add, remove, doer.clock, doer.bus, deed=verb)

    return flag


def _plain(deed: Callable[..., Action | None]) -> Deed:
    def plain(doer: Doer, ids: Sequence[int], _object: str) -> Action | None:
        return deed(doer.db, doer.user_id, ids, doer.clock, doer.bus)

    return plain


def _delete(doer: Doer, ids: Sequence[int], _object: str) -> Action | None:
    who = (doer.clock, doer.bus)
    return service.delete(doer.db, doer.user_id, ids, *who, seen_in=doer.seen_in, at_once=doer.in_bulk)


def _move(doer: Doer, ids: Sequence[int], target: str) -> Action | None:
    return service.move(doer.db, doer.user_id, ids, _target(target), doer.clock, doer.bus, seen_in=doer.seen_in)


def _copy(doer: Doer, ids: Sequence[int], target: str) -> Action | None:
    return service.copy(doer.db, doer.user_id, ids, _target(target), doer.clock, doer.bus)


def _target(folder: str) -> int:
    if not is_row_id(folder):
        raise BadInput("target", _("Choose a folder."))
    return int(folder)


def _labels(*, adds: bool) -> Deed:
    def label(doer: Doer, ids: Sequence[int], name: str) -> Action | None:
        if not name.strip():
            raise BadInput("label", _("Name a label."))
        add, remove = ([name], []) if adds else ([], [name])
        return service.label(doer.db, doer.user_id, ids, add, remove, doer.clock, doer.bus)

    return label


DEEDS: Mapping[str, Deed] = {
    "read": _flags("read", add=[SEEN]),
    "unread": _flags("unread", remove=[SEEN]),
    "star": _flags("star", add=[FLAGGED]),
    "unstar": _flags("unstar", remove=[FLAGGED]),
    "archive": _plain(service.archive),
    "delete": _delete,
    "junk": _plain(service.junk),
    "not-junk": _plain(service.not_junk),
    "move": _move,
    "copy": _copy,
    "label": _labels(adds=True),
    "unlabel": _labels(adds=False),
}
ONE_BY_ONE = frozenset({"star"})
"""Deeds that are done to the message itself where a conversation is listed."""
