"""FileMailStorage: rows against journals against files, and files nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from app.extension_api import NoSuchFolder
from mailsite_ext.storage import catalogue_reads
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.catalogue_step import Step
from mailsite_ext.storage.catalogue_values import LockedFolder
from mailsite_ext.storage.file_places import Place, message_files
from mailsite_ext.storage.file_settle import Settling
from mailsite_ext.storage.file_tree import MailTree
from mailsite_ext.storage.files import disk_faults
from mailsite_ext.storage.journal import MessageLine, history_of
from mailsite_ext.storage.journal_lines import file_of, whole_journal
from mailsite_ext.storage.recount import recount
from mailsite_ext.storage.values import Finding

if TYPE_CHECKING:
    from mailsite_ext.storage.file_mail_storage import FileMailStorage

AT_A_TIME = 1_000


# Garbage
def collect_garbage(storage: FileMailStorage) -> int:
    """Remove the files of messages, and the directories of folders, that went longer ago than the grace time."""
    before = int(storage.clock.now().timestamp()) - storage.grace_s
    count = sum(_remove_directory(storage, path) for path in _older(storage.tree.removed, before))
    count += sum(_remove_file(storage, path) for path in _older(storage.tree.incoming, before))
    while removed := _remove_some(storage, before):
        count += removed
    return count


def _older(directory: Path, before: int) -> list[Path]:
    """By when they came there: a rename sets the time of the status."""
    with disk_faults():
        return [path for path in sorted(directory.iterdir()) if path.stat().st_ctime <= before]


def _remove_directory(storage: FileMailStorage, path: Path) -> int:
    if not path.is_dir():
        return _remove_file(storage, path)
    count = sum(1 for found in path.rglob("*.eml"))
    storage.files.remove_directory(path)
    return count


def _remove_file(storage: FileMailStorage, path: Path) -> int:
    storage.files.unlink(path)
    return 1


def _remove_some(storage: FileMailStorage, before: int) -> int:
    """A message's file is its own: no other row can point at it."""
    with storage.write() as step:
        query = "SELECT id, location FROM mailsite_unused WHERE unused_since <= ? ORDER BY id LIMIT ?"
        unused = step.link.rows(query, [before, AT_A_TIME])
        for _id, location in unused:
            _unlink(storage, step.link, location)
        step.link.run_many("DELETE FROM mailsite_unused WHERE id = ?", [(unused_id,) for unused_id, _where in unused])
    return len(unused)


def _unlink(storage: FileMailStorage, link: Link, location: str) -> None:
    """Nothing is left to do where the folder is gone, too."""
    folder_id, file = file_of(location)
    try:
        folder = catalogue_reads.get_folder(link, folder_id)
    except NoSuchFolder:
        return
    storage.files.unlink(storage.tree.directory(folder.mailbox, folder.name) / file)


# Verify
def verify(storage: FileMailStorage, *, fix: bool) -> Iterator[Finding]:
    """Folder by folder, each in a step of its own, so that deliveries go on in between."""
    with storage.write():
        storage.tree.log.replay()  # what a journal had no room for
    for mailbox in storage.mailboxes():
        for folder in storage.folders(mailbox):
            yield from _verify_folder(storage, folder.id, fix=fix)


def _verify_folder(storage: FileMailStorage, folder_id: int, *, fix: bool) -> list[Finding]:
    with storage.write() as step:
        try:
            folder = catalogue_reads.get_folder(step.link, folder_id)
        except NoSuchFolder:
            return []
        place = Place(storage.tree.directory(folder.mailbox, folder.name), folder.mailbox, folder.name)
        found = [
            Finding(kind, f"{folder.mailbox}/{folder.name}{where}", mended=fix)
            for kind, where in _faults(step.link, folder, place)
        ]
        if found and fix:
            _mend(step, storage.tree, folder, place)
    return found


def _mend(step: Step, tree: MailTree, folder: LockedFolder, place: Place) -> None:
    """Read the folder anew from what lies in it; a file the index never had was promised to nobody.

    What a damaged journal no longer says the index still knows.
    """
    if not place.journal.exists() or history_of(place.journal.read_bytes()).damaged:
        tree.compact(step.link, folder)
    settling = Settling(step, tree)
    settling.settle(place, folder, jumps=True, adopts=False)
    recount(step.link, [folder.id])


def _faults(link: Link, folder: LockedFolder, place: Place) -> Iterator[tuple[str, str]]:
    """What is wrong with a folder, and where in it."""
    if not place.journal.exists():
        yield "journal missing", ""
        return
    told = history_of(place.journal.read_bytes())
    rows = {line.uid: line for line in whole_journal(link, folder) if isinstance(line, MessageLine)}
    if told.damaged:
        yield "journal damaged", ""
    if told.messages != rows:
        yield "journal and index differ", ""
    if told.uidnext > folder.uidnext or any(uid >= folder.uidnext for uid in rows):
        yield "UID not below UIDNEXT", ""
    if any(line.modseq > folder.highestmodseq for line in rows.values()):
        yield "MODSEQ above HIGHESTMODSEQ", ""
    yield from _file_faults(link, folder, place, rows)


def _file_faults(
    link: Link, folder: LockedFolder, place: Place, rows: dict[int, MessageLine]
) -> Iterator[tuple[str, str]]:
    query = "SELECT location FROM mailsite_unused WHERE location LIKE ?"
    unused = {file_of(where)[1] for (where,) in link.rows(query, [f"{folder.id}/%"])}
    files = {file for file, _uid in message_files(place.directory)}
    named = {line.file: line for line in rows.values()}
    for file in sorted(named.keys() - files):
        yield "message file missing", f"/{file}"
    for file in sorted(files - named.keys() - unused):
        yield "file of no message", f"/{file}"
    for file in sorted(files & named.keys()):
        if (place.directory / file).stat().st_size != named[file].size_octets:
            yield "size of a message file changed", f"/{file}"
