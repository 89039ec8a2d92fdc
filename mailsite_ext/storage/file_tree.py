"""The mail tree on disk: what a step of the catalogue comes to in directories, message files and journals.

    work/mail/…           the truth: message files, and a journal in every folder's directory (see tree.py, journal.py)
    work/index/…          the catalogue (SQLite), the log of steps, the lock: all of it can be made anew from the tree
    work/incoming/…       messages on their way in, not yet promised to anybody
    work/removed/…        directories of folders that are gone, until the garbage is collected
    work/quarantine/…     files nobody knows, put aside by verify

Everything that changes the tree is called by whoever has the turn to write, one at a time.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from mailsite_ext.errors import StorageDamaged, StorageFull
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.catalogue_step import Step
from mailsite_ext.storage.catalogue_values import (
    Event,
    FolderMade,
    FolderMarked,
    FolderRemoved,
    FolderRenamed,
    LockedFolder,
    MailboxMade,
    MailboxRemoved,
)
from mailsite_ext.storage.file_places import message_directories
from mailsite_ext.storage.files import Files
from mailsite_ext.storage.journal import Line, SubscriptionLine, render_lines
from mailsite_ext.storage.journal_lines import folder_line, lines_of, mailbox_line, whole_journal
from mailsite_ext.storage.journal_log import Addition, JournalLog
from mailsite_ext.storage.journal_marks import LOG, Mark, forget_mark, mark_of, read_marks, write_marks
from mailsite_ext.storage.tree import GOES_ON, JOURNAL, MESSAGE_DIRECTORY, folder_directory
from mailsite_ext.storage.values import DELIMITER

SHORT_JOURNAL_OCTETS = 256 * 1024
LONG_MESSAGE_LINE_OCTETS = 512


class MailTree:
    def __init__(self, files: Files, work: Path) -> None:
        self.files = files
        self.root = work / "mail"
        self.index = work / "index"
        self.incoming = work / "incoming"
        self.removed = work / "removed"
        self.quarantine = work / "quarantine"
        self.log = JournalLog(files, self.root, self.index / "steps.txt")
        self._undo: list[Callable[[], None]] = []
        self._filled: set[Path] = set()  # directories that got messages since `begin`

    def make(self) -> None:
        for directory in (self.root, self.index, self.incoming, self.removed, self.quarantine):
            self.files.make_directory(directory)

    def directory(self, mailbox: str, name: str = "") -> Path:
        return self.root / folder_directory(mailbox, name)

    def journal(self, mailbox: str, name: str = "") -> Path:
        return self.directory(mailbox, name) / JOURNAL

    # Undoing
    def begin(self) -> None:
        """From here on everything can be undone."""
        self._undo.clear()
        self._filled.clear()

    def undo(self) -> None:
        """What was done since `begin`, backwards; what cannot be undone the next look at the tree finds."""
        while self._undo:
            with contextlib.suppress(StorageFull, StorageDamaged, FileNotFoundError):
                self._undo.pop()()

    # Message files
    def bring_in(self, source: Path, target: Path) -> None:
        """Rename a whole, durable file to where a message lies; what a step that died left there goes."""
        self._fill(target.parent)
        self.files.rename(source, target)
        self._undo.append(lambda: self.files.rename(target, source))

    def link(self, source: Path, target: Path) -> None:
        """The same bytes at a second place, without copying them where the file system can."""
        self._fill(target.parent)
        self.files.unlink(target)
        try:
            self.files.link(source, target)
        except StorageDamaged:  # no links here, or too many of this file
            self.files.write(target, [source])
        except FileNotFoundError as error:
            raise StorageDamaged(f"{source} is not there") from error
        self._undo.append(lambda: self.files.unlink(target))

    def _fill(self, directory: Path) -> None:
        """Messages come into a directory, made if need be."""
        if directory not in self._filled:
            self.files.make_directory(directory)
            self._filled.add(directory)

    def put_aside(self, path: Path, where: Path) -> None:
        """Move a file or directory out of the tree, under a name that says what it was."""
        aside = where / f"{'_'.join(path.relative_to(self.root).parts)[:150]}.{secrets.token_hex(6)}"
        self.files.rename(path, aside)
        self._undo.append(lambda: self.files.rename(aside, path))
        self.files.fsync_directory(path.parent)

    # Steps
    def write(self, step: Step) -> None:
        """Make a step's events durable: directories first, then all lines in one."""
        self.log.checkpoint()
        gone = {event.mailbox.id for event in step.events if isinstance(event, MailboxRemoved)}
        changes = [event for event in step.events if isinstance(event, tuple(_CHANGES))]
        if changes:
            self.log.checkpoint(at_octets=1)  # it knows journals by the names they have now
            self.log.announce()
        for event in sorted(changes, key=_place_in_order):
            if not isinstance(event, FolderRemoved) or event.folder.mailbox_id not in gone:
                _CHANGES[type(event)](self, step.link, event)
        self._write_lines(step)
        self._empty_mere_names(step)
        write_marks(step.link, {LOG: Mark(0, self.log.size_octets(), b"")})

    def _write_lines(self, step: Step) -> None:
        lines = lines_of(step)
        paths = self._journals(step, lines)
        marks = read_marks(step.link, list(lines))
        rendered = {journal: render_lines(lines[journal]) for journal in lines}
        self._add(
            [
                Addition(paths[each].relative_to(self.root).as_posix(), marks[each].inode, marks[each].octets, text)
                for each, text in rendered.items()
            ]
        )
        after = {each: marks[each].after(text) for each, text in rendered.items()}
        write_marks(step.link, after)
        for folder in [step.folders[each] for each in after if each in step.folders]:
            if after[folder.id].octets > SHORT_JOURNAL_OCTETS + LONG_MESSAGE_LINE_OCTETS * folder.messages:
                self.compact(step.link, folder)

    def _journals(self, step: Step, ids: Iterable[int]) -> dict[int, Path]:
        folders = {folder.id: self.journal(folder.mailbox, folder.name) for folder in step.folders.values()}
        mailboxes = {-mailbox.id: self.journal(mailbox.name) for mailbox in step.mailboxes.values()}
        known = folders | mailboxes
        return {each: known[each] for each in ids}

    def _add(self, additions: list[Addition]) -> None:
        if additions:
            self.log.add(additions)
            self._undo.append(lambda: self.log.take_back(additions))

    def compact(self, link: Link, folder: LockedFolder) -> None:
        """Write the folder's journal anew, no longer than it has to be."""
        self._rewrite(link, folder.id, self.journal(folder.mailbox, folder.name), whole_journal(link, folder))

    def _rewrite(self, link: Link, journal_id: int, path: Path, lines: Iterable[Line]) -> None:
        self.log.rewrite(path, render_lines(lines))
        write_marks(link, {journal_id: mark_of(path)})

    def begin_journal(self, link: Link, journal_id: int, path: Path, *lines: Line) -> None:
        self.files.make_directory(path.parent)
        self.files.unlink(path)
        self.files.write(path, [render_lines(lines)])
        self._undo.append(lambda: self.files.unlink(path))
        self.files.fsync_directory(path.parent)
        write_marks(link, {journal_id: mark_of(path)})

    # Changes of the tree, one an event
    def make_mailbox(self, link: Link, event: MailboxMade) -> None:
        """After its folders: a mailbox without a journal of its own was never finished."""
        subscribed = SubscriptionLine(subscribed=True, names=tuple(event.subscribed))
        path = self.journal(event.mailbox.name)
        self.begin_journal(link, -event.mailbox.id, path, mailbox_line(event.mailbox), subscribed)

    def make_folder(self, link: Link, event: FolderMade) -> None:
        path = self.journal(event.folder.mailbox, event.folder.name)
        if path.parent.exists():  # of a mere name that becomes a folder again; its first messages may be there already
            self._remove_messages(path.parent, but=self._filled)
        self.begin_journal(link, event.folder.id, path, folder_line(event.folder))

    def rename_folder(self, _link: Link, event: FolderRenamed) -> None:
        """One rename for all that lies below, too: for those there is nothing left to do."""
        folder = event.folder
        old, new = self.directory(folder.mailbox, event.old_name), self.directory(folder.mailbox, folder.name)
        if not (old / JOURNAL).exists():
            return
        if new.exists():  # left behind by a step that died: it has no journal, or the catalogue would know the name
            self.put_aside(new, self.quarantine)
        self.files.make_directory(new.parent)
        self.files.rename(old, new)
        self._undo.append(lambda: self.files.rename(new, old))
        for parent in {old.parent, new.parent}:
            self.files.fsync_directory(parent)
        self._tidy(old.parent)

    def remove_folder(self, link: Link, event: FolderRemoved) -> None:
        directory = self.directory(event.folder.mailbox, event.folder.name)
        forget_mark(link, event.folder.id)
        if not directory.exists():
            return
        if any(_is_folder(child) for child in directory.iterdir()):
            self._remove_messages(directory, but=self._filled)
            self.put_aside(directory / JOURNAL, self.removed)
            return
        self.put_aside(directory, self.removed)
        self._tidy(directory.parent)

    def remove_mailbox(self, link: Link, event: MailboxRemoved) -> None:
        directory = self.directory(event.mailbox.name)
        forget_mark(link, -event.mailbox.id)
        if directory.exists():
            self.put_aside(directory, self.removed)
            self._tidy(directory.parent)

    def _empty_mere_names(self, step: Step) -> None:
        """What became a mere name has no messages any more; its journal says so by now."""
        for event in step.events:
            if isinstance(event, FolderMarked) and not event.folder.selectable:
                self._remove_messages(self.directory(event.folder.mailbox, event.folder.name))

    def _remove_messages(self, directory: Path, but: Collection[Path] = ()) -> None:
        for child in message_directories(directory):
            if child not in but:
                self.put_aside(child, self.removed)

    def _tidy(self, directory: Path) -> None:
        """Halves of a long name go with what was in them."""
        while directory.name.endswith(GOES_ON) and not any(directory.iterdir()):
            self.files.remove_directory(directory)
            directory = directory.parent


_CHANGES: Mapping[type, Callable[..., None]] = {
    MailboxMade: MailTree.make_mailbox,
    FolderMade: MailTree.make_folder,
    FolderRenamed: MailTree.rename_folder,
    FolderRemoved: MailTree.remove_folder,
    MailboxRemoved: MailTree.remove_mailbox,
}


def _place_in_order(event: Event) -> tuple[bool, bool, int]:
    """What was there first, then folders, the deepest first: the journal that appears first makes it true.

    A folder's directory implies the names above it; a mailbox is one when its own journal, the last, is there.
    """
    if isinstance(event, FolderMade):
        return False, True, -event.folder.name.count(DELIMITER)
    return isinstance(event, MailboxMade), False, 0


def _is_folder(child: Path) -> bool:
    return child.is_dir() and not MESSAGE_DIRECTORY.fullmatch(child.name)
