"""Drafts and their files in SQL, on both databases."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.compose import attachments, service
from app.compose.models import AttachmentChunk, Draft, DraftAttachment
from app.errors import BadInput, DraftConflict, NotFound
from tests.factories import make_account


@pytest.fixture
def values(account):
    return service.Values(account.identities[0].id, to="bob@example.org", subject="Proofs", text="Dear Bob")


@pytest.fixture
def save(db, alice, clock):
    def save(values, version=0, uuid=None, user=alice):
        return service.save(db, user.id, uuid or str(uuid4()), values, version=version, now=clock.now())

    return save


def test_versions_rise_and_an_old_one_never_overwrites(db, save, values, account):
    draft = save(values)
    draft = save(replace(values, text="second"), version=1, uuid=draft.uuid)
    for version in (0, 1, 3):
        with pytest.raises(DraftConflict):
            save(replace(values, text="third"), version=version, uuid=draft.uuid)
    stored = service.get_draft(db, draft.user_id, draft.uuid)
    assert (stored.version, stored.text, stored.account_id) == (2, "second", account.id)


def test_two_tabs_that_save_at_once_do_not_both_win(parts, db, alice, save, values, clock):
    """The second reads the version before the first has written it."""
    draft = save(values)
    with parts.public.session() as other:
        service.get_draft(other, alice.id, draft.uuid)
        save(replace(values, text="first"), version=1, uuid=draft.uuid)
        with pytest.raises(DraftConflict):
            service.save(other, alice.id, draft.uuid, replace(values, text="other"), version=1, now=clock.now())
    assert service.get_draft(db, alice.id, draft.uuid).text == "first"


def test_a_save_whose_answer_got_lost_can_be_repeated(save, values):
    uuid = str(uuid4())
    save(values, uuid=uuid)
    assert save(values, uuid=uuid).version == 1


@pytest.mark.parametrize("version", [0, 1])
def test_somebody_elses_draft_is_not_there(db, save, values, mallory, version):
    draft = save(values)
    with pytest.raises(NotFound):
        save(replace(values, text="mine"), version=version, uuid=draft.uuid, user=mallory)
    with pytest.raises(NotFound):
        service.get_draft(db, mallory.id, draft.uuid)


def test_what_no_database_stores_is_left_out(save, values):
    draft = save(replace(values, subject="a\0b", text="x\0\ud800y", to="z" * 100_000))
    assert (draft.subject, draft.text, len(draft.to)) == ("ab", "x?y", 65_536)


def test_filing_is_due_twenty_seconds_after_the_first_change(save, values, clock):
    draft = save(values)
    due = draft.file_after
    clock.advance(15)
    assert save(replace(values, text="more"), version=1, uuid=draft.uuid).file_after == due
    assert (due - draft.created_at).total_seconds() == 20


def test_a_draft_outlives_its_account(db, alice, save, values, account):
    draft = save(values)
    db.delete(db.get_one(type(account.identities[0]), values.identity_id))
    db.commit()
    kept = service.get_draft(db, alice.id, draft.uuid)
    assert (kept.identity_id, kept.text) == (None, "Dear Bob")


def attach(db, draft, clock, *chunks, room=1_000_000, **columns):
    return attachments.attach(db, draft, "a.bin", "x/y", chunks, room_octets=room, now=clock.now(), **columns)


def test_files_are_read_back_as_they_came(db, save, values, clock):
    draft = save(values)
    octets = bytes(range(256)) * 2_500
    row = attach(db, draft, clock, octets[:7], b"", octets[7:300_000], octets[300_000:])
    assert b"".join(attachments.chunks_of(db, row)) == octets
    assert (row.octets, row.complete) == (len(octets), True)
    assert db.scalars(select(AttachmentChunk.number)).all() == [0, 1, 2]
    assert [file.data for file in attachments.read_all(db, draft)] == [octets]


def test_a_file_that_does_not_fit_leaves_nothing(db, save, values, clock):
    draft = save(values)
    with pytest.raises(BadInput):
        attach(db, draft, clock, b"x" * 300_000, b"x", room=300_000)
    assert db.scalars(select(DraftAttachment)).all() == []
    assert db.scalars(select(AttachmentChunk)).all() == []


def test_an_upload_that_breaks_off_is_no_attachment(db, save, values, clock):
    draft = save(values)

    def breaks_off():
        yield b"x" * 300_000
        raise OSError

    with pytest.raises(OSError):
        attachments.attach(db, draft, "a", "x/y", breaks_off(), room_octets=10**6, now=clock.now())
    assert attachments.read_all(db, draft) == []


def test_room_leaves_space_for_base64(db, save, values, clock):
    draft = save(values)
    empty = attachments.room_octets(db, draft, 50)
    assert empty * 4 / 3 * 78 / 76 <= 50 * 1_048_576
    attach(db, draft, clock, b"x" * 1_000)
    assert attachments.room_octets(db, draft, 50) == empty - 1_000


def test_an_attachment_is_a_change_to_be_filed(db, save, values, clock):
    draft = save(values)
    service.call_filed(db, draft)
    attach(db, draft, clock, b"x")
    stored = service.get_draft(db, draft.user_id, draft.uuid)
    assert (stored.file_after is not None, stored.version) == (True, 1)


def test_discarding_takes_files_along(db, save, values, clock):
    draft = save(values)
    attach(db, draft, clock, b"x")
    service.discard(db, draft)
    assert [db.scalars(select(table)).all() for table in (Draft, DraftAttachment, AttachmentChunk)] == [[], [], []]


def test_identities_are_ones_own_in_the_order_of_the_accounts(db, alice, bob, account):
    make_account(db, bob)
    second = make_account(db, alice, position=account.position + 1)
    first = make_account(db, alice, position=account.position - 1)
    assert [own.account_id for own in service.identities(db, alice.id)] == [first.id, account.id, second.id]
    theirs = make_account(db, bob).identities[0].id
    assert service.find_identity(db, alice.id, theirs) is None
