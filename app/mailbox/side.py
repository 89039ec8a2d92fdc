"""The folder tree beside every page of the Mail activity."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.engine.queries import engine_is_alive
from app.mailbox.notes import Note, Progress, find_note, find_progress
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
    """Accounts with their folders; notes and progress by account id; `folder_id` is the folder that is shown, or 0."""

    tree: Sequence[AccountTree]
    folder_id: int
    notes: Mapping[int, Note | None]
    progress: Mapping[int, Progress | None]
    engine_alive: bool
    icons: Mapping[Role | None, str]

    @property
    def decides(self) -> tuple[Hashable, ...]:
        """All that decides how the tree reads, for `kept`."""
        notes, progress = tuple(self.notes.values()), tuple(self.progress.values())
        return (*self.tree, self.folder_id, notes, progress, self.engine_alive)


def load_side(db: Session, user_id: int, now: datetime, calendar: Calendar, folder_id: int) -> Side:
    tree = folder_tree(db, user_id)
    return Side(
        tree=tree,
        folder_id=folder_id,
        notes={branch.account.id: find_note(branch.account, calendar) for branch in tree},
        progress={branch.account.id: find_progress(branch.account) for branch in tree},
        engine_alive=engine_is_alive(db, now),
        icons=FOLDER_ICONS,
    )
