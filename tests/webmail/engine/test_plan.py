"""What to sync next."""

from __future__ import annotations

import pytest

from app.engine.plan import KnownFolder, find_watched, has_news, is_mirrored, stale_folders
from app.sources import FolderState, FolderStatus, RemoteFolder, Role


def known(folder_id: int, name: str, role: Role | None = None, **fields: object) -> KnownFolder:
    values: dict[str, object] = {
        "selectable": True, "state": FolderState(1, 10, 5), "total": 3, "unread": 1, "complete": True
    }  # fmt: skip
    return KnownFolder(folder_id, name, role, **{**values, **fields})  # type: ignore[arg-type]


SAME = FolderStatus(uidvalidity=1, uidnext=10, messages=3, unseen=1, highestmodseq=5)


@pytest.mark.parametrize(("status", "expected"), [
    (SAME, False),
    (None, True),  # the server told nothing
    (FolderStatus(2, 10, 3, 1, 5), True),  # UIDVALIDITY: another folder (RFC 9051 §2.3.1.1)
    (FolderStatus(1, 11, 3, 1, 5), True),  # something arrived
    (FolderStatus(1, 10, 3, 1, 6), True),  # some flag changed, or something vanished (RFC 7162)
    (FolderStatus(1, 10, 2, 0, 5), False),  # counts differ while a deed of ours is on its way: MODSEQ decides
    (FolderStatus(1, 10, 3, 1, None), False),  # no MODSEQ: counts decide
    (FolderStatus(1, 10, 2, 1, None), True),
    (FolderStatus(1, 10, 3, 0, None), True),
])  # fmt: skip
def test_a_folder_has_news(status: FolderStatus | None, expected: bool) -> None:
    assert has_news(known(1, "INBOX"), status) is expected


def test_a_folder_never_synced_has_news() -> None:
    assert has_news(known(1, "Sent", state=None), SAME)
    assert has_news(None, SAME)


def test_stale_folders_come_with_roles_first_and_without_the_watched_one() -> None:
    changed = FolderStatus(1, 12, 5, 1, 9)
    folders = [known(1, "INBOX", Role.INBOX), known(2, "Work"), known(3, "Sent", Role.SENT), known(4, "Quiet")]
    remote = [
        RemoteFolder("INBOX", "/", Role.INBOX, status=changed),
        RemoteFolder("Work", "/", status=changed),
        RemoteFolder("Sent", "/", Role.SENT, status=changed),
        RemoteFolder("Quiet", "/", status=SAME),
    ]
    assert [folder.name for folder in stale_folders(folders, folders, remote, 1)] == ["Sent", "Work"]


def test_an_incomplete_folder_is_gone_on_with_though_nothing_changed() -> None:
    folders = [known(2, "Work", complete=False)]
    remote = [RemoteFolder("Work", "/", status=SAME)]
    assert [folder.id for folder in stale_folders(folders, folders, remote, 1)] == [2]


@pytest.mark.parametrize(("folder", "expected"), [
    (RemoteFolder("Work", "/"), True),
    (RemoteFolder("[Gmail]", "/", selectable=False), False),
    (RemoteFolder("Family", "/", label="Family"), False),  # only shows messages of All Mail
])  # fmt: skip
def test_what_is_mirrored(folder: RemoteFolder, expected: bool) -> None:
    assert is_mirrored(folder) is expected


@pytest.mark.parametrize(("roles", "is_gmail", "expected"), [
    ((Role.INBOX, Role.ALL), False, Role.INBOX),
    ((Role.INBOX, Role.ALL), True, Role.ALL),  # each of Gmail's messages is there, with its labels
    ((Role.INBOX, Role.TRASH), True, Role.INBOX),  # its owner hides All Mail from IMAP
])  # fmt: skip
def test_the_watched_folder(roles: tuple[Role, ...], is_gmail: bool, expected: Role) -> None:
    folders = [known(number, role.value, role) for number, role in enumerate(roles)]
    watched = find_watched(folders, is_gmail=is_gmail)
    assert watched is not None
    assert watched.role is expected
