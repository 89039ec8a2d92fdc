"""The journal: text with checksums, read back exactly, cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.extension_api import Role
from mailsite_ext.errors import StorageDamaged, StorageFull
from mailsite_ext.storage.files import Disk
from mailsite_ext.storage.journal import (
    FlagsLine,
    FolderLine,
    GoneLine,
    MailboxLine,
    MessageLine,
    SubscriptionLine,
    history_of,
    parse_line,
    render_line,
    render_lines,
    whole_lines,
)
from mailsite_ext.storage.journal_log import Addition, JournalLog
from tests.mailsite.storage.faulty_files import FaultyFiles, Killed, failing, full, killed

FOLDER = FolderLine(12, "Fq8", 1763805600, Role.INBOX, True, 18, 41)


def message(uid, modseq, flags=""):
    return MessageLine(uid, modseq, 1763805600, 1763805601, 3121, f"2026-11-0000/{uid:06}.eml", "M5", "T5", flags)


LINES = [
    MailboxLine(None, 1),
    MailboxLine(5_000_000, 1763805600),
    FOLDER,
    FolderLine(1, "x", 1, None, False, 1, 1),
    SubscriptionLine(subscribed=True, names=("INBOX", "Küche/a b%20", "-")),
    SubscriptionLine(subscribed=False, names=("Old letters",)),
    message(17, 40, "\\Seen work"),
    message(2**32 - 2, 2**40),
    FlagsLine(41, (3, 4, 5, 17), "\\Flagged \\Seen"),
    FlagsLine(42, (3,), ""),
    GoneLine(43, (9,)),
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_reads_back(line):
    text = render_line(line)
    assert text.count(b"\n") == 1
    assert parse_line(text[:-1]) == line


def test_a_line_can_be_read_by_a_person():
    assert render_line(message(17, 40, "\\Seen work")).decode().split(" ", 1)[1] == (
        "message 17 40 2025-11-22T10:00:00Z 2025-11-22T10:00:01Z 3121 2026-11-0000/000017.eml M5 T5 \\Seen work\n"
    )


@pytest.mark.parametrize("text", [b"", b"0", b"00000000 ", b"%08x gone 1 1" % 1, b"\xff\xfe", b"  "])
def test_what_is_no_line_is_refused(text):
    with pytest.raises(ValueError):
        parse_line(text)


def test_a_line_names_no_more_than_a_folder_holds():
    with pytest.raises(ValueError):
        parse_line(render_line(GoneLine(1, (1,))).replace(b"gone 1 1", b"gone 1 1:4294967295")[:-1])


def test_the_last_word_counts():
    history = history_of(
        render_lines([FOLDER, message(18, 42), message(19, 42), FlagsLine(43, (18,), "\\Seen"), GoneLine(44, (19,))])
    )
    assert list(history.messages) == [18]
    assert history.messages[18] == message(18, 43, "\\Seen")
    assert history.gone == {19: 44}
    assert (history.uidnext, history.highestmodseq) == (20, 44)


LINE = st.one_of(
    st.builds(message, st.integers(1, 8), st.integers(1, 99), st.sampled_from(["", "\\Seen", "work"])),
    st.builds(
        FlagsLine, st.integers(1, 99), st.sets(st.integers(1, 8), min_size=1).map(sorted).map(tuple), st.just("x")
    ),
    st.builds(GoneLine, st.integers(1, 99), st.sets(st.integers(1, 8), min_size=1).map(sorted).map(tuple)),
)


@settings(derandomize=True, max_examples=200)
@given(st.lists(LINE, max_size=20))
def test_a_compacted_journal_comes_to_the_same(lines):
    history = history_of(render_lines([FOLDER, *lines]))
    again = history_of(render_lines(history.lines()))
    assert list(again.lines()) == list(history.lines())
    assert (again.messages, again.gone) == (history.messages, history.gone)
    assert (again.uidnext, again.highestmodseq) == (history.uidnext, history.highestmodseq)


def test_a_journal_cut_at_any_byte_keeps_every_line_before():
    lines = [render_line(line) for line in (FOLDER, message(17, 40), message(18, 41, "\\Seen"), GoneLine(42, (17,)))]
    journal = b"".join(lines)
    ends = [sum(map(len, lines[:n])) for n in range(len(lines) + 1)]
    for size in range(len(journal) + 1):
        kept = max(end for end in ends if end <= size)
        assert whole_lines(journal[:size]) == kept
        assert history_of(journal[:size]) == history_of(journal[:kept])


def test_a_damaged_line_costs_itself_alone():
    journal = bytearray(render_lines([FOLDER, message(17, 40), message(18, 41)]))
    journal[len(render_line(FOLDER)) + 20] ^= 1
    history = history_of(bytes(journal))
    assert (list(history.messages), history.damaged) == ([18], 1)


# Several journals in one step


@pytest.fixture
def tree(tmp_path):
    for name in ("alice", "bob"):
        (tmp_path / "mail" / name).mkdir(parents=True)
        (tmp_path / "mail" / name / "journal.txt").write_bytes(b"begun\n")
    return tmp_path / "mail"


def addition(tree, name, lines):
    stat = (tree / name / "journal.txt").stat()
    return Addition(f"{name}/journal.txt", stat.st_ino, stat.st_size, lines)


def journals(tree):
    return {name: (tree / name / "journal.txt").read_bytes() for name in ("alice", "bob")}


def both(tree):
    return [addition(tree, "alice", b"to alice\n"), addition(tree, "bob", b"to bob\n")]


BEFORE = {"alice": b"begun\n", "bob": b"begun\n"}
AFTER = {"alice": b"begun\nto alice\n", "bob": b"begun\nto bob\n"}


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_step_killed_anywhere_is_whole_or_not_at_all(tree, tmp_path, at, half):
    with pytest.raises(Killed):
        JournalLog(FaultyFiles(at=at, fault=killed, half=half), tree, tmp_path / "log").add(both(tree))
    JournalLog(Disk(), tree, tmp_path / "log").replay()
    assert journals(tree) == (BEFORE if at == 1 else AFTER)


@pytest.mark.parametrize("fault", [full, failing])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_step_that_finds_no_space_did_nothing_or_all(tree, tmp_path, at, fault):
    log = JournalLog(FaultyFiles(at=at, fault=fault), tree, tmp_path / "log")
    if at == 1:
        with pytest.raises((StorageFull, StorageDamaged)):
            log.add(both(tree))
        assert journals(tree) == BEFORE
        return
    step = both(tree)
    log.add(step)
    log.add([Addition(each.path, each.inode, each.offset + len(each.lines), b"more\n") for each in step])
    assert journals(tree) == {name: lines + b"more\n" for name, lines in AFTER.items()}


def test_a_log_cut_at_any_byte_brings_back_what_was_whole(tree, tmp_path):
    log = tmp_path / "log"
    JournalLog(Disk(), tree, log).add(both(tree))
    first = log.stat().st_size
    JournalLog(Disk(), tree, log).add([addition(tree, "bob", b"more\n")])
    whole = log.read_bytes()
    for size in range(first, len(whole) + 1):
        log.write_bytes(whole[:size])
        for name, lines in BEFORE.items():
            (tree / name / "journal.txt").write_bytes(lines)
        JournalLog(Disk(), tree, log).replay()
        more = b"more\n" if size == len(whole) else b""
        assert journals(tree) == {"alice": AFTER["alice"], "bob": AFTER["bob"] + more}
        assert log.stat().st_size in {first, len(whole)}


def test_a_journal_put_back_from_a_copy_is_left_alone(tree, tmp_path):
    JournalLog(Disk(), tree, tmp_path / "log").add(both(tree))
    (tree / "alice" / "copy").write_bytes(b"begun\n")
    (tree / "alice" / "copy").rename(tree / "alice" / "journal.txt")
    JournalLog(Disk(), tree, tmp_path / "log").replay()
    assert journals(tree) == {"alice": b"begun\n", "bob": AFTER["bob"]}


def test_lines_for_a_journal_that_is_not_as_noted_are_refused(tree, tmp_path):
    step = both(tree)
    (tree / "bob" / "journal.txt").write_bytes(b"restored\n")
    with pytest.raises(StorageDamaged):
        JournalLog(Disk(), tree, tmp_path / "log").add(step)
    assert journals(tree)["alice"] == b"begun\n"


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_checkpoint_killed_anywhere_loses_nothing(tree, tmp_path, at):
    log = JournalLog(Disk(), tree, tmp_path / "log")
    log.add(both(tree))
    with pytest.raises(Killed):
        JournalLog(FaultyFiles(at=at, fault=killed), tree, tmp_path / "log").checkpoint(at_octets=1)
    log.replay()
    assert journals(tree) == AFTER
    log.checkpoint(at_octets=1)
    assert log.size_octets() == 0
