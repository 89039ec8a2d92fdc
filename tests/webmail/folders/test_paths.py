"""Names and places of folders."""

import pytest

from app.folders import paths


@pytest.mark.parametrize(
    ("name", "delimiter", "may_be"),
    [
        ("Receipts", "/", True),
        ("Reisen 2026 ✈", "/", True),
        ("a/b", ".", True),
        ("a/b", "/", False),
        ("a.b", ".", False),
        ("a/b", None, True),
        ("", "/", False),
        (" padded", "/", False),
        ("50%", "/", False),
        ("all*", "/", False),
        ("two\nlines", "/", False),
        ("tab\there", "/", False),
        ("turned\u202ear", "/", False),
        ("zero\u200bwidth", "/", False),
        ("half \ud83d", "/", False),
        ("x" * 200, "/", True),
        ("x" * 201, "/", False),
    ],
)
def test_what_may_be_a_name(name, delimiter, may_be):
    assert paths.is_leaf(name, delimiter) is may_be


def test_paths_are_put_together_and_taken_apart():
    assert paths.path_of("Work", "2026", "/") == "Work/2026"
    assert paths.path_of("", "2026", "/") == "2026"
    assert paths.path_of("Work", "2026", None) == "2026"
    assert (paths.parent_of("a/b/c", "/"), paths.leaf_of("a/b/c", "/")) == ("a/b", "c")
    assert (paths.parent_of("a/b", None), paths.leaf_of("a/b", None)) == ("", "a/b")


def test_below_means_a_step_further_and_not_a_longer_name():
    assert paths.is_below("Work/2026", "Work", "/")
    assert not paths.is_below("Workshop", "Work", "/")
    assert not paths.is_below("Work", "Work", "/")
    assert not paths.is_below("Work/2026", "Work", None)
    assert paths.moved("Work/2026", "Work", "Old/Work") == "Old/Work/2026"


def test_too_deep_and_too_long():
    assert paths.fits("/".join("a" * 20), "/")
    assert not paths.fits("/".join("a" * 21), "/")
    assert not paths.fits("x" * 1_001, None)


def test_taken_names_differ_by_case_but_for_inbox():
    assert paths.is_taken("Work", {"Work"})
    assert not paths.is_taken("work", {"Work"})
    assert paths.is_taken("inBox", {"INBOX"})


def test_a_free_name_gets_a_number():
    assert paths.free_path("Trash", "Work", "/", {"Trash"}) == "Trash/Work"
    assert paths.free_path("Trash", "Work", "/", {"Trash/Work", "Trash/Work 2"}) == "Trash/Work 3"
