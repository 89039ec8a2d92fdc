"""Messages on their way in: in memory, in a file, and on a disk that is full."""

from __future__ import annotations

import errno
import os
import time

import pytest

from mailsite_ext.delivery.spool import IN_MEMORY_OCTETS, Spool, sweep
from mailsite_ext.errors import StorageFull


def test_small_messages_touch_no_disk(tmp_path):
    spool = Spool(tmp_path)
    spool.write(b"a" * 100)
    spool.write(b"b" * 100)
    content = spool.finish()
    assert content.body == b"a" * 100 + b"b" * 100 == spool.first
    assert content.size_octets == 200
    assert not list(tmp_path.iterdir())


def test_large_messages_go_to_a_file_that_only_we_read(tmp_path):
    spool = Spool(tmp_path)
    blocks = [bytes([n]) * 65_536 for n in range(20)]
    for block in blocks:
        spool.write(block)
    content = spool.finish()
    assert content.body.read_bytes() == b"".join(blocks)
    assert content.body.stat().st_mode & 0o777 == 0o600
    assert content.size_octets == 20 * 65_536
    assert len(spool.first) <= IN_MEMORY_OCTETS + 65_536
    spool.discard()
    spool.discard()
    assert not list(tmp_path.iterdir())


def test_a_file_the_storage_took_away_is_no_fault(tmp_path):
    spool = Spool(tmp_path)
    spool.write(b"x" * (IN_MEMORY_OCTETS + 1))
    content = spool.finish()
    content.body.rename(tmp_path / "kept")
    spool.discard()
    assert (tmp_path / "kept").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_so_and_leaves_nothing(tmp_path, monkeypatch, number):
    def full(*_words):
        raise OSError(number, "full")

    spool = Spool(tmp_path)
    monkeypatch.setattr("mailsite_ext.delivery.spool.os.write", full)
    with pytest.raises(StorageFull):
        spool.write(b"x" * (IN_MEMORY_OCTETS + 1))
    assert not list(tmp_path.iterdir())


def test_what_dead_processes_left_is_swept(tmp_path):
    folder = tmp_path / "spool"
    sweep(folder)
    old, young = folder / "old.spool", folder / "young.spool"
    for path in (old, young):
        path.write_bytes(b"x")
    day_ago = time.time() - 25 * 60 * 60
    os.utime(old, (day_ago, day_ago))
    sweep(folder)
    assert [path.name for path in folder.iterdir()] == ["young.spool"]
