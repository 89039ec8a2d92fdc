"""The disk's seam: what each step leaves behind."""

from __future__ import annotations

import errno
import os

import pytest

from mailsite_ext.errors import StorageDamaged, StorageFull
from mailsite_ext.storage.files import Disk, write_whole
from tests.mailsite.storage.faulty_files import FaultyFiles, Killed, killed


def test_a_file_is_made_of_pieces(tmp_path):
    (tmp_path / "body").write_bytes(b"body")
    assert Disk().write(tmp_path / "whole", [b"head ", tmp_path / "body"]) == 9
    assert (tmp_path / "whole").read_bytes() == b"head body"


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "there").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        Disk().write(tmp_path / "there", [b"new"])
    assert (tmp_path / "there").read_bytes() == b"old"


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, StorageFull), (errno.EIO, StorageDamaged)])
def test_a_fault_leaves_no_half_file(tmp_path, monkeypatch, code, kind):
    (tmp_path / "journal").write_bytes(b"line\n")
    monkeypatch.setattr(os, "fsync", lambda _fd: (_ for _ in ()).throw(OSError(code, os.strerror(code))))
    with pytest.raises(kind):
        Disk().write(tmp_path / "new", [b"message"])
    with pytest.raises(kind):
        Disk().append(tmp_path / "journal", b"half")
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]
    assert (tmp_path / "journal").read_bytes() == b"line\n"


def test_short_writes_are_carried_on(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    (tmp_path / "body").write_bytes(b"0123456789")
    assert Disk().write(tmp_path / "whole", [b"abcdefgh", tmp_path / "body"]) == 18
    assert (tmp_path / "whole").read_bytes() == b"abcdefgh0123456789"


def test_removing_what_is_not_there_is_no_fault(tmp_path):
    Disk().unlink(tmp_path / "gone")
    Disk().remove_directory(tmp_path / "gone")


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_file_put_whole_is_old_or_new_at_any_instant(tmp_path, at):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(Killed):
        write_whole(FaultyFiles(at=at, fault=killed, half=True), tmp_path / "file", b"new!")
    assert (tmp_path / "file").read_bytes() in {b"old", b"new!"}
    write_whole(Disk(), tmp_path / "file", b"newer")  # what the dead one left is in nobody's way
    assert (tmp_path / "file").read_bytes() == b"newer"
