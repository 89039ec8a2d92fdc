"""SqlMailStorage: attachments once, bytes exact, garbage only when nobody points at it (O2)."""

from __future__ import annotations

import os
import threading

import pytest

from mailsite_ext.errors import MailboxFull, StorageDamaged
from mailsite_ext.storage.blobs import SHARED_OCTETS, Span, spans_of
from mailsite_ext.storage.catalogue_sql import linked
from mailsite_ext.storage.facts import read_facts
from mailsite_ext.storage.values import Column, Content
from tests.mailsite.storage.engines import NOON, add, content, deliver, inbox_of, mail, read

DAY_S = 24 * 3600
ATTACHMENT = "0123456789abcdefghijklmnopqrstuvwxyz\r\n" * 1_000


@pytest.fixture
def storage(place):
    return place.open(grace_s=DAY_S)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request, tmp_path, clock):
    from tests.mailsite.storage.conftest import make_place

    yield from make_place(request, request.param, tmp_path, clock)


def with_attachment(subject: str, attachment: str = ATTACHMENT) -> bytes:
    head = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    parts = f"--b\r\n\r\n{subject}\r\n--b\r\nContent-Type: application/pdf\r\n\r\n{attachment}\r\n--b--\r\n"
    return head + mail(subject, parts)


def blobs(storage):
    return {path.name: path.stat().st_size for path in storage.blobs.root.glob("?/*")}


def test_a_connection_that_was_given_back_is_used_no_more(storage):
    """Its cursor would reset statements under the next one's hands."""
    with linked(storage.engine) as link:
        assert link.row("SELECT 1") == (1,)
    with pytest.raises(Exception, match="closed"):
        link.row("SELECT 1")


def test_one_attachment_in_different_messages_is_stored_once(storage):
    for n, who in enumerate(["alice", "bob", "alice"]):
        deliver(storage, with_attachment(f"message {n}"), who)
    assert sum(size == len(ATTACHMENT) for size in blobs(storage).values()) == 1
    assert sum(blobs(storage).values()) < 2 * len(ATTACHMENT)
    for n, (who, uid) in enumerate([("alice", 1), ("bob", 1), ("alice", 2)]):
        assert read(storage, inbox_of(storage, who).id, uid) == with_attachment(f"message {n}")


def test_one_message_for_many_is_stored_once(storage):
    deliver(storage, mail("to all"), "alice", "bob")
    add(storage, inbox_of(storage), "to all")
    assert list(blobs(storage).values()) == [len(mail("to all"))]


@pytest.mark.corpora
def test_every_message_of_the_corpora_comes_back(storage, corpora):
    inbox = inbox_of(storage)
    files = sorted(path for path in (corpora / "messages").rglob("*") if path.is_file())
    data = [path.read_bytes() for path in files]
    for at in range(0, len(data), 100):
        storage.append(inbox.id, [(content(one), frozenset(), NOON) for one in data[at : at + 100]]).result(60)
    assert len(data) > 100
    for uid, one in enumerate(data, 1):
        assert read(storage, inbox.id, uid) == one


def test_a_spool_file_with_an_attachment(storage, tmp_path):
    data = with_attachment("from a file")
    (tmp_path / "spool").write_bytes(data)
    message = (Content(tmp_path / "spool", len(data), b"Delivered-To: alice\r\n"), frozenset(), NOON)
    storage.append(inbox_of(storage).id, [message]).result(30)
    assert read(storage, inbox_of(storage).id, 1) == b"Delivered-To: alice\r\n" + data


# Garbage
def test_bytes_go_after_their_grace_time_and_only_those_nobody_points_at(storage, clock):
    inbox = inbox_of(storage)
    deliver(storage, with_attachment("one"), "alice")
    deliver(storage, with_attachment("two"), "alice", "bob")
    before = blobs(storage)
    storage.expunge(inbox.id, only_deleted=False)
    clock.advance(DAY_S - 1)
    assert (storage.collect_garbage(), blobs(storage)) == (0, before)
    clock.advance(1)
    assert storage.collect_garbage() == 1  # what "one" had for itself; the attachment is Bob's too
    assert read(storage, inbox_of(storage, "bob").id, 1) == with_attachment("two")
    storage.expunge(inbox_of(storage, "bob").id, only_deleted=False)
    clock.advance(DAY_S)
    assert (storage.collect_garbage(), blobs(storage)) == (2, {})
    assert storage.collect_garbage() == 0
    deliver(storage, with_attachment("two"), "bob")  # and may come again
    assert read(storage, inbox_of(storage, "bob").id, 2) == with_attachment("two")


def test_what_was_copied_or_moved_meanwhile_stays(storage, clock):
    inbox, sent = inbox_of(storage), storage.find_folder("alice", "Sent")
    for subject in ("copied", "moved", "whole\r\n"):
        deliver(storage, with_attachment(subject), "alice")
    storage.copy(inbox.id, [1], sent.id)
    storage.move(inbox.id, [2], sent.id)
    storage.expunge(inbox.id, only_deleted=False)
    storage.delete_folder(storage.create_folder("alice", "x").id)
    clock.advance(2 * DAY_S)
    storage.collect_garbage()
    assert [read(storage, sent.id, uid) for uid in (1, 2)] == [with_attachment("copied"), with_attachment("moved")]
    assert list(storage.verify()) == []


def test_a_delivery_and_the_garbage_collection_at_once(storage, clock):
    """The same bytes come again in the moment in which they would go."""
    inbox = inbox_of(storage)
    add(storage, inbox, "again")
    storage.expunge(inbox.id, only_deleted=False)
    clock.advance(2 * DAY_S)
    collecting = threading.Thread(target=storage.collect_garbage)
    write = storage.write

    def write_late():
        if not collecting.is_alive() and not collecting.ident:
            collecting.start()  # between the put and its commit: it has to wait
        return write()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "write", write_late)
        add(storage, inbox, "again")
        collecting.join(30)
    assert not collecting.is_alive()
    assert read(storage, inbox.id, 2) == mail("again")


def test_refused_bytes_go(storage, clock):
    storage.set_quota("alice", 10)
    with pytest.raises(MailboxFull):
        deliver(storage, with_attachment("refused"), "alice")
    assert len(blobs(storage)) == 2
    clock.advance(DAY_S)
    assert (storage.collect_garbage(), blobs(storage)) == (2, {})


# Verify
def test_damage_is_found_and_never_handed_out_as_mail(storage):
    inbox = inbox_of(storage)
    for subject in ("gone", "cut", "other"):
        add(storage, inbox, subject)
    gone, cut, _other = (location for (location,) in _locations(storage))
    storage.blobs.path(gone).unlink()
    os.truncate(storage.blobs.path(cut), 5)
    found = {(finding.kind, finding.where) for finding in storage.verify()}
    assert found == {("blob missing", gone), ("blob damaged", cut)}
    for uid in (1, 2):
        with pytest.raises(StorageDamaged):
            read(storage, inbox.id, uid)
    add(storage, inbox, "gone", "cut")  # they come again: all of their copies are whole
    assert [read(storage, inbox.id, uid) for uid in (1, 2)] == [mail("gone"), mail("cut")]


def _locations(storage):
    with storage.read() as link:
        return link.rows("SELECT location FROM mailsite_message ORDER BY id")


def test_strays_go_where_fixing(storage, clock):
    add(storage, inbox_of(storage), "kept")
    stray = storage.blobs.path("ab" * 32)
    stray.write_bytes(b"x")
    os.utime(stray, (0, clock.now().timestamp() - DAY_S))
    assert [(one.kind, one.mended) for one in storage.verify()] == [("blob of no message", False)]
    assert [(one.kind, one.mended) for one in storage.verify(fix=True)] == [("blob of no message", True)]
    assert list(storage.verify()) == []
    assert read(storage, inbox_of(storage).id, 1) == mail("kept")


@pytest.mark.parametrize(
    ("table", "change", "kinds"),
    [
        ("folder", "messages = 7, octets = 1", {"messages counted wrong", "octets counted wrong"}),
        ("folder", "unseen = 9", {"unseen counted wrong"}),
        ("folder", "deleted = 9", {"deleted counted wrong"}),
        ("folder", "uidnext = 1", {"UIDNEXT too low"}),
        ("folder", "highestmodseq = 1", {"HIGHESTMODSEQ too low"}),
        ("mailbox", "octets = 12", {"quota counted wrong"}),
    ],
)
def test_wrong_counters_are_put_right(storage, table, change, kinds):
    inbox = inbox_of(storage)
    add(storage, inbox, "one", "two", flags="\\Deleted")
    expected = storage.get_folder(inbox.id)
    with storage.write() as step:
        where = "name = 'alice'" if table == "mailbox" else f"id = {inbox.id}"
        step.link.run(f"UPDATE mailsite_{table} SET {change} WHERE {where}")
    assert kinds <= {one.kind for one in storage.verify()}
    assert kinds <= {one.kind for one in storage.verify(fix=True) if one.mended}
    assert list(storage.verify()) == []
    assert storage.get_folder(inbox.id) == expected


@pytest.mark.parametrize(
    ("lost", "kind"), [("flag", "a message without flags"), ("message", "flags without a message")]
)
def test_half_messages_are_put_right(storage, lost, kind):
    inbox = inbox_of(storage)
    add(storage, inbox, "one", "two", flags="\\Seen")
    with storage.write() as step:
        step.link.run(f"DELETE FROM mailsite_{lost} WHERE id = ?", [inbox.id << 32 | 1])
    assert kind in {one.kind for one in storage.verify(fix=True) if one.mended}
    assert list(storage.verify()) == []
    left = {"flag": [(1, ""), (2, "\\Seen")], "message": [(2, "\\Seen")]}[lost]
    assert list(storage.rows(inbox.id, (Column.UID, Column.FLAGS))) == left


# How a message is cut
def test_large_parts_are_cut_out():
    data = with_attachment("cut", "x" * SHARED_OCTETS)
    at = data.index(b"x" * 100)
    assert spans_of(read_facts(data).part_table, len(data)) == [
        Span(0, at, False),
        Span(at, at + SHARED_OCTETS, True),
        Span(at + SHARED_OCTETS, len(data), False),
    ]
    small = with_attachment("not cut", "x" * (SHARED_OCTETS - 1))
    assert spans_of(read_facts(small).part_table, len(small)) == [Span(0, len(small), False)]
    assert spans_of(read_facts(b"").part_table, 0) == []
