"""Does the catalogue agree with itself?  Counters with rows, flags with messages, UIDs with UIDNEXT."""

from __future__ import annotations

from collections.abc import Iterator

from app.extension_api import NoSuchFolder
from mailsite_ext.storage.catalogue import Catalogue
from mailsite_ext.storage.catalogue_messages import span
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.catalogue_step import Step
from mailsite_ext.storage.catalogue_values import LAST_UID, LockedFolder
from mailsite_ext.storage.values import Finding

COUNTED = ("messages", "unseen", "deleted", "octets")


def verify_counters(catalogue: Catalogue, *, fix: bool) -> Iterator[Finding]:
    """Folder by folder, each held while it is counted."""
    with catalogue.read() as link:
        folder_ids = [one for (one,) in link.rows("SELECT id FROM mailsite_folder WHERE selectable ORDER BY id")]
        mailbox_ids = [one for (one,) in link.rows("SELECT id FROM mailsite_mailbox ORDER BY id")]
    for folder_id in folder_ids:
        try:
            with catalogue.write() as step:
                step.lock(folder_id)
                found = list(_check_folder(step, step.folder(folder_id), fix=fix))
        except NoSuchFolder:  # removed meanwhile
            continue
        yield from found
    for mailbox_id in mailbox_ids:
        with catalogue.write() as step:
            found = list(_check_mailbox(step, mailbox_id, fix=fix))
        yield from found


def _check_folder(step: Step, folder: LockedFolder, *, fix: bool) -> Iterator[Finding]:
    where = f"{folder.mailbox}: {folder.name}"
    yield from _check_pairs(step, folder, where, fix=fix)
    for name, counted in zip(COUNTED, _counted(step.link, folder.id), strict=True):
        if getattr(folder, name) != counted:
            yield Finding(f"{name} counted wrong", where, fix)
            setattr(folder, name, counted if fix else getattr(folder, name))
    last_uid, last_modseq = _largest(step.link, folder.id)
    if folder.uidnext <= last_uid:
        yield Finding("UIDNEXT too low", where, fix)
        folder.uidnext = last_uid + 1 if fix else folder.uidnext
    if folder.highestmodseq < last_modseq:
        yield Finding("HIGHESTMODSEQ too low", where, fix)
        folder.highestmodseq = last_modseq if fix else folder.highestmodseq
    step.touch(folder)


def _counted(link: Link, folder_id: int) -> tuple[int, ...]:
    within = span(folder_id)
    row = link.row(
        "SELECT count(*), count(*) - coalesce(sum(CASE WHEN is_seen THEN 1 ELSE 0 END), 0), "
        "coalesce(sum(CASE WHEN is_deleted THEN 1 ELSE 0 END), 0) FROM mailsite_flag WHERE id BETWEEN ? AND ?",
        within,
    )
    octets = link.row("SELECT coalesce(sum(size_octets), 0) FROM mailsite_message WHERE id BETWEEN ? AND ?", within)
    return tuple(int(number) for number in (*(row or ()), *(octets or ())))


def _largest(link: Link, folder_id: int) -> tuple[int, int]:
    row = link.row("SELECT max(id), max(modseq) FROM mailsite_flag WHERE id BETWEEN ? AND ?", span(folder_id))
    return (row[0] & LAST_UID, row[1]) if row and row[0] else (0, 0)


def _check_pairs(step: Step, folder: LockedFolder, where: str, *, fix: bool) -> Iterator[Finding]:
    """Every message has its flags, and every flags their message; flags that were lost are none."""
    within = span(folder.id)
    missing = "id BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM {other} o WHERE o.id = {this}.id)"
    bare = missing.format(this="mailsite_flag", other="mailsite_message")
    if step.link.rows(f"SELECT id FROM mailsite_flag WHERE {bare}", within):
        yield Finding("flags without a message", where, fix)
        if fix:
            step.link.run(f"DELETE FROM mailsite_flag WHERE {bare}", within)
    bare = missing.format(this="mailsite_message", other="mailsite_flag")
    if step.link.rows(f"SELECT id FROM mailsite_message WHERE {bare}", within):
        yield Finding("a message without flags", where, fix)
        if fix:
            step.link.run(
                "INSERT INTO mailsite_flag (id, modseq, flags, is_seen, is_deleted) "
                f"SELECT id, ?, '', ?, ? FROM mailsite_message WHERE {bare}",
                [folder.highestmodseq, False, False, *within],
            )


def _check_mailbox(step: Step, mailbox_id: int, *, fix: bool) -> Iterator[Finding]:
    """The mailbox's octets and messages are those of its folders."""
    for mailbox in step.lock_mailboxes([mailbox_id]):
        row = step.link.row(
            "SELECT coalesce(sum(octets), 0), coalesce(sum(messages), 0) FROM mailsite_folder WHERE mailbox_id = ?",
            [mailbox_id],
        )
        octets, messages = (int(number) for number in row or (0, 0))
        if (mailbox.octets, mailbox.messages) != (octets, messages):
            yield Finding("quota counted wrong", mailbox.name, fix)
            if fix:
                mailbox.octets, mailbox.messages = octets, messages
