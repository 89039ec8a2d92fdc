"""A backup while everything runs, put back into an empty place."""

from __future__ import annotations

import shutil

import pytest

from mailsite_ext.storage.backup import back_up, back_up_security, restore_sql
from tests.mailsite.storage.engines import Place, add, inbox_of
from tests.mailsite.storage.snapshots import fill, snapshot


@pytest.fixture
def second(place, request, tmp_path, clock):
    """An empty place of the same kind."""
    made = Place(place.kind, tmp_path / "second", clock=clock)
    made.folder.mkdir()
    if place.kind == "sqlite":
        shutil.copytree(request.getfixturevalue("sqlite_template"), made.folder / "var")
        made.url = f"sqlite:///{made.folder}/var/satchel.db"
    if place.kind == "postgres":
        made.url = request.getfixturevalue("postgres_server").copy("template_public")
    yield made
    made.close()
    if place.kind == "postgres":
        request.getfixturevalue("postgres_server").drop(made.url)


def test_a_backup_brings_everything_back(storage, second, tmp_path):
    fill(storage)
    expected = snapshot(storage, with_modseq=False)
    assert back_up(storage, tmp_path / "backup") > 0
    add(storage, inbox_of(storage), "later")
    storage.expunge(inbox_of(storage).id, only_deleted=False)
    storage.collect_garbage()
    if second.kind == "files":
        shutil.copytree(tmp_path / "backup" / "mail", second.folder / "mail" / "mail")
        again = second.open()
    else:
        again = second.open()
        restore_sql(again, tmp_path / "backup")
    assert snapshot(again, with_modseq=False) == expected
    assert list(again.verify()) == []


def test_a_backup_is_never_written_over_another(storage, tmp_path):
    back_up(storage, tmp_path / "backup")
    with pytest.raises(FileExistsError):
        back_up(storage, tmp_path / "backup")


def test_message_files_are_linked_not_copied(embedded_place, tmp_path):
    storage = embedded_place.opened[0]
    add(storage, inbox_of(storage), "one")
    back_up(storage, tmp_path / "backup")
    kept = [path for path in (tmp_path / "backup").rglob("*") if path.is_file() and path.stat().st_nlink > 1]
    assert len(kept) == 1


def test_keys_are_copied_and_readable_to_nobody_else(tmp_path):
    dkim = tmp_path / "work" / "security" / "dkim" / "here.example"
    dkim.mkdir(parents=True)
    for path in (dkim / "keys.json", dkim / "s1.pem", dkim / "lock", dkim.parent.parent / "srs.key"):
        path.write_bytes(path.name.encode())
    assert back_up_security(tmp_path / "work", tmp_path / "backup") == 3
    copied = {path for path in (tmp_path / "backup").rglob("*") if path.is_file()}
    assert {path.name for path in copied} == {"keys.json", "s1.pem", "srs.key"}
    assert all(path.stat().st_mode & 0o077 == 0 and path.read_bytes() == path.name.encode() for path in copied)
    assert back_up_security(tmp_path / "none", tmp_path / "other") == 0
