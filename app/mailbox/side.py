"""The folder tree beside every page of the Mail activity."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actions.bulk import IS_AT_WORK, list_at_work
from app.engine.queries import BEAT_SINCE, dead_since
from app.mailbox.notes import BulkProgress, Note, Progress, find_note, find_progress
from app.mirror.queries import folder_tree
from app.mirror.tree import AccountTree
from app.sources import Role
from app.web.filters import Calendar

FOLDER_ICONS: Mapping[Role | None, str] = {
    None: "folder",
    Role.INBOX: "inbox",
    Role.DRAFTS: "draft",
    Role.SENT: "send",
    Role.ARCHIVE: "archive",
    Role.JUNK: "junk",
    Role.TRASH: "trash",
    Role.ALL: "all",
    Role.FLAGGED: "star",
    Role.IMPORTANT: "tag",
}


@dataclass(frozen=True, slots=True)
class Side:
    """Accounts with their folders; notes, progress and what is done in bulk by account id.

    `folder_id` is the folder that is shown, or 0.
    """

    tree: Sequence[AccountTree]
    folder_id: int
    notes: Mapping[int, Note | None]
    progress: Mapping[int, Progress | None]
    bulk: Mapping[int, BulkProgress]
    engine_alive: bool
    icons: Mapping[Role | None, str]

    @property
    def decides(self) -> tuple[Hashable, ...]:
        """All that decides how the tree reads, for `kept`."""
        notes, progress = tuple(self.notes.values()), tuple(self.progress.values())
        return (*self.tree, self.folder_id, notes, progress, tuple(self.bulk.values()), self.engine_alive)


PULSE = select(BEAT_SINCE, IS_AT_WORK)
"""Whether an engine lives, and whether something is done in bulk: in one look, as every page asks."""


def load_side(db: Session, user_id: int, now: datetime, calendar: Calendar, folder_id: int) -> Side:
    tree = folder_tree(db, user_id)
    alive, is_busy = db.execute(PULSE, {"since": dead_since(now), "user_id": user_id}).one()
    at_work = list_at_work(db, user_id) if is_busy else ()
    return Side(
        tree=tree,
        folder_id=folder_id,
        notes={branch.account.id: find_note(branch.account, calendar) for branch in tree},
        progress={branch.account.id: find_progress(branch.account) for branch in tree},
        bulk={deed.account_id: BulkProgress.of(deed) for deed in reversed(at_work)},
        engine_alive=alive,
        icons=FOLDER_ICONS,
    )
