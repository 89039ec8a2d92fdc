"""What is imported, where to, and how much at once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.sources import GmailIds, RemoteFolder, RemoteMessage, Role
from mailsite_ext.importing.plan import (
    BATCH_MESSAGES,
    BATCH_OCTETS,
    first_batch,
    kept_flags,
    offered,
    target_name,
    target_of,
    with_room,
)
from mailsite_ext.storage.catalogue_folders import folder_name


def message(uid: int, octets: int = 100, labels: tuple[str, ...] | None = None) -> RemoteMessage:
    gmail = None if labels is None else GmailIds(uid, uid, labels)
    return RemoteMessage(uid, frozenset(), datetime(2026, 11, 1, tzinfo=UTC), octets, b"", b"", gmail=gmail)


@pytest.mark.parametrize(
    ("name", "delimiter", "role", "below", "target"),
    [
        ("INBOX", "/", Role.INBOX, "", "INBOX"),
        ("inbox", "/", None, "", "INBOX"),
        ("Sent Items", "/", Role.SENT, "", "Sent"),
        ("INBOX.Gesendet", ".", Role.SENT, "", "Sent"),
        ("[Gmail]/All Mail", "/", Role.ALL, "", "Archive"),
        ("[Gmail]/Spam", "/", Role.JUNK, "", "Junk"),
        ("Work.2026.May", ".", None, "", "Work/2026/May"),
        ("Work/Life", None, None, "", "Work-Life"),  # a flat server's name may hold our delimiter
        ("Work/Life", ".", None, "", "Work-Life"),
        ("A//B/", "/", None, "", "A/B"),
        ("/", "/", None, "", "-"),
        ("Bad\r\nname\u2028", "/", None, "", "Bad--name-"),
        ("INBOX", "/", Role.INBOX, "Old mail", "Imported/Old mail/INBOX"),
        ("Sent Items", "/", Role.SENT, "a/b@example", "Imported/a-b@example/Sent Items"),
        ("[Gmail]/All Mail", "/", Role.ALL, "gmail", "Imported/gmail/Archive"),
    ],
)
def test_folders_go_to_ours_of_the_same_use_or_name(name, delimiter, role, below, target):
    assert target_name(name, delimiter, role, below) == target


@pytest.mark.parametrize("name", ["x" * 5000, "/".join(["ä" * 300] * 50), "/".join("abc" * 40), "\ud800", " / ", "."])
@pytest.mark.parametrize("below", ["", "b" * 1000])
def test_every_name_is_one_a_folder_here_may_have(name, below):
    target = target_name(name, "/", None, below)
    assert folder_name(target) == target


def test_junk_and_trash_are_not_chosen_and_views_of_others_not_offered():
    listed = [
        RemoteFolder("Travel", "/"),
        RemoteFolder("Trash", "/", Role.TRASH),
        RemoteFolder("Junk", "/", Role.JUNK),
        RemoteFolder("virtual/All", "/", Role.ALL),
        RemoteFolder("virtual/Flagged", "/", Role.FLAGGED),
        RemoteFolder("Above", "/", selectable=False),
        RemoteFolder("Label", "/", label="Label"),
        RemoteFolder("INBOX", "/", Role.INBOX),
    ]
    found = offered([(folder, 3) for folder in listed], is_gmail=False)
    assert [(one.name, one.is_chosen) for one in found] == [
        ("INBOX", True), ("Junk", False), ("Trash", False), ("virtual/All", False), ("Travel", True),
    ]  # fmt: skip
    (all_mail,) = offered([(RemoteFolder("[Gmail]/All Mail", "/", Role.ALL), 3)], is_gmail=True)
    assert all_mail.is_chosen


@pytest.mark.parametrize(
    ("labels", "target", "is_apart", "place"),
    [
        (("\\Inbox", "Travel"), "Archive", False, "INBOX"),
        (("\\Sent",), "Archive", False, "Sent"),
        (("\\Draft",), "Archive", False, "Drafts"),
        (("Travel/2026", "\\Important", "\\Starred"), "Archive", False, "Travel/2026"),
        (("Travel", "Work"), "Archive", False, "Archive"),
        ((), "Archive", False, "Archive"),
        (("\\Inbox",), "Imported/gmail/Archive", True, "Imported/gmail/INBOX"),
        (("Travel/2026",), "Imported/gmail/Archive", True, "Imported/gmail/Travel/2026"),
        (None, "Archive", False, "Archive"),  # a folder of all mail that is not Gmail's
    ],
)
def test_a_message_of_gmail_goes_where_its_label_says(labels, target, is_apart, place):
    assert target_of(message(1, labels=labels), target, Role.ALL, is_apart=is_apart) == place


def test_flags_and_keywords_are_kept_and_what_is_neither_is_not():
    told = ["\\seen", "\\Flagged", "\\Recent", "\\Strange", "$Forwarded", "work", "two words", "a(b", "ä", "x" * 101]
    assert kept_flags(told) == {"\\Seen", "\\Flagged", "$Forwarded", "work"}
    assert len(kept_flags([f"k{number}" for number in range(500)])) == 50


def test_a_batch_has_an_end_but_never_none():
    assert len(first_batch([message(uid) for uid in range(1, 500)])) == BATCH_MESSAGES
    assert len(first_batch([message(1, BATCH_OCTETS * 9), message(2)])) == 1
    assert len(first_batch([message(1, 10), message(2, BATCH_OCTETS), message(3)])) == 1
    assert first_batch([]) == []


def test_what_fits_goes_from_the_first_on():
    messages = [message(1, 10), message(2, 20), message(3, 5)]
    assert [len(with_room(messages, octets)) for octets in (None, 35, 34, 29, 9)] == [3, 3, 2, 1, 0]
