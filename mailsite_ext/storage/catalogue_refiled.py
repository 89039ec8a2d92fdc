"""Messages somebody moved into Junk or out of it: noted in the step that moved them, so that a filter can learn.

A delivery into Junk is no move: a filter never learns from what it decided itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.extension_api import Role
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.catalogue_step import Step
from mailsite_ext.storage.catalogue_values import LAST_UID, UID_BITS, LockedFolder, row_id
from mailsite_ext.storage.values import Refiled, Uids

MOST_OF_A_STEP = 1_000
"""Of what is moved at once the newest are noted: a whole mailbox teaches no more than that."""


def lesson_of(source: Role | None, target: Role | None) -> bool | None:
    """What a move, or a copy, says of a message: True, it is junk; False, it is not; None, nothing.

    Whoever empties Junk into Trash does not say that it was good.
    """
    if target is Role.JUNK:
        return None if source is Role.JUNK else True
    return False if source is Role.JUNK and target is not Role.TRASH else None


def note_refiled(step: Step, source: LockedFolder, target: LockedFolder, uids: Uids) -> None:
    """`uids`: in the target."""
    is_junk = lesson_of(source.role, target.role)
    if is_junk is not None and source.mailbox_id == target.mailbox_id:
        rows = [(target.mailbox_id, row_id(target.id, uid), is_junk) for uid in uids[-MOST_OF_A_STEP:]]
        step.link.run_many("INSERT INTO mailsite_refiled (mailbox_id, message_id, is_junk) VALUES (?, ?, ?)", rows)


def refiled_mailboxes(link: Link) -> Sequence[str]:
    query = "SELECT name FROM mailsite_mailbox WHERE id IN (SELECT mailbox_id FROM mailsite_refiled) ORDER BY id"
    return [name for (name,) in link.rows(query)]


def refiled(link: Link, mailbox: str, most: int) -> Sequence[Refiled]:
    rows = link.rows(
        "SELECT r.id, r.message_id, r.is_junk, m.email_id FROM mailsite_refiled r "
        "JOIN mailsite_mailbox b ON b.id = r.mailbox_id LEFT JOIN mailsite_message m ON m.id = r.message_id "
        "WHERE b.name = ? ORDER BY r.id LIMIT ?",
        [mailbox, most],
    )
    return [
        Refiled(note, message >> UID_BITS, message & LAST_UID, bool(is_junk), email_id or "")
        for note, message, is_junk, email_id in rows
    ]


def forget_refiled(link: Link, ids: Iterable[int]) -> None:
    link.run(f"DELETE FROM mailsite_refiled WHERE id {link.in_list}", [link.listed(ids)])
