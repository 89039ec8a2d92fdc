"""Logs: what is written is bounded, whole lines, and read from the end."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.machines import logs
from app.machines.logs import Found, MailLog, bound, log_file, printable, search, tail
from app.machines.words import log_parts, span

NOON = datetime(2026, 11, 24, 12, 0, 1, 5_000, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logs" / "mail.log"


def seconds():
    return 0.0


def test_a_line_says_when_who_and_what(path):
    log = MailLog(path)
    log.note(NOON, "smtp", "203.0.113.9", "C", "EHLO relay")
    log.note(NOON, "imap", "2001:db8::1", "--", "gone\r\n2026 smtp C: forged \x1b[31m")
    log.close()
    assert path.read_text().splitlines() == [
        "2026-11-24 12:00:01.005 smtp 203.0.113.9 C: EHLO relay",
        "2026-11-24 12:00:01.005 imap 2001:db8::1 --: gone\\x0d\\n2026 smtp C: forged \\x1b[31m",
    ]
    assert path.stat().st_mode & 0o077 == 0


def test_a_full_log_moves_on_and_the_oldest_goes(path):
    log = MailLog(path, max_octets=500, kept=2)
    for number in range(100):
        log.note(NOON, "smtp", "203.0.113.9", "C", f"line {number:03d}")
    log.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["mail.log", "mail.log.1", "mail.log.2"]
    assert all(file.stat().st_size < 600 for file in path.parent.iterdir())
    assert tail(path)[-1].endswith("line 099")


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from app.machines.logs import MailLog
log = MailLog(Path(sys.argv[1]), max_octets=20_000, kept=50)
for number in range(1000):
    log.note(datetime.now(UTC), "smtp", sys.argv[2], "C", f"line {number:04d}")
"""


def test_many_processes_write_one_log_and_lose_no_line(path):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, str(number)]) for number in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    lines = [line for file in path.parent.iterdir() for line in file.read_text().splitlines()]
    written = sorted(tuple(line.split()[3:]) for line in lines)
    assert written == sorted((str(who), "C:", "line", f"{number:04d}") for who in range(3) for number in range(1000))


def test_a_log_whose_folder_cannot_be_made_loses_lines_and_nothing_else(tmp_path):
    (tmp_path / "logs").write_text("a file is in the way")
    MailLog(tmp_path / "logs" / "mail.log").note(NOON, "smtp", "203.0.113.9", "C", "EHLO")


def test_a_log_that_was_removed_is_begun_anew(path):
    log = MailLog(path)
    log.note(NOON, "smtp", "203.0.113.9", "C", "one")
    path.unlink()
    log.note(NOON, "smtp", "203.0.113.9", "C", "two")
    log.close()
    assert len(tail(path)) == 1


def test_bounding_empties_the_file_its_writers_hold_open(tmp_path):
    path = tmp_path / "smtp.log"
    writer = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for round_ in range(4):
        os.write(writer, f"round {round_}\n".encode() * 20)
        bound(path, max_octets=100, kept=2)
    os.write(writer, b"after\n")
    os.close(writer)
    assert path.read_text() == "after\n"
    assert path.with_name("smtp.log.1").read_text().endswith("round 3\n" * 10)
    assert path.with_name("smtp.log.2").read_text().endswith("round 2\n" * 10)
    assert not path.with_name("smtp.log.3").exists()
    bound(tmp_path / "none.log")


def test_the_tail_is_bounded_and_begins_with_a_whole_line(tmp_path):
    path = tmp_path / "smtp.log"
    path.write_text("".join(f"{number:06d} {'x' * 3_000}\n" for number in range(100)))
    lines = tail(path)
    assert len(lines) == 21
    assert all(len(line) == logs.MAX_LINE for line in lines)
    assert lines[-1].startswith("000099 ")
    assert tail(tmp_path / "none.log") == []


def test_last_words_are_those_of_the_process_that_just_ran(tmp_path):
    path = tmp_path / "smtp.log"
    path.write_text("of the one before\nmine\n")
    assert tail(path, since_octet=len("of the one before\n")) == ["mine"]
    assert tail(path, since_octet=10_000) == ["of the one before", "mine"]  # emptied meanwhile


def test_searching_finds_the_newest_lines_in_order_in_older_files_too(tmp_path):
    path = tmp_path / "smtp.log"
    path.with_name("smtp.log.1").write_text("EHLO one\nother\n")
    path.write_text("ehlo two\nother\nEhlo three\n")
    assert search(path, "ehlo", seconds) == Found(["EHLO one", "ehlo two", "Ehlo three"], is_whole=True)
    assert search(path, "nothing", seconds) == Found([], is_whole=True)


def test_searching_is_bounded_in_lines_octets_and_time(tmp_path, monkeypatch):
    path = tmp_path / "smtp.log"
    path.write_text("".join(f"line {number}\n" for number in range(100_000)))
    found = search(path, "line", seconds)
    assert (len(found.lines), found.is_whole, found.lines[-1]) == (logs.TAIL_LINES, False, "line 99999")
    monkeypatch.setattr(logs, "SEARCH_OCTETS", logs.BLOCK_OCTETS)
    assert search(path, "line 12\n".strip(), seconds).is_whole is False
    monkeypatch.undo()
    ticking = iter([0.0, 5.0])
    assert search(path, "nowhere", lambda: next(ticking)).is_whole is False


def test_one_endless_line_is_no_trouble(tmp_path):
    path = tmp_path / "smtp.log"
    path.write_bytes(b"x" * 5_000_000 + b"needle")
    assert search(path, "needle", seconds).is_whole
    assert len(tail(path)) <= 1


@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf"]), min_size=1, max_size=30)))
def test_every_line_is_found_by_its_own_words_across_blocks(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("log") / "smtp.log"
    wanted = [line for line in lines if line.strip()]
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "BLOCK_OCTETS", 7)
        for line in wanted:
            if len(line.encode()) < 7:
                assert line in search(path, line, seconds).lines


def test_nothing_that_moves_the_cursor_or_the_line_is_shown():
    assert printable("a\x1b[2J\u202eb\nc\td") == "a\\x1b[2J\\x202eb\\nc\td"


def test_each_machine_has_its_folder(sqlite_config):
    one, two = log_file(sqlite_config, "smtp", "mx-1"), log_file(sqlite_config, "smtp", "../mx-2")
    assert one.parent != two.parent
    assert {one.parent.parent, two.parent.parent} == {sqlite_config.work_directory / "logs"}


@pytest.mark.parametrize(("line", "when", "fault"), [
    ("2026-11-24 10:58:03.002 smtp 203.0.113.9 S: 250 ok", "2026-11-24 10:58:03.002", False),
    ("2026-11-24 10:58:03.002 smtp 203.0.113.9 S: 550-5.1.1 no", "2026-11-24 10:58:03.002", True),
    ("2026-11-24 10:58:03.002 imap 203.0.113.9 S: a1 NO [OVERQUOTA] full", "2026-11-24 10:58:03.002", True),
    ("2026-11-24 10:58:03,002 ERROR satchel: no", "2026-11-24 10:58:03,002", True),
    ("OSError: [Errno 98] Address already in use", "", True),
    ("plain words", "", False),
])  # fmt: skip
def test_faults_stand_out(line, when, fault):
    found = log_parts(line)
    assert (found.when, found.is_fault) == (when, fault)
    assert f"{found.when} {found.text}".strip() == line


@pytest.mark.parametrize(("seconds_", "words"), [
    (0, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (3_600, "1 hour"), (90_000, "1 day"),
])  # fmt: skip
def test_spans(app, seconds_, words):
    with app.test_request_context():
        assert span(seconds_) == words
