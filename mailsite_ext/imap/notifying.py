"""NOTIFY (RFC 5465): what happens in folders is told without a question, the selected one's news and the others'."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailsite_ext.imap.account import Account
from mailsite_ext.imap.fetching import answers
from mailsite_ext.imap.news import tell_news
from mailsite_ext.imap.view import packed
from mailsite_ext.imap.watch import OF_MESSAGES, Watch, check_groups
from mailsite_ext.protocol.imap_commands import Attribute, Notify
from mailsite_ext.protocol.imap_data import list_response, status_line, status_response
from mailsite_ext.storage.values import StoredFolder

FOLDERS_WATCHED = 5_000


def notify(account: Account, command: Notify) -> Iterator[bytes]:
    """Replaces what was asked for before; with STATUS how things stand is told first (RFC 5465 §3.1)."""
    check_groups(command.groups)
    account.watch = None
    if command.groups:
        account.watch = Watch(command.groups, {}, lambda uids: _tell_new(account, uids))
        yield from _begin(account, account.watch, wants_status=command.wants_status)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "done")


def _begin(account: Account, watch: Watch, *, wants_status: bool) -> Iterator[bytes]:
    folders = account.storage.folders(account.mailbox)
    if len(folders) > FOLDERS_WATCHED:
        yield _overflow(account)
        return
    watch.told = {folder.id: folder for folder in folders}
    for folder in folders if wants_status else ():
        events = watch.events_of(folder) & OF_MESSAGES
        if events and folder.selectable and not _is_selected(account, folder):
            yield _status(account, folder, events)


def _overflow(account: Account) -> bytes:
    """Too much to watch: from now on as after NOTIFY NONE (RFC 5465 §5.8)."""
    account.watch = None
    return status_line(b"", "OK", "too many folders to watch", "NOTIFICATIONOVERFLOW")


def _is_selected(account: Account, folder: StoredFolder) -> bool:
    return account.view is not None and account.view.folder_id == folder.id


def tell_watched(account: Account) -> Iterator[bytes]:
    """All that happened since the client was last told, of what it wants to know: between commands."""
    watch = account.watch
    selected = watch.find_selected() if watch else None
    if selected is not None:
        yield from tell_news(account, expunges=selected.filter == "SELECTED")
    yield from tell_others(account)


def tell_idle(account: Account) -> Iterator[bytes]:
    """In IDLE the selected folder's news are told anyhow (RFC 2177)."""
    yield from tell_news(account)
    yield from tell_others(account)


def tell_others(account: Account) -> Iterator[bytes]:
    """News of folders that are not selected, and of names."""
    watch = account.watch
    if watch is None:
        return
    folders = account.storage.folders(account.mailbox)
    if len(folders) > FOLDERS_WATCHED:
        yield _overflow(account)
        return
    before, watch.told = watch.told, {folder.id: folder for folder in folders}
    for folder_id in before.keys() - watch.told.keys():
        yield _removed(account, watch, before[folder_id])
    for folder in folders:
        if before.get(folder.id) != folder:
            yield from _changed(account, watch, before.get(folder.id), folder)


def _removed(account: Account, watch: Watch, folder: StoredFolder) -> bytes:
    if "MAILBOXNAME" not in watch.events_of(folder):
        return b""
    return list_response(folder.name, ("\\NonExistent",), utf8=account.is_utf8)


def _changed(account: Account, watch: Watch, was: StoredFolder | None, folder: StoredFolder) -> Iterator[bytes]:
    events = watch.events_of(folder) | (watch.events_of(was) - OF_MESSAGES if was else frozenset())
    is_other_name = was is None or was.name != folder.name or was.selectable != folder.selectable
    if "MAILBOXNAME" in events and is_other_name:
        yield _named(account, folder, was.name if was and was.name != folder.name else None)
    elif "SUBSCRIPTIONCHANGE" in events and was is not None and was.subscribed != folder.subscribed:
        yield _named(account, folder)
    has_news = "MESSAGENEW" in events and _counted(was) != _counted(folder)
    has_flags = "FLAGCHANGE" in events and was is not None and was.highestmodseq != folder.highestmodseq
    if (has_news or has_flags) and folder.selectable and not _is_selected(account, folder):
        yield _status(account, folder, events)


def _counted(folder: StoredFolder | None) -> tuple[int, int]:
    return (folder.messages, folder.uidnext) if folder else (0, 1)


def _named(account: Account, folder: StoredFolder, old_name: str | None = None) -> bytes:
    attributes = ["\\Subscribed"] if folder.subscribed else []
    if not folder.selectable:
        attributes.append("\\NonExistent")
    return list_response(folder.name, attributes, utf8=account.is_utf8, old_name=old_name)


def _status(account: Account, folder: StoredFolder, events: frozenset[str]) -> bytes:
    """How many messages there are and, where flags are of interest, up to which change (RFC 5465 §5.1-5.3)."""
    items = {"MESSAGES": folder.messages, "UIDNEXT": folder.uidnext, "UIDVALIDITY": folder.uidvalidity}
    if "FLAGCHANGE" in events:
        items |= {"UNSEEN": folder.unseen, "HIGHESTMODSEQ": folder.highestmodseq}
    return status_response(folder.name, items, utf8=account.is_utf8)


def _tell_new(account: Account, uids: Sequence[int]) -> Iterator[bytes]:
    r"""What MessageNew asked to know of new messages in the selected folder; no \Seen is set (RFC 5465 §5.2)."""
    items = account.watch.items_of_new() if account.watch else ()
    if items:
        wanted = tuple(dict.fromkeys((Attribute.UID, *items)))
        yield from answers(account, account.selected(), packed(uids), wanted)
