"""Searches kept up to date (RFC 5267 §4.3) beside their dialog: whatever happens, the client's copy is the result."""

from __future__ import annotations

import random
import re
from types import SimpleNamespace
from typing import cast

import pytest

from app.clock import SystemClock
from mailsite_ext.errors import SearchTooLong
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.carry_out import carry_out
from mailsite_ext.imap.folder_maps import FolderMaps
from mailsite_ext.imap.updates import UPDATES, Update, find_lasting, tell_changed
from mailsite_ext.imap.view import View, packed
from mailsite_ext.protocol import search_keys as keys
from mailsite_ext.protocol.imap_reader import CommandReader
from mailsite_ext.protocol.sequence_sets import LARGEST, parse_set
from mailsite_ext.storage.values import Content

NEWS = re.compile(r"\* (?:(\d+) (EXPUNGE|EXISTS)|ESEARCH \(TAG \"(\w+)\"\)( UID)? (.*(?:ADDTO|REMOVEFROM).*))")
CHANGE = re.compile(r"(ADDTO|REMOVEFROM) \(0 ([0-9:,]+)\)")
STEPS = (
    "STORE {0} +FLAGS.SILENT (\\Flagged)",
    "STORE {0} -FLAGS.SILENT (\\Flagged)",
    "STORE {0} FLAGS (\\Seen)",
    "STORE {0} +FLAGS (\\Deleted)",
    "EXPUNGE",
    "COPY {0} INBOX",
    "MOVE {0} INBOX",
    "FETCH {0} FLAGS",
    "NOOP",
)
SEARCHES = (  # tag, UID, what is sought, and how to ask for the same later on
    ("s1", "", "FLAGGED", "FLAGGED"),
    ("s2", "UID ", "UNSEEN NOT 2", "UNSEEN NOT UID 2"),
    ("s3", "", "OR UID 4:* FLAGGED", "OR UID 4:4294967295 FLAGGED"),
)


def selecting(storage) -> Account:
    account = Account(storage, FolderMaps(storage), "bob", SystemClock(), 1_000)
    say(account, "s", "SELECT INBOX")
    return account


def say(account: Account, tag: str, text: str) -> list[str]:
    reader = CommandReader()
    reader.feed(f"{tag} {text}\r\n".encode())
    return b"".join(carry_out(account, reader.next_event())).decode().splitlines()


class Copy:
    """What a client that believes its server knows: its messages, and the result of each search."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.uids: list[int] = list(account.view.uids)
        self.results: dict[str, set[int]] = {}

    def begin(self, tag: str, uid: str, key: str) -> None:
        self.results[tag] = self.searched(tag, uid, f"RETURN (UPDATE ALL) {key}")

    def searched(self, tag: str, uid: str, key: str) -> set[int]:
        said = say(self.account, tag, f"{uid}SEARCH {key}")
        assert said[-1].startswith(f"{tag} OK"), said
        shown = re.search(r" ALL ([0-9:,]+)", said[0])
        return self._uids(shown[1], is_uid=bool(uid)) if shown else set()

    def hear(self, lines: list[str]) -> None:
        for match in filter(None, map(NEWS.match, lines)):
            number, what, tag, uid, changes = match.groups()
            if what == "EXPUNGE":
                del self.uids[int(number) - 1]
            elif what == "EXISTS":
                self.uids += self.account.view.uids[len(self.uids) :]  # EXPUNGE never follows EXISTS at once
                assert len(self.uids) == int(number)
            else:
                self._apply(tag, changes, is_uid=bool(uid))

    def _apply(self, tag: str, changes: str, *, is_uid: bool) -> None:
        for item, shown in CHANGE.findall(changes):
            told = self._uids(shown, is_uid=is_uid)
            if item == "ADDTO":
                assert not told & self.results[tag]
                self.results[tag] |= told
            else:
                assert told <= self.results[tag]
                self.results[tag] -= told

    def _uids(self, shown: str, *, is_uid: bool) -> set[int]:
        spans = parse_set(shown.encode(), 1_000).spans(LARGEST)
        numbers = [number for low, high in spans for number in range(low, high + 1)]
        return set(numbers) if is_uid else {self.uids[number - 1] for number in numbers}


@pytest.fixture
def inbox(sql_storage):
    """A storage where Bob has eight messages."""
    sql_storage.create_mailbox("bob")
    folder = sql_storage.find_folder("bob", "INBOX")
    sql_storage.append(folder.id, [(Content(b"x: y\r\n\r\n", 8), frozenset(), None)] * 8).result()
    return sql_storage


@pytest.mark.parametrize("seed", range(6))
def test_a_copy_that_is_kept_up_to_date_is_the_result(inbox, seed):
    ours, other = selecting(inbox), selecting(inbox)
    copy = Copy(ours)
    for tag, uid, key, _later in SEARCHES:
        copy.begin(tag, uid, key)
    chance = random.Random(seed)
    for step in range(60):
        account = chance.choice((ours, other))
        number = chance.randint(1, max(1, len(account.view.uids)))
        said = say(account, f"c{step}", chance.choice(STEPS).format(number))
        copy.hear(said if account is ours else [])
    copy.hear(say(ours, "n", "NOOP"))
    assert copy.uids == list(inbox.uids(ours.view.folder_id))
    for tag, uid, _key, later in SEARCHES:
        assert copy.results[tag] == copy.searched("later", uid, f"RETURN (ALL) {later}"), tag


def test_so_many_and_no_more(inbox):
    account = selecting(inbox)
    for count in range(UPDATES):
        assert len(say(account, f"u{count}", "SEARCH RETURN (UPDATE COUNT) SEEN")) == 2
    refused = say(account, "more", "SEARCH RETURN (UPDATE COUNT) SEEN")
    assert refused[0].startswith('* NO [NOUPDATE "more"]')
    assert refused[1] == '* ESEARCH (TAG "more") COUNT 0'
    say(account, "c", 'CANCELUPDATE "u0" "u1"')
    assert len(say(account, "again", "SEARCH RETURN (UPDATE COUNT) SEEN")) == 2


LAST = keys.Uids(parse_set(b"9", 1))


@pytest.mark.parametrize(
    ("key", "lasting"),
    [
        (keys.All(), keys.All()),
        (keys.Numbers(parse_set(b"2:3,7", 9)), keys.Uids(parse_set(b"6:7", 9))),  # there are four messages
        (keys.Numbers(parse_set(b"*", 9)), LAST),
        (keys.Uids(parse_set(b"*", 9)), LAST),
        (keys.Uids(parse_set(b"$", 9)), keys.Uids(parse_set(b"5", 9))),
        (keys.Uids(parse_set(b"3,7:*", 9)), keys.Uids(parse_set(b"3,7:4294967295", 9))),
        (keys.Uids(parse_set(b"*:90", 9)), keys.Uids(parse_set(b"9:4294967295", 9))),
        (keys.Younger(60), None),
        (keys.Not(keys.Older(60)), None),
        (keys.Or(keys.All(), keys.Older(60)), None),
        (keys.And((keys.All(), keys.Not(keys.Uids(parse_set(b"*", 9))))), keys.And((keys.All(), keys.Not(LAST)))),
    ],
)
def test_numbers_are_read_as_they_are_now(key, lasting):
    view = View(1, False, packed([5, 6, 7, 9]), 10, 1, saved=packed([5]))
    assert find_lasting(key, view) == lasting


def test_a_search_that_takes_too_long_is_no_longer_followed_and_the_others_are():
    def too_long(uids):
        raise SearchTooLong

    view = SimpleNamespace(updates=(), find_number=lambda uid: uid, numbers_of=lambda uids: uids)
    slow, quick = Update(b"s", True, packed(), too_long), Update(b"q", True, packed(), lambda uids: uids)
    view.updates = (slow, quick)
    told = list(tell_changed(cast(View, view), [7]))
    assert told[0].startswith(b'* NO [NOUPDATE "s"]')
    assert b"ADDTO (0 7)" in told[1]
    assert view.updates == (quick,)
