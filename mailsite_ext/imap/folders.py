"""CREATE, DELETE, RENAME, SUBSCRIBE, STATUS, NAMESPACE and quota (RFC 9051 §6.3, RFC 6154, RFC 8438, RFC 9208)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from app.extension_api import NoSuchFolder, Role
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import tell_news
from mailsite_ext.protocol.imap_commands import (
    Create,
    Delete,
    GetQuota,
    GetQuotaRoot,
    Namespace,
    Rename,
    SetQuota,
    Status,
    Subscribe,
    Unsubscribe,
)
from mailsite_ext.protocol.imap_data import astring, folder_name, status_line, status_response, untagged
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import DELETED, Column, StoredFolder

SPECIAL_USES = {
    Role.DRAFTS: "\\Drafts",
    Role.SENT: "\\Sent",
    Role.ARCHIVE: "\\Archive",
    Role.JUNK: "\\Junk",
    Role.TRASH: "\\Trash",
    Role.FLAGGED: "\\Flagged",
    Role.ALL: "\\All",
}
ROLES = {use.lower(): role for role, use in SPECIAL_USES.items() if role not in (Role.ALL, Role.FLAGGED)}


def create(account: Account, command: Create) -> Iterator[bytes]:
    made = account.storage.create_folder(account.mailbox, command.folder, _role(command.special_uses))
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "made", f"MAILBOXID ({made.object_id})")


def _role(uses: tuple[str, ...]) -> Role | None:
    """Raises BadCommand for uses we do not keep, or more than one (RFC 6154 §3)."""
    if not uses:
        return None
    if len(uses) > 1 or uses[0].lower() not in ROLES:
        raise BadCommand("A folder cannot have that use here", code="USEATTR", condition="NO")
    return ROLES[uses[0].lower()]


def delete(account: Account, command: Delete) -> Iterator[bytes]:
    folder = _any_folder(account, command.folder)
    account.storage.delete_folder(folder.id)
    if account.view and account.view.folder_id == folder.id:
        account.view = None
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "removed")


def _any_folder(account: Account, name: str) -> StoredFolder:
    folder = account.storage.find_folder(account.mailbox, name)
    if folder is None:
        raise NoSuchFolder(name)
    return folder


def rename(account: Account, command: Rename) -> Iterator[bytes]:
    account.storage.rename_folder(_any_folder(account, command.folder).id, command.new_name)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "renamed")


def subscribe(account: Account, command: Subscribe) -> Iterator[bytes]:
    """Of a name that has a folder, or has a subscription already (RFC 9051 §6.3.7 lets a server check)."""
    account.storage.subscribe(account.mailbox, command.folder, subscribed=True)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "subscribed")


def unsubscribe(account: Account, command: Unsubscribe) -> Iterator[bytes]:
    """Of any name, whether it has a folder or not."""
    account.storage.subscribe(account.mailbox, command.folder, subscribed=False)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "unsubscribed")


ITEMS: Mapping[str, Callable[[StoredFolder], int | str]] = {
    "MESSAGES": lambda folder: folder.messages,
    "UIDNEXT": lambda folder: folder.uidnext,
    "UIDVALIDITY": lambda folder: folder.uidvalidity,
    "UNSEEN": lambda folder: folder.unseen,
    "DELETED": lambda folder: folder.deleted,
    "SIZE": lambda folder: folder.octets,
    "HIGHESTMODSEQ": lambda folder: folder.highestmodseq,
    "MAILBOXID": lambda folder: folder.object_id,
}


def status(account: Account, command: Status) -> Iterator[bytes]:
    folder = account.get_folder(command.folder)
    yield status_of(account, folder, command.items)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "done")


def status_of(account: Account, folder: StoredFolder, items: tuple[str, ...]) -> bytes:
    """Answered from the folder's counters, but for DELETED-STORAGE and RECENT."""
    learned = account.learn_modseqs() if "HIGHESTMODSEQ" in items else b""
    found = {item: _status_item(account, folder, item) for item in items}
    return learned + status_response(folder.name, found, utf8=account.is_utf8)


def _status_item(account: Account, folder: StoredFolder, item: str) -> int | str:
    if item == "APPENDLIMIT":
        return account.message_octets  # RFC 7889 §4
    if item == "RECENT":
        return _recent(account, folder)
    if item == "DELETED-STORAGE":
        return _deleted_octets(account.storage, folder)
    return ITEMS[item](folder)


def _recent(account: Account, folder: StoredFolder) -> int:
    """How many messages no session was told of yet (RFC 3501 §6.3.10)."""
    first = folder.recent_from
    return 0 if first >= folder.uidnext else sum(uid >= first for uid in account.maps.current(folder).uids)


def _deleted_octets(storage: StorageEngine, folder: StoredFolder) -> int:
    """What EXPUNGE would give back (RFC 9208 §4.1.4)."""
    if not folder.deleted:
        return 0
    marked = [uid for uid, flags in storage.rows(folder.id, (Column.UID, Column.FLAGS)) if DELETED in flags.split()]
    return sum(octets for (octets,) in storage.rows(folder.id, (Column.SIZE,), marked))


def namespace(_account: Account, command: Namespace) -> Iterator[bytes]:
    """One personal namespace without a prefix (RFC 2342)."""
    yield untagged(b'NAMESPACE (("" "/")) NIL NIL')
    yield status_line(command.tag, "OK", "done")


ROOT = ""


def get_quota(account: Account, command: GetQuota) -> Iterator[bytes]:
    if command.root != ROOT:
        raise BadCommand("There is no such quota root", code="NONEXISTENT", condition="NO")
    yield _quota_line(account)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "done")


def get_quota_root(account: Account, command: GetQuotaRoot) -> Iterator[bytes]:
    folder = _any_folder(account, command.folder)
    yield untagged(b"QUOTAROOT", folder_name(folder.name, utf8=account.is_utf8), astring(ROOT.encode()))
    yield _quota_line(account)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "done")


def _quota_line(account: Account) -> bytes:
    """STORAGE in units of 1,024 octets, rounded up (RFC 9208 §5.1); without a limit none is named."""
    quota = account.storage.quota(account.mailbox)
    shown = b""
    if quota.limit_octets is not None:
        shown = b"STORAGE %d %d" % (-(-quota.used_octets // 1024), quota.limit_octets // 1024)
    return untagged(b"QUOTA", astring(ROOT.encode()), b"(" + shown + b")")


def set_quota(_account: Account, _command: SetQuota) -> Iterator[bytes]:
    raise BadCommand("Quotas are set by the administrator", code="NOPERM", condition="NO")
