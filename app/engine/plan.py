"""What to sync next: pure decisions on what the mirror knows and what the server's STATUS says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from app.sources import FolderState, FolderStatus, RemoteFolder, Role


class Rank(IntEnum):
    """The order in which the jobs of one session are done."""

    WANTED = 0  # somebody waits
    NEWS = 1  # a folder changed
    NEWEST = 2  # the newest messages of a folder never seen, one with a role
    PREFETCH = 3
    OLDER = 4  # of the INBOX, or the folder watched in its place
    NEWEST_OF_OTHERS = 5
    OLDER_OF_OTHERS = 6
    KEEP_WARM = 9


@dataclass(frozen=True, slots=True)
class KnownFolder:
    """A folder as the mirror has it; `state` is None before its first sync."""

    id: int
    name: str
    role: Role | None
    selectable: bool
    state: FolderState | None
    total: int
    unread: int
    complete: bool
    is_view: bool = False  # only shows messages of All Mail (Gmail)


def is_mirrored(folder: RemoteFolder) -> bool:
    """Whether a folder's messages are fetched: Gmail's labels only show those of All Mail (X-GM-EXT-1)."""
    return folder.selectable and folder.label is None


def find_watched(folders: Sequence[KnownFolder], *, is_gmail: bool) -> KnownFolder | None:
    """The folder new mail comes into: the INBOX; on Gmail All Mail, unless its owner hides it from IMAP."""
    by_role = {folder.role: folder for folder in reversed(folders)}
    all_mail = by_role.get(Role.ALL) if is_gmail else None
    return all_mail or by_role.get(Role.INBOX)


def stale_folders(
    before: Sequence[KnownFolder], after: Sequence[KnownFolder], remote: Sequence[RemoteFolder], watched: int | None
) -> Sequence[KnownFolder]:
    """Folders the server has news of, the watched one apart (its own session looks at it): those with a role first."""
    was: Mapping[str, KnownFolder] = {folder.name: folder for folder in before}
    mirrored = {folder.name: folder.status for folder in remote if is_mirrored(folder)}
    stale = [
        folder
        for folder in after
        if folder.id != watched
        and folder.name in mirrored
        and (not folder.complete or has_news(was.get(folder.name), mirrored[folder.name]))
    ]
    return sorted(stale, key=lambda folder: folder.role is None)


def shows_other_labels(
    before: Sequence[KnownFolder], after: Sequence[KnownFolder], remote: Sequence[RemoteFolder], watched: KnownFolder
) -> bool:
    """Whether Gmail tells of labels the mirror of All Mail does not know of: IDLE says nothing when they change."""
    was = {folder.id: folder for folder in before}
    status = {folder.name: folder.status for folder in remote}
    if not watched.complete:
        return False
    if has_news(was.get(watched.id), status.get(watched.name)):
        return True
    counts = ((folder, status.get(folder.name)) for folder in after if folder.is_view and folder.complete)
    return any(told and (folder.total, folder.unread) != (told.messages, told.unseen) for folder, told in counts)


def stores_of(folders: Sequence[KnownFolder], ids: Collection[int | None]) -> Sequence[KnownFolder]:
    """The folders among `ids`, All Mail in the place of its views: where the messages are that deeds change."""
    named = [folder for folder in folders if folder.id in ids]
    holds_views = any(folder.is_view for folder in named)
    return [
        folder
        for folder in folders
        if not folder.is_view and (folder in named or (holds_views and folder.role is Role.ALL))
    ]


def has_news(folder: KnownFolder | None, status: FolderStatus | None) -> bool:
    """Whether a folder is no longer as the mirror has it; a server that counts MODSEQ says so exactly (RFC 7162)."""
    if folder is None or folder.state is None or status is None:
        return True
    if (folder.state.uidvalidity, folder.state.uidnext) != (status.uidvalidity, status.uidnext):
        return True
    if status.highestmodseq is not None and folder.state.highestmodseq is not None:
        return folder.state.highestmodseq != status.highestmodseq
    return (folder.total, folder.unread) != (status.messages, status.unseen)


def news_rank(folder: KnownFolder) -> Rank:
    """How urgent it is to look at a folder."""
    if folder.state is not None:
        return Rank.NEWS
    return Rank.NEWEST if folder.role else Rank.NEWEST_OF_OTHERS


def older_rank(*, is_watched: bool) -> Rank:
    return Rank.OLDER if is_watched else Rank.OLDER_OF_OTHERS
