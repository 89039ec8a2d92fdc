"""Packs: small bodies of one commit in one file, and none of them stays in it for its neighbours (O2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsite_ext.storage import blob_packs
from mailsite_ext.storage.blob_packs import PACKED_OCTETS, pack
from mailsite_ext.storage.catalogue_sql import linked
from tests.mailsite.storage.engines import NOON, add, content, inbox_of, mail, read

DAY_S = 24 * 3600


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def storage(request, tmp_path, clock):
    from tests.mailsite.storage.conftest import make_place

    for place in make_place(request, request.param, tmp_path, clock):
        yield place.open(grace_s=DAY_S)


def append(storage, *bodies: bytes, who: str = "alice") -> None:
    inbox = inbox_of(storage, who)
    storage.append(inbox.id, [(content(body), frozenset(), NOON) for body in bodies]).result(30)


def files(storage) -> list[bytes]:
    return sorted(path.read_bytes() for path in storage.blobs.root.glob("?/*"))


ONE, TWO, THREE = mail("one"), mail("two"), mail("three")


def test_what_arrives_together_is_one_file(storage):
    append(storage, ONE, TWO, ONE, b"", THREE)
    assert files(storage) == [b"", ONE + TWO + THREE]
    inbox = inbox_of(storage)
    assert [read(storage, inbox.id, uid) for uid in range(1, 6)] == [ONE, TWO, ONE, b"", THREE]
    assert list(storage.verify()) == []


def test_long_bodies_are_files_of_their_own(storage):
    long = [mail(f"long {n}", "x" * (PACKED_OCTETS - 50)) for n in range(2)]
    append(storage, *long, ONE, TWO)
    assert sorted(map(len, files(storage))) == sorted([len(long[0]), len(long[1]), len(ONE + TWO)])


def test_what_comes_again_is_stored_once_more_at_most(storage):
    append(storage, ONE, TWO)
    add(storage, inbox_of(storage), "three")
    append(storage, TWO, THREE, ONE, who="bob")
    append(storage, TWO, THREE, ONE, who="bob")
    assert files(storage) == sorted([ONE + TWO, ONE, TWO, THREE])
    assert [read(storage, inbox_of(storage, "bob").id, uid) for uid in range(1, 7)] == 2 * [TWO, THREE, ONE]


def test_what_comes_again_does_not_lean_on_a_pack_that_was_lost(storage):
    append(storage, ONE, TWO)
    next(storage.blobs.root.glob("?/*")).unlink()
    append(storage, ONE, TWO)
    assert [read(storage, inbox_of(storage).id, uid) for uid in (3, 4)] == [ONE, TWO]


def test_deleted_mail_leaves_its_pack_and_the_others_stay(storage, clock):
    append(storage, ONE, TWO, THREE, THREE + b"more")
    inbox, sent = inbox_of(storage), storage.find_folder("alice", "Sent")
    storage.copy(inbox.id, [2], sent.id)
    storage.expunge(inbox.id, [1, 2, 3], only_deleted=False)
    clock.advance(DAY_S)
    assert storage.collect_garbage() == 0
    assert files(storage) == sorted([ONE + TWO + THREE + THREE + b"more", TWO + THREE + b"more"])
    assert read(storage, sent.id, 1) == TWO
    assert read(storage, inbox.id, 4) == THREE + b"more"
    clock.advance(DAY_S)
    assert storage.collect_garbage() == 1
    assert files(storage) == [TWO + THREE + b"more"]
    assert list(storage.verify()) == []
    append(storage, ONE, TWO)  # and may come again
    assert [read(storage, inbox.id, uid) for uid in (5, 6)] == [ONE, TWO]


def test_a_pack_goes_with_its_last_message(storage, clock):
    append(storage, ONE, TWO)
    storage.expunge(inbox_of(storage).id, only_deleted=False)
    clock.advance(DAY_S)
    assert (storage.collect_garbage(), files(storage)) == (1, [])
    with linked(storage.engine) as link:
        assert link.rows("SELECT location FROM mailsite_segment") == []


def test_a_crash_before_the_rows_of_a_new_pack(storage, clock, monkeypatch):
    append(storage, ONE, TWO)
    inbox = inbox_of(storage)
    storage.expunge(inbox.id, [1], only_deleted=False)
    clock.advance(DAY_S)
    with monkeypatch.context() as patch:
        patch.setattr("mailsite_ext.storage.blob_care.enter_rewritten", _killed)
        with pytest.raises(KeyboardInterrupt):
            storage.collect_garbage()
    assert read(storage, inbox.id, 2) == TWO
    storage.collect_garbage()
    assert read(storage, inbox.id, 2) == TWO
    assert list(storage.verify()) == []


def _killed(*_arguments: object) -> None:
    raise KeyboardInterrupt


def test_a_damaged_pack_is_left_to_verify(storage, clock):
    append(storage, ONE, TWO)
    path = next(storage.blobs.root.glob("?/*"))
    path.write_bytes(path.read_bytes()[::-1])
    storage.expunge(inbox_of(storage).id, [1], only_deleted=False)
    clock.advance(DAY_S)
    assert storage.collect_garbage() == 0
    assert [finding.kind for finding in storage.verify()] == ["blob damaged"]


@given(st.lists(st.binary(min_size=1, max_size=20), unique=True))
def test_every_body_lies_where_its_segment_says(bodies):
    named = {str(n): body for n, body in enumerate(bodies)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blob_packs, "PACK_OCTETS", 50)
        packs = pack(named)
    assert all(len(data) <= 50 for data in packs.blobs.values())
    for name, body in named.items():
        segment = packs.segments[name]
        assert packs.blobs[segment.blob][segment.offset : segment.offset + segment.octets] == body
    assert sum(map(len, packs.blobs.values())) == sum(map(len, bodies))
