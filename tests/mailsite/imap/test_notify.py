"""NOTIFY (RFC 5465) beside its dialog: which group a folder belongs to, and too many folders."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.clock import SystemClock
from app.extension_api import Role
from mailsite_ext.imap import notifying
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.carry_out import carry_out
from mailsite_ext.imap.folder_maps import FolderMaps
from mailsite_ext.imap.watch import Watch
from mailsite_ext.protocol.imap_commands import EventGroup
from mailsite_ext.protocol.imap_reader import CommandReader


@pytest.fixture
def account(sql_storage):
    sql_storage.create_mailbox("bob")
    return Account(sql_storage, FolderMaps(sql_storage), "bob", SystemClock(), 1_000)


def say(account: Account, text: str) -> list[str]:
    reader = CommandReader()
    reader.feed(text.encode() + b"\r\n")
    return b"".join(carry_out(account, reader.next_event())).decode().splitlines()


def told(account: Account) -> list[str]:
    return b"".join(notifying.tell_watched(account)).decode().splitlines()


@pytest.mark.parametrize(
    ("group", "belongs"),
    [
        (EventGroup("PERSONAL"), True),
        (EventGroup("SUBSCRIBED"), False),
        (EventGroup("INBOXES"), False),
        (EventGroup("MAILBOXES", ("Work/Deep", "x")), True),
        (EventGroup("MAILBOXES", ("Work",)), False),
        (EventGroup("SUBTREE", ("x", "Work")), True),
        (EventGroup("SUBTREE", ("Work/Deep",)), True),
        (EventGroup("SUBTREE", ("Wor",)), False),
        (EventGroup("SELECTED"), False),
    ],
)
def test_which_folders_a_group_names(account, group, belongs):
    folder = account.storage.create_folder("bob", "Work/Deep", None)
    group = replace(group, events=frozenset({"MAILBOXNAME"}))
    assert bool(Watch([group], {}, lambda _uids: iter(())).events_of(folder)) is belongs


def test_mail_is_delivered_to_the_inbox_and_to_junk(account):
    group = EventGroup("INBOXES", events=frozenset({"MAILBOXNAME"}))
    watch = Watch([group], {}, lambda _uids: iter(()))
    named = {folder.role for folder in account.storage.folders("bob") if watch.events_of(folder)}
    assert named == {Role.INBOX, Role.JUNK}


def test_the_first_group_that_names_a_folder_decides(account):
    say(account, "a NOTIFY SET (MAILBOXES INBOX NONE) (PERSONAL (MessageNew MessageExpunge MailboxName))")
    account.storage.create_folder("bob", "Work", None)
    assert told(account) == ['* LIST () "/" "Work"']
    assert account.watch is not None
    assert not account.watch.events_of(account.storage.find_folder("bob", "INBOX"))


def test_too_many_folders_are_not_watched(account, monkeypatch):
    assert say(account, "a NOTIFY SET (PERSONAL (MailboxName))") == ["a OK done"]
    monkeypatch.setattr(notifying, "FOLDERS_WATCHED", len(account.storage.folders("bob")))
    account.storage.create_folder("bob", "Work", None)
    assert told(account) == ["* OK [NOTIFICATIONOVERFLOW] too many folders to watch"]
    assert account.watch is None
    assert told(account) == []
    assert say(account, "b NOTIFY SET (PERSONAL (MailboxName))")[0].startswith("* OK [NOTIFICATIONOVERFLOW]")
