"""What the text index answers is what a look at every message would (RFC 9051 §6.4.4), whatever happened to it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.bus.unix import UnixBus
from app.clock import SystemClock
from mailsite_ext.imap import searching, sorting
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.folder_maps import FolderMaps
from mailsite_ext.imap.view import View, packed
from mailsite_ext.protocol import search_keys as keys
from mailsite_ext.protocol.imap_commands import Criterion, SortKey
from mailsite_ext.protocol.imap_sort import PLACES, sorted_uids
from mailsite_ext.protocol.imap_thread import Threadable
from mailsite_ext.storage import text_indexing
from mailsite_ext.storage.bells import FolderBells
from mailsite_ext.storage.text_index import TextIndex
from mailsite_ext.storage.text_indexer import TextIndexer
from mailsite_ext.storage.text_indexing import index_all, index_folder
from mailsite_ext.storage.values import Heading
from tests.mailsite.storage import letters
from tests.mailsite.storage.engines import NOON, Place, add, content, inbox_of, mail

LETTERS = st.lists(st.tuples(letters.letters, letters.FLAGS), min_size=1, max_size=5)
ASKED = st.lists(letters.trees, min_size=3, max_size=8)
CRITERIA = st.lists(st.builds(Criterion, st.sampled_from(SortKey), st.booleans()), min_size=1, max_size=2)
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def account_of(storage, folder_id: int) -> Account:
    folder = storage.get_folder(folder_id)
    account = Account(storage, FolderMaps(storage), "alice", SystemClock(), 10_000_000)
    account.view = View(folder_id, False, storage.uids(folder_id), folder.uidnext, folder.highestmodseq)
    return account


def looked_for(account: Account, key: keys.Key) -> list[int]:
    """Every message read."""
    context = searching._context(account, account.view, packed())
    return list(searching._looked_at(account, account.view, key, context, set(account.view.uids)))


def found(account: Account, key: keys.Key) -> list[int]:
    return [uid for uid, _modseq in searching.find(account, account.view, key)]


def assert_like_a_scan(storage, folder_id: int, asked: Iterable[keys.Key], criteria: Sequence[Criterion] = ()) -> None:
    account = account_of(storage, folder_id)
    for key in asked:
        assert found(account, key) == looked_for(account, key), key
    if criteria:
        assert sorted_with_index(account, criteria) == sorted_by_rows(account, criteria)
        uids = list(account.view.uids)
        read = list(sorting._read_threadable(account, account.view, uids))
        assert sorting._threadable(account, account.view, uids, is_uid=True) == [Threadable(*row) for row in read]


def sorted_with_index(account: Account, criteria: Sequence[Criterion]) -> list[int]:
    return sorted_uids(criteria, sorting._sortable(account, account.view, criteria, list(account.view.uids)))


def sorted_by_rows(account: Account, criteria: Sequence[Criterion]) -> list[int]:
    places = [PLACES[criterion.key] for criterion in criteria]
    return sorted_uids(criteria, list(sorting._read_keys(account, account.view, places, account.view.uids)))


def append(storage, folder_id: int, some) -> list[int]:
    stored = storage.append(folder_id, [(content(octets), frozenset(flags), NOON) for octets, flags in some])
    return [one.uid for one in stored.result(30)]


def indexed(storage, *folder_ids: int) -> int:
    return sum(sum(index_folder(storage, storage.text, folder_id)) for folder_id in folder_ids)


def known_to(storage, folder_id: int) -> int:
    folder = storage.get_folder(folder_id)
    return int(storage.text.ask(folder.mailbox, lambda index: index.known_to(folder)) or 0)


@given(first=LETTERS, later=LETTERS, asked=ASKED, criteria=CRITERIA)
@QUIET
def test_like_a_scan(place, first, later, asked, criteria):
    storage = place.opened[0]
    names = len(storage.folders("alice"))
    one, other = (storage.create_folder("alice", f"{names}-{name}").id for name in ("one", "other"))
    uids = append(storage, one, first)
    assert indexed(storage, one) == len(first)
    append(storage, one, later)
    assert known_to(storage, one) == len(first)
    assert_like_a_scan(storage, one, asked, criteria)
    storage.copy(one, uids, other)
    storage.move(one, uids[:1], other)
    storage.expunge(one, uids[1:2], only_deleted=False)
    assert_like_a_scan(storage, one, asked, criteria)
    assert indexed(storage, one, other) >= len(later)
    for folder_id in (one, other):
        assert known_to(storage, folder_id) == storage.get_folder(folder_id).uidnext - 1
        assert_like_a_scan(storage, folder_id, asked, criteria)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [keys.Text, keys.Body, lambda text: keys.Header("subject", text)])
def test_every_piece_is_found(embedded_place, length, kind):
    storage, text = embedded_place.opened[0], 'Straße 日本語 "aab'
    inbox = inbox_of(storage)
    add(storage, inbox, "nothing", text)
    append(storage, inbox.id, [(mail("x", text), ())])
    indexed(storage, inbox.id)
    pieces = {text[at : at + length] for at in range(len(text) - length + 1)}
    assert_like_a_scan(storage, inbox.id, [kind(piece) for piece in sorted(pieces)])


def never_opened(storage, monkeypatch) -> None:
    def opened(*_message: object) -> None:
        raise AssertionError("a message was opened")

    monkeypatch.setattr(storage, "open_message", opened)


@pytest.mark.parametrize(
    "key",
    [
        keys.Header("subject", "let"), keys.Header("subject", "E"), keys.Header("message-id", ""), keys.Text("ALICE"),
        keys.Body("ext"), keys.Not(keys.Text("z")), keys.Dated(keys.Day.SENT, keys.Relation.ON, NOON.date()),
        keys.And((keys.HasFlag("\\Seen"), keys.Text("letter"))),
    ],
)  # fmt: skip
def test_what_is_indexed_is_not_opened(place, monkeypatch, key):
    storage = place.opened[0]
    inbox = inbox_of(storage)
    add(storage, inbox, "A letter", "Another", "Letters")
    indexed(storage, inbox.id)
    account = account_of(storage, inbox.id)
    expected = looked_for(account, key)
    never_opened(storage, monkeypatch)
    assert found(account, key) == expected
    assert len(list(sorting._threadable(account, account.view, list(account.view.uids), is_uid=False))) == 3


def test_a_copy_shares_its_text_and_the_last_one_takes_it_away(place):
    storage = place.opened[0]
    inbox, sent = inbox_of(storage), storage.find_folder("alice", "Sent")
    uids = add(storage, inbox, "shared", "alone")
    storage.copy(inbox.id, uids[:1], sent.id)
    indexed(storage, inbox.id, sent.id)
    assert documents(storage) == 2
    storage.expunge(inbox.id, only_deleted=False)
    indexed(storage, inbox.id)
    assert documents(storage) == 1
    storage.delete_folder(sent.id)
    list(index_all(storage, storage.text))
    assert documents(storage) == 0
    storage.text.ask("alice", lambda index: index._run("INSERT INTO words (words) VALUES ('integrity-check')"))


def documents(storage) -> int:
    return int(storage.text.ask("alice", lambda index: index._run("SELECT count(*) FROM document").fetchone()[0]))


def test_another_mailbox_has_another_index(place):
    storage = place.opened[0]
    for mailbox in ("alice", "bob"):
        add(storage, inbox_of(storage, mailbox), f"of {mailbox}")
    list(index_all(storage, storage.text))
    account = account_of(storage, inbox_of(storage, "bob").id)
    assert found(account, keys.Text("of alice")) == []
    storage.remove_mailbox("bob")
    assert storage.text.ask("bob", lambda index: index.folders()) is None
    assert storage.text.ask("alice", lambda index: index.folders())


def index_files(storage) -> list:
    return list(storage.text._root.rglob("*.sqlite"))


def overwritten(storage) -> None:
    for path in index_files(storage):
        path.write_bytes(b"no database at all" * 500)


def cut_short(storage) -> None:
    for path in index_files(storage):
        with sqlite3.connect(path) as link:
            link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        os.truncate(path, 8_192)


def emptied(storage) -> None:
    for path in index_files(storage):
        os.truncate(path, 0)


def without_words(storage) -> None:
    for path in index_files(storage):
        with sqlite3.connect(path) as link:
            link.execute("DROP TABLE words")


def gone(storage) -> None:
    shutil.rmtree(storage.text._root)


@pytest.mark.parametrize("damage", [overwritten, cut_short, emptied, without_words, gone])
def test_a_damaged_index_is_made_anew(embedded_place, damage):
    storage = embedded_place.opened[0]
    inbox = inbox_of(storage)
    append(storage, inbox.id, [(mail(f"letter {number}", "words " * 200), ()) for number in range(20)])
    indexed(storage, inbox.id)
    storage.text.close()  # nobody has it open
    damage(storage)
    storage = embedded_place.open()
    asked = [keys.Text("letter 1"), keys.Header("subject", "9"), keys.Body("words")]
    assert_like_a_scan(storage, inbox.id, asked)
    with storage.text.turn():
        for _again in range(2):  # one that can only be written to shows its damage when it is
            indexed(storage, inbox.id)
    assert known_to(storage, inbox.id) == 20
    assert_like_a_scan(storage, inbox.id, asked)


def test_a_storage_put_back_from_a_copy_is_indexed_again(embedded_place):
    storage = embedded_place.opened[0]
    inbox = inbox_of(storage)
    add(storage, inbox, "old", "newer")
    indexed(storage, inbox.id)
    folder = storage.get_folder(inbox.id)
    storage.text.change("alice", lambda index: index.set_progress(folder, 99, 99))
    assert_like_a_scan(storage, inbox.id, [keys.Text("newer")])
    assert indexed(storage, inbox.id) == 2
    assert known_to(storage, inbox.id) == 2


def test_a_long_text_is_looked_through_each_time(embedded_place, monkeypatch):
    storage = embedded_place.opened[0]
    inbox = inbox_of(storage)
    append(storage, inbox.id, [(mail("short"), ()), (mail("long", "much text " * 110_000), ())])
    assert indexed(storage, inbox.id) == 2
    assert_like_a_scan(storage, inbox.id, [keys.Text("much"), keys.Not(keys.Body("much")), keys.Header("subject", "o")])


def test_a_message_missing_in_the_index_is_noticed(embedded_place):
    storage = embedded_place.opened[0]
    inbox = inbox_of(storage)
    add(storage, inbox, "one", "two", "three")
    indexed(storage, inbox.id)
    storage.text.change("alice", lambda index: index.forget(inbox.id, [2]))
    folder = storage.get_folder(inbox.id)
    storage.text.change("alice", lambda index: index.set_progress(folder, 3, 2))
    assert indexed(storage, inbox.id) == 2  # from the missing one on
    assert_like_a_scan(storage, inbox.id, [keys.Text("two")])


# Processes
def index_and_die(place: Place, folder_id: int, batches: int) -> None:
    storage: Any = place.open()
    text_indexing.BATCH_MESSAGES = 5
    enter, left = TextIndex.enter, [batches]

    def dying(self, *arguments) -> None:
        enter(self, *arguments)
        left[0] -= 1
        if not left[0]:
            os._exit(9)

    setattr(TextIndex, "enter", dying)  # noqa: B010
    with storage.text.turn(waits=True):
        indexed(storage, folder_id)
    place.close()


@pytest.mark.parametrize("batches", [1, 3])
def test_a_process_that_is_killed_leaves_what_it_had_finished(place, batches):
    storage = place.opened[0]
    inbox = inbox_of(storage)
    add(storage, inbox, *[f"letter {number}" for number in range(20)])
    elsewhere = Place(place.kind, place.folder, place.url, SystemClock())
    worker = multiprocessing.get_context("spawn").Process(target=index_and_die, args=(elsewhere, inbox.id, batches))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 9
    assert known_to(storage, inbox.id) == 5 * (batches - 1)
    asked = [keys.Text("letter 1"), keys.Header("subject", "7")]
    assert_like_a_scan(storage, inbox.id, asked)
    with storage.text.turn() as is_ours:
        assert is_ours
        assert indexed(storage, inbox.id) == 20 - 5 * (batches - 1)
    assert_like_a_scan(storage, inbox.id, asked)


def index_much(place: Place, folder_id: int) -> None:
    storage: Any = place.open()
    text_indexing.BATCH_MESSAGES = 3
    with storage.text.turn(waits=True):
        indexed(storage, folder_id)
    place.close()


def test_who_searches_while_others_index_finds_all(place):
    storage = place.opened[0]
    inbox = inbox_of(storage)
    add(storage, inbox, *[f"letter {number}" for number in range(60)])
    elsewhere = Place(place.kind, place.folder, place.url, SystemClock())
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=index_much, args=(elsewhere, inbox.id)) for _ in range(2)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        assert_like_a_scan(storage, inbox.id, [keys.Text("letter 5"), keys.Header("subject", "r 4")])
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert known_to(storage, inbox.id) == 60


def test_only_one_has_the_turn(embedded_place):
    one, other = embedded_place.opened[0], embedded_place.open()
    with one.text.turn() as first, other.text.turn() as second:
        assert (first, second) == (True, False)
    with other.text.turn() as again:
        assert again


def wait_until(holds: Callable[[], bool], deadline_s: float = 30.0) -> None:
    ends = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_the_indexer_follows_the_bells(embedded_place, tmp_path):
    bus = UnixBus(tmp_path / "bus")
    storage = embedded_place.open(bus=bus)
    inbox = inbox_of(storage)
    add(storage, inbox, "before")
    bells = FolderBells(bus)
    indexer = TextIndexer(storage, storage.text, bells)
    try:
        wait_until(lambda: known_to(storage, inbox.id) == 1)
        add(storage, inbox, "after")
        wait_until(lambda: known_to(storage, inbox.id) == 2)
    finally:
        indexer.close()
        bells.close()
    assert storage.headings(inbox.id, [Heading.SUBJECT]) == [(1, "before"), (2, "after")]
