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
from mailsite_ext.protocol.sequence_sets import parse_set
from mailsite_ext.storage.values import Content

NEWS = re.compile(r"\* (?:(\d+) (EXPUNGE|EXISTS)|ESEARCH \(TAG \"(\w+)\"\)( UID)? (.*(?:ADDTO|REMOVEFROM).*))")
CHANGE = re.compile(r"(ADDTO|REMOVEFROM) \(([0-9:, ]+)\)")
RUN = re.compile(r"(\d+) ([0-9:,]+)")
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
SEARCHES = (  # tag, command, what is sought, and how to ask for the same later on
    ("s1", "SEARCH", "FLAGGED", "FLAGGED"),
    ("s2", "UID SEARCH", "UNSEEN NOT 2", "UNSEEN NOT UID 2"),
    ("s3", "SEARCH", "OR UID 4:* FLAGGED", "OR UID 4:4294967295 FLAGGED"),
    ("s4", "SORT", "(SIZE) UTF-8 FLAGGED", "(SIZE) UTF-8 FLAGGED"),
    ("s5", "UID SORT", "(REVERSE SIZE ARRIVAL) UTF-8 UNSEEN", "(REVERSE SIZE ARRIVAL) UTF-8 UNSEEN"),
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
        self.results: dict[str, list[int]] = {}

    def begin(self, tag: str, command: str, key: str) -> None:
        self.results[tag] = self.searched(tag, command, f"RETURN (UPDATE ALL) {key}")

    def searched(self, tag: str, command: str, key: str) -> list[int]:
        said = say(self.account, tag, f"{command} {key}")
        assert said[-1].startswith(f"{tag} OK"), said
        shown = re.search(r" ALL ([0-9:,]+)", said[0])
        return self._uids(shown[1], is_uid=command.startswith("UID")) if shown else []

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
        for item, runs in CHANGE.findall(changes):
            for place, shown in RUN.findall(runs):
                change = self._add if item == "ADDTO" else self._remove
                change(self.results[tag], int(place), self._uids(shown, is_uid=is_uid))

    def _add(self, result: list[int], place: int, told: list[int]) -> None:
        assert not set(told) & set(result)
        assert 0 <= place <= len(result) + 1
        result[max(0, place - 1) : max(0, place - 1)] = told
        if not place:
            result.sort()

    def _remove(self, result: list[int], place: int, told: list[int]) -> None:
        assert set(told) <= set(result)
        assert not place or result[place - 1 : place - 1 + len(told)] == told
        result[:] = [uid for uid in result if uid not in told]

    def _uids(self, shown: str, *, is_uid: bool) -> list[int]:
        """In the order in which they are told."""
        ends = [[int(end) for end in span.split(":")] for span in shown.split(",")]
        numbers = [number for span in ends for number in range(span[0], span[-1] + 1)]
        return numbers if is_uid else [self.uids[number - 1] for number in numbers]


@pytest.fixture
def inbox(sql_storage):
    """A storage where Bob has eight messages, some of one size."""
    sql_storage.create_mailbox("bob")
    folder = sql_storage.find_folder("bob", "INBOX")
    letters = [Content(b"x: y\r\n\r\n" + b"z" * (7 * number % 5), 8 + 7 * number % 5) for number in range(8)]
    sql_storage.append(folder.id, [(letter, frozenset(), None) for letter in letters]).result()
    return sql_storage


@pytest.mark.parametrize("seed", range(6))
def test_a_copy_that_is_kept_up_to_date_is_the_result(inbox, seed):
    ours, other = selecting(inbox), selecting(inbox)
    copy = Copy(ours)
    for tag, command, key, _later in SEARCHES:
        copy.begin(tag, command, key)
    chance = random.Random(seed)
    for step in range(60):
        account = chance.choice((ours, other))
        number = chance.randint(1, max(1, len(account.view.uids)))
        said = say(account, f"c{step}", chance.choice(STEPS).format(number))
        copy.hear(said if account is ours else [])
    copy.hear(say(ours, "n", "NOOP"))
    assert copy.uids == list(inbox.uids(ours.view.folder_id))
    for tag, command, _key, later in SEARCHES:
        assert copy.results[tag] == copy.searched("later", command, f"RETURN (ALL) {later}"), tag


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
