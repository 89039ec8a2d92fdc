"""Counters made anew from the rows they count: folders' and mailboxes'."""

from __future__ import annotations

from collections.abc import Iterable

from mailsite_ext.storage.catalogue_messages import span
from mailsite_ext.storage.catalogue_sql import Link

COUNTED = (
    "SELECT count(*), coalesce(sum(CASE WHEN f.is_seen THEN 0 ELSE 1 END), 0), "
    "coalesce(sum(CASE WHEN f.is_deleted THEN 1 ELSE 0 END), 0), coalesce(sum(m.size_octets), 0) "
    "FROM mailsite_flag f JOIN mailsite_message m ON m.id = f.id WHERE f.id BETWEEN ? AND ?"
)


def counted(link: Link, folder_id: int) -> tuple[int, int, int, int]:
    """Messages, unseen, deleted, octets of a folder, by its rows."""
    row = link.row(COUNTED, span(folder_id))
    assert row
    messages, unseen, deleted, octets = row
    return int(messages), int(unseen), int(deleted), int(octets)


def recount(link: Link, folder_ids: Iterable[int]) -> None:
    """Count these folders, and every mailbox, anew."""
    for folder_id in folder_ids:
        link.run(
            "UPDATE mailsite_folder SET messages = ?, unseen = ?, deleted = ?, octets = ? WHERE id = ?",
            [*counted(link, folder_id), folder_id],
        )
    of_folders = "(SELECT coalesce(sum({0}), 0) FROM mailsite_folder f WHERE f.mailbox_id = mailsite_mailbox.id)"
    link.run(
        f"UPDATE mailsite_mailbox SET octets = {of_folders.format('octets')}, "
        f"messages = {of_folders.format('messages')}"
    )
