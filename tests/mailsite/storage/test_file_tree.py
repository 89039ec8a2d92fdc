"""Names of the tree: readable, one directory a folder, and none can leave."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.storage.tree import find_uid, folder_directory, folder_name, message_file


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("INBOX", "alice/INBOX"),
        ("Projects/Kitchen 2", "alice/Projects/Kitchen 2"),
        ("lists.example.org", "alice/lists.example.org"),
        ("Müll/日本", "alice/Müll/日本"),
        ("✂ cut", "alice/✂ cut"),
        ("..", "alice/%2E%2E"),
        (".hidden", "alice/%2Ehidden"),
        ("ends with.", "alice/ends with%2E"),
        (" spaces ", "alice/%20spaces%20"),
        ("100%", "alice/100%25"),
        ("a\\b:c*d", "alice/a%5Cb%3Ac%2Ad"),
        ("a\0b\x7f", "alice/a%00b%7F"),
        ("journal.txt", "alice/%6Aournal.txt"),
        ("2026-11-0000", "alice/%32026-11-0000"),
        ("2026-11", "alice/2026-11"),
        (unicodedata.normalize("NFD", "é"), "alice/e%CC%81"),
        ("right\u202eleft", "alice/right%E2%80%AEleft"),
        ("x" * 240, "alice/" + "x" * 240),
        ("%" * 160, "alice/" + ("%25" * 80) + "%/" + "%25" * 80),
    ],
)
def test_a_folder_has_a_readable_directory(name, directory):
    assert folder_directory("alice", name) == PurePosixPath(directory)
    assert folder_name(PurePosixPath(directory)) == ("alice", name)


@pytest.mark.parametrize("directory", ["alice/%41", "alice/x%", "alice/%2", "alice/a%2f", "alice/%FF", "alice/.x"])
def test_a_directory_no_name_makes_is_none_of_ours(directory):
    with pytest.raises(ValueError):
        folder_name(PurePosixPath(directory))


PARTS = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=240).filter(
    lambda part: len(part.encode("utf-8", "surrogatepass")) <= 250
)
NASTY = st.text(st.sampled_from([*".%~ /\\\0Aaé", "\u0301", "\u212b", "日"]), min_size=1, max_size=250)


@settings(derandomize=True, max_examples=400)
@given(st.lists(st.one_of(PARTS, NASTY.map(lambda text: text.replace("/", "-"))), min_size=1, max_size=5))
def test_no_name_leaves_the_tree_and_each_has_its_own_directory(parts):
    name = "/".join(parts)
    directory = folder_directory("alice", name)
    assert folder_name(directory) == ("alice", name)
    for piece in directory.parts:
        assert len(piece.encode("utf-8")) <= 255
        assert piece not in {".", ".."}
        assert "\0" not in piece
        assert unicodedata.is_normalized("NFC", piece)


def test_files_of_a_folder_share_directories_of_bounded_size():
    stored_at = datetime(2026, 11, 22, tzinfo=UTC)
    files = [message_file(uid, stored_at) for uid in range(1, 3_000)]
    directories = [file.partition("/")[0] for file in files]
    assert max(directories.count(each) for each in set(directories)) <= 1_000
    assert len(set(directories)) == 3
    assert [find_uid(file) for file in files] == list(range(1, 3_000))
    assert message_file(2**32 - 1, stored_at) == "2026-11-4294967/4294967295.eml"


@pytest.mark.parametrize("file", ["2026-11-0000/x.eml", "x/000001.eml", "000001.eml", "2026-11-0000/000001.eml.new"])
def test_other_files_tell_no_uid(file):
    assert find_uid(file) is None
