"""Cached bodies: sealed, in chunks, bounded."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.errors import NoSuchMessage, NotFound, VaultError
from app.mirror import bodies
from app.mirror.models import BodyChunk, CachedSection
from tests.conftest import START
from tests.factories import make_account, make_folder, make_message

KIB = 1024


@pytest.fixture
def config(sqlite_config):
    """What is sealed is the same on both databases; test_wanted and test_removal store bodies on both."""
    return sqlite_config


@pytest.fixture
def account(db, parts, alice):
    return make_account(db, alice, vault=parts.vault)


@pytest.fixture
def message(db, account):
    return make_message(db, make_folder(db, account))


@pytest.fixture
def store(db, parts, account):
    def store(message, section, *pieces, at=START):
        bodies.store_section(db, parts.vault, account, message.id, section, pieces, at)

    return store


@pytest.mark.parametrize(
    ("octets", "sizes"),
    [
        (0, []),
        (1, [1]),
        (512 * KIB, [512 * KIB]),
        (512 * KIB + 1, [256 * KIB, 256 * KIB, 1]),
        (900 * KIB, [256 * KIB, 256 * KIB, 256 * KIB, 132 * KIB]),
    ],
)
@pytest.mark.parametrize("piece", [100 * KIB + 7, 10**9])
def test_blocks(octets, sizes, piece):
    whole = bytes(n % 251 for n in range(1024)) * (octets // 1024 + 1)
    whole = whole[:octets]
    cut = list(bodies.blocks(whole[at : at + piece] for at in range(0, octets, piece)))
    assert [len(block) for block in cut] == sizes
    assert b"".join(cut) == whole


def test_what_is_stored_comes_back(db, parts, store, message):
    store(message, "1", b"Dear ", b"all")
    store(message, "2", b"x" * 300 * KIB, b"y" * 300 * KIB)
    store(message, "3")
    found = bodies.cached_sections(db, parts.vault, message, ["1", "2", "3", "4"])
    assert found == {"1": b"Dear all", "2": b"x" * 300 * KIB + b"y" * 300 * KIB, "3": b""}
    assert [len(piece) for piece in bodies.open_section(db, parts.vault, message, "2")] == [
        256 * KIB,
        256 * KIB,
        88 * KIB,
    ]
    with pytest.raises(NotFound):
        bodies.open_section(db, parts.vault, message, "4")


def test_a_second_copy_takes_the_firsts_place(db, parts, store, message):
    store(message, "1", b"old" * 300 * KIB)
    store(message, "1", b"new")
    assert bodies.cached_sections(db, parts.vault, message, ["1"]) == {"1": b"new"}
    assert len(db.scalars(select(BodyChunk.number)).all()) == 1


def test_nothing_readable_lies_in_the_database(db, store, message):
    store(message, "1", b"a secret word")
    assert b"secret" not in db.scalar(select(BodyChunk.sealed))


def test_a_chunk_opens_only_where_it_belongs(db, parts, store, message):
    store(message, "1", b"one")
    store(message, "2", b"two")
    sealed = db.scalar(select(BodyChunk.sealed).order_by(BodyChunk.section_id).limit(1))
    db.execute(update(BodyChunk).values(sealed=sealed))
    db.commit()
    with pytest.raises(VaultError):
        bodies.cached_sections(db, parts.vault, message, ["2"])


def test_half_a_section_is_not_found(db, parts, account, message):
    def breaks_off():
        yield b"x" * 600 * KIB
        raise ConnectionError

    with pytest.raises(ConnectionError):
        bodies.store_section(db, parts.vault, account, message.id, "1", breaks_off(), START)
    assert bodies.cached_sections(db, parts.vault, message, ["1"]) == {}
    assert not bodies.is_cached(db, message, "1")


def test_no_lock_is_held_while_the_next_piece_comes(db, parts, account, message):
    def pieces():
        for _ in range(3):
            yield b"x" * 300 * KIB
            with parts.public.session() as other:  # would wait for the lock, and fail
                other.execute(update(CachedSection).values(used_at=START))
                other.commit()

    bodies.store_section(db, parts.vault, account, message.id, "1", pieces(), START)
    assert bodies.is_cached(db, message, "1")


def test_a_message_that_goes_meanwhile(db, parts, account, message):
    def pieces():
        yield b"x" * 600 * KIB
        with parts.public.session() as other:
            other.delete(other.get(type(message), message.id))
            other.commit()
        yield b"y"

    with pytest.raises(NoSuchMessage):
        bodies.store_section(db, parts.vault, account, message.id, "1", pieces(), START)


def test_the_least_used_goes_first_and_only_of_that_person(db, parts, store, account, message, bob):
    bobs = make_account(db, bob, vault=parts.vault)
    theirs = make_message(db, make_folder(db, bobs))
    bodies.store_section(db, parts.vault, bobs, theirs.id, "1", [b"x" * 500], START - timedelta(days=9))
    for number in range(5):
        store(message, str(number), b"x" * 100, at=START + timedelta(hours=2 * number))
    bodies.trim(db, account.owner_id, 250)
    assert db.scalars(select(CachedSection.section).order_by(CachedSection.used_at)).all() == ["1", "3", "4"]
    assert bodies.is_cached(db, theirs, "1")
    bodies.trim(db, account.owner_id, 250)
    assert len(db.scalars(select(CachedSection.id)).all()) == 3


def test_use_is_noted_but_not_at_every_look(db, store, message):
    store(message, "1", b"x")
    used_at = select(CachedSection.used_at)
    bodies.touch(db, message.id, START + timedelta(minutes=30))
    assert db.scalar(used_at) == START
    bodies.touch(db, message.id, START + timedelta(hours=2))
    assert db.scalar(used_at) == START + timedelta(hours=2)


def test_without_its_data_key_a_body_is_shredded(db, parts, store, account, message):
    store(message, "1", b"x")
    account.sealed_data_key = parts.vault.seal(f"mail_account.data_key:{account.uuid}", b"\0" * 32)
    db.commit()
    with pytest.raises(VaultError):
        bodies.cached_sections(db, parts.vault, message, ["1"])
