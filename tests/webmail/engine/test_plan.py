"""What to sync next."""

from __future__ import annotations

import pytest

from app.engine.plan import (
    KnownFolder,
    find_watched,
    has_news,
    is_mirrored,
    shows_other_labels,
    stale_folders,
    stores_of,
)
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


@pytest.mark.parametrize(("all_mail", "inbox", "complete", "expected"), [
    (SAME, FolderStatus(9, 99, 3, 1), True, False),
    (FolderStatus(1, 10, 3, 1, 6), FolderStatus(9, 99, 3, 1), True, True),  # MODSEQ: a label or flag changed
    (SAME, FolderStatus(9, 99, 2, 1), True, True),  # archived elsewhere
    (SAME, FolderStatus(9, 99, 3, 0), True, True),
    (SAME, None, True, False),
    (SAME, FolderStatus(9, 99, 2, 1), False, False),  # the first sync goes on anyway
])  # fmt: skip
def test_views_tell_of_labels_changed_elsewhere(
    all_mail: FolderStatus, inbox: FolderStatus | None, complete: bool, expected: bool
) -> None:
    watched = known(1, "All Mail", Role.ALL, complete=complete)
    folders = [watched, known(2, "INBOX", Role.INBOX, state=None, is_view=True)]
    remote = [
        RemoteFolder("All Mail", "/", Role.ALL, status=all_mail),
        RemoteFolder("INBOX", "/", Role.INBOX, status=inbox, label="\\Inbox"),
    ]
    assert shows_other_labels(folders, folders, remote, watched) is expected


@pytest.mark.parametrize(("ids", "expected"), [
    ((1,), [1]), ((2,), [1]), ((2, 3), [1, 3]), ((3, None), [3]), ((1, 2), [1]), ((), []),
])  # fmt: skip
def test_deeds_in_a_view_change_all_mail(ids: tuple[int | None, ...], expected: list[int]) -> None:
    folders = [known(1, "All Mail", Role.ALL), known(2, "INBOX", Role.INBOX, is_view=True), known(3, "Trash")]
    assert [folder.id for folder in stores_of(folders, ids)] == expected
