"""What the text index may take: mail of strangers fills no disk through it, and SEARCH finds as much without it."""

from __future__ import annotations

import sqlite3

import pytest

from mailsite_ext.protocol import indexed_text
from mailsite_ext.protocol import search_keys as keys
from mailsite_ext.storage import text_index, text_indexing
from tests.mailsite.storage.engines import add, inbox_of, mail
from tests.mailsite.storage.test_text_index import append, assert_like_a_scan, documents, indexed, known_to

ASKED = [keys.Text("letter 1"), keys.Header("subject", "9"), keys.Not(keys.Body("words"))]


@pytest.fixture
def of_three(monkeypatch):
    """Three messages a batch."""
    monkeypatch.setattr(text_indexing, "BATCH_MESSAGES", 3)


def no_index_beyond(monkeypatch, octets: int) -> None:
    monkeypatch.setattr(text_indexing, "FIRST_OCTETS", octets)
    monkeypatch.setattr(text_indexing, "OCTETS_PER_OCTET", 0)


def test_a_disk_that_is_nearly_full_is_left_to_mail(embedded_place):
    storage = embedded_place.opened[0]
    inbox = inbox_of(storage)
    add(storage, inbox, *[f"letter {number}" for number in range(12)])
    storage.text.least_free_octets = 2**62
    assert indexed(storage, inbox.id) == 0
    assert known_to(storage, inbox.id) == 0
    assert_like_a_scan(storage, inbox.id, ASKED)
    storage.text.least_free_octets = 0  # there is room again
    assert indexed(storage, inbox.id) == 12


def test_an_index_that_is_full_grows_no_more_and_is_still_right(embedded_place, monkeypatch, of_three):
    storage = embedded_place.opened[0]
    inbox = inbox_of(storage)
    append(storage, inbox.id, [(mail(f"letter {number}", "words " * 200), ()) for number in range(12)])
    assert indexed(storage, inbox.id) == 12
    no_index_beyond(monkeypatch, storage.text.ask("alice", lambda index: index.octets()))
    add(storage, inbox, "letter 19")
    assert indexed(storage, inbox.id) == 0
    assert known_to(storage, inbox.id) == 12
    assert_like_a_scan(storage, inbox.id, ASKED)


def test_a_full_index_forgets_what_was_expunged_and_has_room_again(embedded_place, monkeypatch):
    storage = embedded_place.opened[0]
    inbox = inbox_of(storage)
    texts = [" ".join(f"{number}-{word:x}" for word in range(4_000)) for number in range(12)]
    append(storage, inbox.id, [(mail(f"letter {number}", text), ()) for number, text in enumerate(texts)])
    indexed(storage, inbox.id)
    full = storage.text.ask("alice", lambda index: index.octets())
    no_index_beyond(monkeypatch, full)
    add(storage, inbox, "letter 99")
    storage.expunge(inbox.id, list(range(1, 12)), only_deleted=False)
    assert indexed(storage, inbox.id) == 1  # that of `letter 99`, after room was made
    assert documents(storage) == 2
    assert_like_a_scan(storage, inbox.id, ASKED)


def test_the_room_is_measured_by_the_mailbox(embedded_place, monkeypatch, of_three):
    storage = embedded_place.opened[0]
    inbox = inbox_of(storage)
    monkeypatch.setattr(text_indexing, "FIRST_OCTETS", 0)
    append(storage, inbox.id, [(mail(f"letter {number}"), ()) for number in range(6)])
    assert indexed(storage, inbox.id) == 0  # not even the empty tables fit
    append(storage, inbox.id, [(mail("an attachment", "A" * 200_000), ())])
    assert indexed(storage, inbox.id) == 7


def test_long_headers_are_looked_through_each_time(embedded_place, monkeypatch):
    """A message of messages: is_indexable knows their texts, not their headers."""
    storage = embedded_place.opened[0]
    inbox = inbox_of(storage)
    monkeypatch.setattr(indexed_text, "MOST_OCTETS", 4_000)
    fields = "".join(f"X-Field-{number}: letter 1\r\n" for number in range(300))
    append(storage, inbox.id, [(fields.encode() + mail("letter 9"), ()), (mail("letter 1"), ())])
    assert indexed(storage, inbox.id) == 2
    assert documents(storage) == 1
    assert_like_a_scan(storage, inbox.id, ASKED)


def test_the_log_of_an_index_is_cut_once_it_was_copied(embedded_place, monkeypatch):
    storage = embedded_place.opened[0]
    inbox = inbox_of(storage)
    monkeypatch.setattr(text_index, "WAL_OCTETS", 8_192)
    texts = [" ".join(f"{number}-{word:x}" for word in range(9_000)) for number in range(20)]
    append(storage, inbox.id, [(mail(f"letter {number}", text), ()) for number, text in enumerate(texts)])
    indexed(storage, inbox.id)
    (path,) = storage.text._root.rglob("*.sqlite")
    log = path.with_name(f"{path.name}-wal")
    assert log.stat().st_size > 1_000_000
    with sqlite3.connect(path) as link:
        link.execute("PRAGMA wal_checkpoint")  # what SQLite does by itself once it is long
    add(storage, inbox, "one more")
    indexed(storage, inbox.id)
    assert log.stat().st_size < 500_000
