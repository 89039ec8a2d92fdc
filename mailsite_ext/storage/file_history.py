"""What a folder's journal and its message files together say, and what of it had to be mended."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field, replace

from mailsite_ext.storage.catalogue_values import LockedFolder
from mailsite_ext.storage.file_places import Place, message_files
from mailsite_ext.storage.journal import JUMP, FolderLine, MessageLine, history_of, whole_lines


@dataclass(slots=True)
class History:
    """A folder as the tree has it.

    `gone`: UIDs and when.  `lost`: messages whose file is not there.  `found`: messages whose line is not there.
    `strays`: files of no message, not to be shown to anybody.
    """

    folder: FolderLine
    messages: dict[int, MessageLine]
    gone: dict[int, int]
    known_since: int
    damaged: int = 0
    jumped: bool = False
    lost: list[int] = field(default_factory=list)
    found: list[int] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    is_torn: bool = False

    @property
    def is_mended(self) -> bool:
        """The journal does not say it yet."""
        return self.jumped or self.is_torn

    @property
    def level(self) -> int:
        """How loudly to speak of it."""
        return logging.WARNING if self.damaged or self.lost or self.found or self.strays else logging.INFO

    def summary(self) -> str:
        return (
            f"{len(self.messages)} messages; {len(self.lost)} without a file, {len(self.found)} without a line, "
            f"{len(self.strays)} stray files, {self.damaged} damaged lines"
        )


def read_history(place: Place, folder: LockedFolder | None, now: int, *, jumps: bool, adopts: bool = True) -> History:
    """`folder`: what the index knows of it.  `jumps`: compare with the files, too, and skip 2^20.

    `adopts`: a file without a line, of a UID not given yet, is a message that came while the tree was copied.
    """
    journal = place.journal.read_bytes() if place.journal.exists() else b""
    told = history_of(journal)
    line = told.folder or _made_up(folder, now)
    history = History(
        folder=replace(line, uidnext=told.uidnext, highestmodseq=told.highestmodseq),
        messages=told.messages,
        gone=told.gone,
        known_since=folder.known_since if folder else told.highestmodseq,
        damaged=told.damaged,
        is_torn=whole_lines(journal) != len(journal),
    )
    if jumps or history.damaged or told.folder is None:
        _compare_files(history, place, adopts=adopts)
        _jump(history, folder)
    return history


def _made_up(folder: LockedFolder | None, now: int) -> FolderLine:
    """For a journal that lost its first line."""
    if folder is None:
        return FolderLine(0, "F" + secrets.token_hex(12), now, None, True, 1, 1)
    return FolderLine(folder.id, folder.object_id, folder.uidvalidity, folder.role, folder.selectable, 1, 1)


def _compare_files(history: History, place: Place, *, adopts: bool) -> None:
    """A line without a file is a message that is gone; a file that was changed is as long as it is."""
    files = dict(message_files(place.directory))
    history.lost = [uid for uid, line in history.messages.items() if line.file not in files]
    for uid in history.lost:
        del history.messages[uid]
    for uid, line in history.messages.items():
        size = (place.directory / line.file).stat().st_size
        history.messages[uid] = line if size == line.size_octets else replace(line, size_octets=size)
    named = {line.file for line in history.messages.values()}
    for file, told in files.items():
        if file in named:
            continue
        if told is None or not adopts or not _is_new(history, told):
            history.strays.append(file)
        else:
            history.messages[told] = _line_of(place, file, told)
            history.found.append(told)


def _is_new(history: History, uid: int) -> bool:
    """Or its line may be one of the damaged: mail that was expunged and comes back is better than mail that is lost."""
    unknown = uid >= history.folder.uidnext or (history.damaged > 0 and uid not in history.gone)
    return history.folder.selectable and unknown and uid not in history.messages


def _line_of(place: Place, file: str, uid: int) -> MessageLine:
    """Of a file that came without a line: it was being stored when the tree was copied."""
    stat = (place.directory / file).stat()
    at = int(stat.st_mtime)
    return MessageLine(uid, 0, at, at, stat.st_size, file, "", "", "")


def _jump(history: History, folder: LockedFolder | None) -> None:
    last = max(history.messages, default=0)
    uidnext = max(history.folder.uidnext, last + 1, folder.uidnext if folder else 1) + JUMP
    modseq = max(history.folder.highestmodseq, folder.highestmodseq if folder else 1) + JUMP
    history.folder = replace(history.folder, uidnext=uidnext, highestmodseq=modseq)
    history.messages = {uid: replace(line, modseq=modseq) for uid, line in history.messages.items()}
    history.gone = {}
    history.known_since = modseq
    history.jumped = True
