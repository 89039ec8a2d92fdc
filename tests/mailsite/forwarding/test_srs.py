"""Senders rewritten and found again: both schemes, forged ones, expired ones, long ones."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.errors import AddressTooLong, NoSuchMailbox, StorageDamaged
from mailsite_ext.forwarding.key import KEY_OCTETS, SrsKey
from mailsite_ext.forwarding.srs import VALID_FOR, is_rewritten, reverse, rewrite
from mailsite_ext.protocol.smtp_address import Address, parse_address
from tests.conftest import START

KEY, OTHER = b"k" * 32, b"o" * 32
ADA = Address("ada", "far.example")
OURS = "here.example"


def test_a_sender_comes_back():
    made = rewrite(ADA, OURS, KEY, START)
    assert made.domain == OURS
    assert made.local.startswith("SRS0=")
    assert made.local.endswith("=far.example=ada")
    assert reverse(made.local, KEY, START) == ADA
    assert parse_address(str(made), utf8=False) == made


@given(local=st.from_regex(r"[A-Za-z0-9!#$%&'*/=?^_`{|}~+-]{1,40}", fullmatch=True), days=st.integers(0, 13))
@settings(derandomize=True, max_examples=200)
def test_whatever_it_is(local, days):
    sender = Address(local, "far.example")
    made = rewrite(sender, OURS, KEY, START)
    back = reverse(made.local, KEY, START + timedelta(days=days))
    assert back == sender or is_rewritten(local)  # another's goes back to the one who rewrote it first


@pytest.mark.parametrize("local", ["a b", 'q"uote', "säm", "..", "a@b"])
def test_unusual_local_parts(local):
    sender = Address(local, "far.example")
    made = parse_address(str(rewrite(sender, OURS, KEY, START)), utf8=True)
    assert reverse(made.local, KEY, START) == sender


def test_a_server_that_folds_case_is_forgiven():
    made = rewrite(ADA, OURS, KEY, START)
    assert reverse(made.local.lower(), KEY, START) == ADA
    assert reverse(made.local.upper(), KEY, START).domain == "far.example"


def test_what_another_forwarder_rewrote_goes_back_to_it():
    first = rewrite(ADA, "one.example", OTHER, START)
    second = rewrite(first, "two.example", KEY, START)
    assert second.local.startswith("SRS1=")
    assert reverse(second.local, KEY, START) == first
    third = rewrite(second, "three.example", OTHER, START)
    assert third.local.startswith("SRS1=")
    assert reverse(third.local, OTHER, START) == first, "straight to the first, which knows the sender"
    assert len(third.local) == len(second.local), "however many pass it on"


def test_too_old():
    made = rewrite(ADA, OURS, KEY, START)
    reverse(made.local, KEY, START + VALID_FOR)
    with pytest.raises(NoSuchMailbox):
        reverse(made.local, KEY, START + VALID_FOR + timedelta(days=1))


def changed():
    made = rewrite(ADA, OURS, KEY, START).local
    second = rewrite(rewrite(ADA, "one.example", OTHER, START), OURS, KEY, START).local
    yield from (made.replace("ada", "eve"), made.replace("far", "fat"), made.replace("=far", "=other=far"))
    yield from (second.replace("one", "two"), second.replace("=ada", "=eve"))
    yield from ("SRS0=", "SRS0=aaaaaaaa=aa=far.example=ada", "SRS0==a=far.example=ada", "SRS1=aaaaaaaa=far.example==x")
    yield from ("SRS0=" + "a" * 60_000, "SRS1=" + "=" * 60_000, "SRS0=aaaaaaaa=11=far.example=ada", "srs1=")


@pytest.mark.parametrize("local", list(changed()), ids=lambda local: local[:60])
def test_forged(local):
    assert is_rewritten(local)
    with pytest.raises(NoSuchMailbox):
        reverse(local, KEY, START)


def test_every_letter_counts():
    made = rewrite(ADA, OURS, KEY, START).local
    for place in range(5, len(made)):
        letter = "b" if made[place] != "b" else "c"
        with pytest.raises(NoSuchMailbox):
            reverse(made[:place] + letter + made[place + 1 :], KEY, START)


def test_another_key_opens_nothing():
    with pytest.raises(NoSuchMailbox):
        reverse(rewrite(ADA, OURS, KEY, START).local, OTHER, START)


def test_too_long():
    with pytest.raises(AddressTooLong):
        rewrite(Address("a" * 64, ".".join(["b" * 60] * 3)), OURS, KEY, START)


def test_the_key_is_made_once_for_all_and_kept_private(sqlite_config):
    keys = [SrsKey(sqlite_config) for _ in range(8)]
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda key=key: found.append(key.octets())) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found[0]) == KEY_OCTETS
    folder = sqlite_config.work_directory.absolute() / "security"
    assert [path.name for path in folder.iterdir()] == ["srs.key"]
    assert (folder / "srs.key").stat().st_mode & 0o777 == 0o600
    (folder / "srs.key").write_bytes(b"short")
    with pytest.raises(StorageDamaged):
        SrsKey(sqlite_config).octets()
