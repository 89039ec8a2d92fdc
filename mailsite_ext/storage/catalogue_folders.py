"""Mailboxes and folders of the catalogue.  Every function works in a step; names are those of `values`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from functools import lru_cache

from app.extension_api import NoSuchFolder, Role
from mailsite_ext.errors import BadFolderName, FolderExists, FolderNotEmptied, NoSuchMailbox, TooManyFolders
from mailsite_ext.protocol.folder_names import canonical, is_readable
from mailsite_ext.storage import catalogue_messages as messages
from mailsite_ext.storage import catalogue_subscriptions
from mailsite_ext.storage.catalogue_messages import Relocate, span
from mailsite_ext.storage.catalogue_step import FOLDERS, Step, folder_of
from mailsite_ext.storage.catalogue_values import (
    FolderMade,
    FolderMarked,
    FolderRemoved,
    FolderRenamed,
    LockedFolder,
    LockedMailbox,
    MailboxMade,
    MailboxRemoved,
    QuotaSet,
)
from mailsite_ext.storage.values import DELIMITER, FIRST_FOLDERS, INBOX

LONGEST_PART_OCTETS = 240
LONGEST_NAME_OCTETS = 1_000
DEEPEST = 32
MOST_FOLDERS = 2_000
"""Of a mailbox, for those that people make; a delivery always has its folder."""
LONGEST_MAILBOX_OCTETS = 240


@lru_cache(maxsize=1024)
def folder_name(name: str) -> str:
    """The name a folder is kept under.  Raises BadFolderName."""
    parts = name.split(DELIMITER)
    if (
        len(parts) > DEEPEST
        or not all(0 < len(_octets(part)) <= LONGEST_PART_OCTETS for part in parts)
        or len(_octets(name)) > LONGEST_NAME_OCTETS
        or any(ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u2028\u2029" for char in name)
    ):
        raise BadFolderName(name[:100])
    return canonical(name)


def new_folder_name(name: str) -> str:
    """As `folder_name`, for one that somebody gives now: those there are already stay as they are."""
    if not is_readable(name):
        raise BadFolderName(name[:100])
    return folder_name(name)


def _octets(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        raise BadFolderName("not Unicode") from None


def parents(name: str) -> list[str]:
    """The names above a folder's, outermost first."""
    parts = name.split(DELIMITER)
    return [DELIMITER.join(parts[:depth]) for depth in range(1, len(parts))]


def role_of_first(name: str) -> Role | None:
    """What a folder of this name is for in every mailbox that has one."""
    return dict(FIRST_FOLDERS).get(name)


# Mailboxes
def create_mailbox(step: Step, name: str) -> None:
    if not 0 < len(_octets(name)) <= LONGEST_MAILBOX_OCTETS:
        raise NoSuchMailbox(name[:100])
    if step.lock_mailboxes(names=[name]):
        return
    removed = step.link.row("SELECT last_uidvalidity FROM mailsite_removed_mailbox WHERE name = ?", [name])
    last = max(step.now, removed[0] if removed else 0)
    made = step.link.run(
        "INSERT INTO mailsite_mailbox (name, last_uidvalidity, octets, messages, limit_octets) "
        "VALUES (?, ?, 0, 0, NULL) ON CONFLICT (name) DO NOTHING",
        [name, last],
    )
    if made:  # else another process made it in this moment
        mailbox = step.lock_mailboxes(names=[name])[0]
        names = [folder for folder, _role in FIRST_FOLDERS]
        catalogue_subscriptions.enter(step.link, mailbox.id, names)
        step.events.append(MailboxMade(mailbox, names))
        for folder, role in FIRST_FOLDERS:
            _make(step, mailbox, folder, role)


def get_mailbox(step: Step, name: str) -> LockedMailbox:
    """Raises NoSuchMailbox."""
    for mailbox in step.lock_mailboxes(names=[name]):
        return mailbox
    raise NoSuchMailbox(name)


def remove_mailbox(step: Step, name: str) -> None:
    for mailbox in step.lock_mailboxes(names=[name]):
        for folder in step.lock_all(mailbox):
            _remove(step, folder)
        catalogue_subscriptions.forget_all(step.link, mailbox.id)
        step.link.run("DELETE FROM mailsite_removed_mailbox WHERE name = ?", [name])
        step.link.run(
            "INSERT INTO mailsite_removed_mailbox (name, last_uidvalidity) VALUES (?, ?)",
            [name, max(mailbox.last_uidvalidity, step.now)],
        )
        step.link.run("DELETE FROM mailsite_mailbox WHERE id = ?", [mailbox.id])
        del step.mailboxes[mailbox.id]
        step.events.append(MailboxRemoved(mailbox))


def set_quota(step: Step, name: str, limit_octets: int | None) -> None:
    mailbox = get_mailbox(step, name)
    mailbox.limit_octets = limit_octets
    step.link.run("UPDATE mailsite_mailbox SET limit_octets = ? WHERE id = ?", [limit_octets, mailbox.id])
    step.events.append(QuotaSet(mailbox))


# Making
def create_folder(step: Step, mailbox: LockedMailbox, name: str, role: Role | None) -> LockedFolder:
    name = new_folder_name(name)
    known = _by_name(step, mailbox)
    if name in known and known[name].selectable:
        raise FolderExists(name)
    if role and any(folder.role is role for folder in known.values()):
        raise BadFolderName(f"{role} is another folder's role")
    _require_room(known, [*parents(name), name])
    return _make_whole(step, mailbox, name, role, known)


def _require_room(known: Mapping[str, LockedFolder], made: Iterable[str]) -> None:
    """Raises TooManyFolders."""
    if len(known.keys() | set(made)) > max(MOST_FOLDERS, len(known)):
        raise TooManyFolders


def ensure_folder(step: Step, mailbox: LockedMailbox, name: str) -> LockedFolder:
    """The folder a delivery goes to, made if it is not there."""
    name = folder_name(name)
    held = [folder for folder in step.folders.values() if (folder.mailbox_id, folder.name) == (mailbox.id, name)]
    for folder in held:
        if folder.selectable:
            return folder
    known = _by_name(step, mailbox)
    role = role_of_first(name)
    if any(folder.role is role for folder in known.values()):
        role = None
    return _make_whole(step, mailbox, name, role, known)


def _by_name(step: Step, mailbox: LockedMailbox) -> dict[str, LockedFolder]:
    return {folder.name: folder for folder in step.lock_all(mailbox)}


def _make_whole(
    step: Step, mailbox: LockedMailbox, name: str, role: Role | None, known: dict[str, LockedFolder]
) -> LockedFolder:
    _make_parents(step, mailbox, name, known)
    if name in known:  # a name kept for the folders below it becomes a new folder
        _drop(step, known[name])
    return _make(step, mailbox, name, role)


def _make_parents(step: Step, mailbox: LockedMailbox, name: str, known: Iterable[str]) -> None:
    """RFC 9051 §6.3.4."""
    for parent in parents(name):
        if parent not in known:
            _make(step, mailbox, parent, None)


def _make(step: Step, mailbox: LockedMailbox, name: str, role: Role | None) -> LockedFolder:
    mailbox.last_uidvalidity = max(mailbox.last_uidvalidity + 1, step.now)
    object_id = "F" + secrets.token_hex(12)
    step.link.run(
        "INSERT INTO mailsite_folder (object_id, mailbox_id, name, role, selectable, uidvalidity, uidnext, "
        "highestmodseq, known_since, messages, unseen, deleted, octets, keywords) "
        "VALUES (?, ?, ?, ?, ?, ?, 1, 1, 0, 0, 0, 0, 0, '')",
        [object_id, mailbox.id, name, role and role.value, True, mailbox.last_uidvalidity],
    )
    row = step.link.row(f"{FOLDERS} WHERE f.object_id = ?", [object_id])
    assert row
    folder = folder_of(row)
    step.hold([folder])
    step.events.append(FolderMade(folder))
    return folder


# Changing
def claim_recent(step: Step, folder_id: int, uidnext: int) -> int:
    query = f"SELECT recent_from FROM mailsite_folder WHERE id = ?{step.link.for_update}"
    row = step.link.row(query, [folder_id])
    if row is None:
        raise NoSuchFolder(str(folder_id))
    if row[0] < uidnext:
        step.link.run("UPDATE mailsite_folder SET recent_from = ? WHERE id = ?", [uidnext, folder_id])
    return int(row[0])


def rename_folder(step: Step, folder_id: int, name: str, relocate: Relocate | None) -> None:
    name = new_folder_name(name)
    folder, known = _with_siblings(step, folder_id)
    mailbox = step.mailbox_of(folder)
    if name in known:
        raise FolderExists(name)
    _require_room(known, [*parents(name), *([name] if folder.name == INBOX else [])])
    if folder.name == INBOX:
        _empty_inbox(step, folder, name, known, relocate)
        return
    if name.startswith(folder.name + DELIMITER):
        raise BadFolderName(name)
    _make_parents(step, mailbox, name, known)
    old = folder.name
    for one in _with_those_below(folder, known.values()):
        _rename(step, one, folder_name(name + one.name.removeprefix(old)))
    _drop_bare_names(step, mailbox, old)


def _with_siblings(step: Step, folder_id: int) -> tuple[LockedFolder, dict[str, LockedFolder]]:
    """The folder, and all of its mailbox by name, held.  Raises NoSuchFolder."""
    row = step.link.row("SELECT mailbox_id FROM mailsite_folder WHERE id = ?", [folder_id])
    for mailbox in step.lock_mailboxes([row[0]] if row else []):
        known = _by_name(step, mailbox)
        for folder in known.values():
            if folder.id == folder_id:
                return folder, known
    raise NoSuchFolder(str(folder_id))


def _empty_inbox(step: Step, inbox: LockedFolder, name: str, known: Iterable[str], relocate: Relocate | None) -> None:
    """INBOX stays, its messages go to the new folder, folders below it stay too (RFC 9051 §6.3.6)."""
    mailbox = step.mailbox_of(inbox)
    _make_parents(step, mailbox, name, known)
    target = _make(step, mailbox, name, None)
    first, last = span(inbox.id)
    rows = step.link.rows("SELECT id FROM mailsite_flag WHERE id BETWEEN ? AND ? ORDER BY id", [first, last])
    messages.move(step, inbox, [message_id - first for (message_id,) in rows], target, relocate)


def _with_those_below(folder: LockedFolder, known: Iterable[LockedFolder]) -> list[LockedFolder]:
    return [folder, *(one for one in known if one.name.startswith(folder.name + DELIMITER))]


def _rename(step: Step, folder: LockedFolder, name: str) -> None:
    old, folder.name = folder.name, name
    step.link.run("UPDATE mailsite_folder SET name = ? WHERE id = ?", [name, folder.id])
    step.events.append(FolderRenamed(folder, old))


# Removing
def delete_folder(step: Step, folder_id: int) -> None:
    folder, known = _with_siblings(step, folder_id)
    has_below = len(_with_those_below(folder, known.values())) > 1
    if folder.name == INBOX or (has_below and not folder.selectable):
        raise FolderNotEmptied(folder.name)
    _remove_messages(step, folder)
    if has_below:
        _become_name(step, folder)
        return
    _drop(step, folder)
    _drop_bare_names(step, step.mailbox_of(folder), folder.name)


def _become_name(step: Step, folder: LockedFolder) -> None:
    folder.selectable, folder.role = False, None
    step.link.run("UPDATE mailsite_folder SET selectable = ?, role = NULL WHERE id = ?", [False, folder.id])
    step.events.append(FolderMarked(folder))


def _drop_bare_names(step: Step, mailbox: LockedMailbox, name: str) -> None:
    """Names that were kept only for the folder that left them go with the last of those."""
    known = _by_name(step, mailbox)
    for parent in reversed(parents(name)):
        folder = known.get(parent)
        if folder is None or folder.selectable or len(_with_those_below(folder, known.values())) > 1:
            return
        _drop(step, known.pop(parent))


def _remove(step: Step, folder: LockedFolder) -> None:
    _remove_messages(step, folder)
    _drop(step, folder)


def _remove_messages(step: Step, folder: LockedFolder) -> None:
    """All of them, without tombstones: their UIDVALIDITY goes too."""
    within = span(folder.id)
    step.link.run(
        "INSERT INTO mailsite_unused (location, unused_since) "
        "SELECT location, ? FROM mailsite_message WHERE id BETWEEN ? AND ?",
        [step.now, *within],
    )
    for table in ("mailsite_message", "mailsite_flag"):
        step.link.run(f"DELETE FROM {table} WHERE id BETWEEN ? AND ?", within)
    step.link.run("DELETE FROM mailsite_change WHERE folder_id = ?", [folder.id])
    mailbox = step.mailbox_of(folder)
    mailbox.octets -= folder.octets
    mailbox.messages -= folder.messages
    folder.messages = folder.unseen = folder.deleted = folder.octets = 0
    step.touch(folder)


def _drop(step: Step, folder: LockedFolder) -> None:
    step.link.run("DELETE FROM mailsite_folder WHERE id = ?", [folder.id])
    step.forget(folder)
    step.events.append(FolderRemoved(folder))
