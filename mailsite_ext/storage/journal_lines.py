"""What a step, or a whole folder of the catalogue, comes to as lines of journals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from mailsite_ext.storage.catalogue_messages import span
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.catalogue_step import Step
from mailsite_ext.storage.catalogue_values import (
    LAST_UID,
    Arrived,
    Flagged,
    FolderMarked,
    FolderRemoved,
    Gone,
    LockedFolder,
    LockedMailbox,
    QuotaSet,
    SubscriptionsChanged,
    row_id,
)
from mailsite_ext.storage.journal import (
    FlagsLine,
    FolderLine,
    GoneLine,
    Line,
    MailboxLine,
    MessageLine,
    SubscriptionLine,
    read_uids,
)

MESSAGES = (
    "SELECT m.id, f.modseq, m.internal_date, m.saved_at, m.size_octets, m.location, m.email_id, m.thread_id, f.flags, "
    "m.internal_zone "
    "FROM mailsite_message m JOIN mailsite_flag f ON f.id = m.id WHERE m.id BETWEEN ? AND ? ORDER BY m.id"
)


def location(folder_id: int, file: str) -> str:
    """What the catalogue calls a message file: the folder's id, so that it stays true when the folder is renamed."""
    return f"{folder_id}/{file}"


def file_of(location: str) -> tuple[int, str]:
    """Folder id and file of a location."""
    folder_id, _, file = location.partition("/")
    return int(folder_id), file


def lines_of(step: Step) -> dict[int, list[Line]]:
    """The lines of a step by journal: folders' ids, and mailboxes' below 0."""
    lines: defaultdict[int, list[Line]] = defaultdict(list)
    for event in step.events:
        if isinstance(event, FolderRemoved | QuotaSet):
            _add_mailbox(step, event, lines)
        elif isinstance(event, SubscriptionsChanged):
            lines[-event.mailbox.id].append(SubscriptionLine(event.subscribed, tuple(event.names)))
        elif isinstance(event, Arrived | Flagged | Gone | FolderMarked) and event.folder.id in step.folders:
            lines[event.folder.id] += _LINES[type(event)](step.link, event)
    return {journal: each for journal, each in lines.items() if each}


def _add_mailbox(step: Step, event: FolderRemoved | QuotaSet, lines: dict[int, list[Line]]) -> None:
    """A folder that goes leaves its UIDVALIDITY with the mailbox."""
    mailbox_id = event.mailbox.id if isinstance(event, QuotaSet) else event.folder.mailbox_id
    if mailbox_id in step.mailboxes:
        line = mailbox_line(step.mailboxes[mailbox_id])
        lines[-mailbox_id] = [*(one for one in lines[-mailbox_id] if one != line), line]


def mailbox_line(mailbox: LockedMailbox) -> MailboxLine:
    return MailboxLine(mailbox.limit_octets, mailbox.last_uidvalidity)


def folder_line(folder: LockedFolder) -> FolderLine:
    return FolderLine(
        folder.id,
        folder.object_id,
        folder.uidvalidity,
        folder.role,
        folder.selectable,
        folder.uidnext,
        folder.highestmodseq,
    )


def whole_journal(link: Link, folder: LockedFolder) -> Iterator[Line]:
    """The shortest journal of a folder as the catalogue has it."""
    yield folder_line(folder)
    query = "SELECT modseq, uids FROM mailsite_change WHERE folder_id = ? AND is_expunge ORDER BY modseq"
    yield from (GoneLine(modseq, read_uids(uids)) for modseq, uids in link.rows(query, [folder.id]))
    yield from _messages(link, *span(folder.id))


def _messages(link: Link, first: int, last: int) -> Iterator[MessageLine]:
    for message_id, modseq, internal_date, saved_at, size, where, *rest in link.rows(MESSAGES, [first, last]):
        file = file_of(where)[1]
        uid = message_id & LAST_UID
        yield MessageLine(uid, modseq, internal_date, saved_at, size, file, *rest)


def _arrived(link: Link, event: Arrived) -> list[Line]:
    uids = [arrival.uid for arrival in event.messages]
    folder_id = event.folder.id
    return list(_messages(link, row_id(folder_id, min(uids)), row_id(folder_id, max(uids)))) if uids else []


def _flagged(_link: Link, event: Flagged) -> list[Line]:
    return [FlagsLine(event.modseq, tuple(uids), flags) for flags, uids in event.flags.items()]


def _gone(_link: Link, event: Gone) -> list[Line]:
    return [GoneLine(event.modseq, tuple(event.uids))] if event.uids else []


def _marked(_link: Link, event: FolderMarked) -> list[Line]:
    return [folder_line(event.folder)]


_LINES: dict[type, Callable[..., list[Line]]] = {
    Arrived: _arrived,
    Flagged: _flagged,
    Gone: _gone,
    FolderMarked: _marked,
}
