"""Signing keys of a domain: generated, rotated, retired; on disk for their owner alone."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.config import Config
from mailsite_ext.authentication import dkim
from mailsite_ext.authentication.key_states import AGES, record_of
from mailsite_ext.authentication.signing_keys import SigningKeys, is_published, make_rsa_key
from mailsite_ext.errors import BadDomain, KeyAlreadyComing, NoSuchSigningKey, SigningKeyInUse, StorageDamaged
from tests.conftest import FakeClock
from tests.mailsite.authentication.letters import LETTER, rsa_key, zone

DOMAIN = "example.org"


@pytest.fixture
def keys(tmp_path: Path, clock: FakeClock) -> SigningKeys:
    return SigningKeys(Config(work_directory=tmp_path), clock, rsa_key)


def states(keys: SigningKeys) -> dict[str, str]:
    return {key.selector: str(key.state) for key in keys.keys(DOMAIN)}


def published(keys: SigningKeys) -> dict[str, str]:
    """What DNS holds when the admin follows what he is told."""
    listed = [key for key in keys.keys(DOMAIN) if key.state != "retired"]
    return {f"{key.selector}._domainkey.{DOMAIN}": record_of(key) for key in listed}


def test_the_life_of_keys(keys, clock):
    keys.generate(DOMAIN)
    assert states(keys) == {"s20261124": "signing"}
    keys.generate(DOMAIN)
    assert states(keys) == {"s20261124": "signing", "s20261124-2": "coming"}
    keys.switch(DOMAIN)
    assert states(keys) == {"s20261124": "aging", "s20261124-2": "signing"}
    clock.advance(AGES.total_seconds() - 1)
    assert keys.retire_old(DOMAIN) == []
    clock.advance(1)
    assert keys.retire_old(DOMAIN) == ["s20261124"]
    assert states(keys) == {"s20261124": "retired", "s20261124-2": "signing"}


def test_what_was_signed_can_be_verified_until_it_has_aged(keys, clock):
    keys.generate(DOMAIN)
    letters = [signed(keys, clock)]
    keys.generate(DOMAIN)
    letters.append(signed(keys, clock))
    keys.switch(DOMAIN)
    letters.append(signed(keys, clock))
    selectors = [verdict.selector for letter in letters for verdict in dkim.verify([letter], zone({}), clock.now())]
    assert selectors == ["s20261124", "s20261124", "s20261124-2"]
    for letter in letters:
        assert [verdict.result for verdict in dkim.verify([letter], zone(published(keys)), clock.now())] == ["pass"]


def signed(keys: SigningKeys, clock: FakeClock) -> bytes:
    key = keys.find_signing_key(DOMAIN)
    assert key is not None
    return dkim.sign([LETTER], key, clock.now()) + LETTER


def test_only_the_owner_reads_them(keys, tmp_path):
    keys.generate(DOMAIN)
    folder = tmp_path / "security" / "dkim" / DOMAIN
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "keys.json": 0o600,
        "lock": 0o600,
        "s20261124.pem": 0o600,
    }
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.parent.stat().st_mode) == 0o700


def test_a_retired_key_is_gone_and_its_selector_is_not_used_again(keys, tmp_path):
    keys.generate(DOMAIN)
    keys.generate(DOMAIN)
    keys.retire(DOMAIN, "s20261124-2")
    assert not (tmp_path / "security" / "dkim" / DOMAIN / "s20261124-2.pem").exists()
    assert keys.generate(DOMAIN).selector == "s20261124-3"


def test_another_process_sees_a_change_at_once(keys, clock, tmp_path):
    other = SigningKeys(Config(work_directory=tmp_path), clock, rsa_key)
    keys.generate(DOMAIN)
    assert other.find_signing_key(DOMAIN).selector == "s20261124"
    keys.generate(DOMAIN)
    keys.switch(DOMAIN)
    assert other.find_signing_key(DOMAIN).selector == "s20261124-2"


def test_those_who_generate_at_once_wait_for_each_other(keys):
    def generate(_: int) -> str:
        try:
            return str(keys.generate(DOMAIN).state)
        except KeyAlreadyComing:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(generate, range(4))) == ["coming", "refused", "refused", "signing"]


def test_what_is_refused(keys):
    assert keys.find_signing_key(DOMAIN) is None
    with pytest.raises(NoSuchSigningKey):
        keys.switch(DOMAIN)
    keys.generate(DOMAIN)
    with pytest.raises(SigningKeyInUse):
        keys.retire(DOMAIN, "s20261124")
    with pytest.raises(NoSuchSigningKey):
        keys.retire(DOMAIN, "../s20261124")
    keys.generate(DOMAIN)
    with pytest.raises(KeyAlreadyComing):
        keys.generate(DOMAIN)
    with pytest.raises(BadDomain):
        keys.generate("../other")


def test_domains_have_keys_of_their_own(keys):
    keys.generate(DOMAIN)
    assert keys.keys("other.example") == []
    assert keys.find_signing_key("other.example") is None


@pytest.mark.parametrize("damage", ["not json", '{"a": 1}', '[{"selector": "a"}]', '[{"state": "lost"}]', "[1]"])
def test_a_damaged_index_is_said(keys, tmp_path, damage):
    keys.generate(DOMAIN)
    (tmp_path / "security" / "dkim" / DOMAIN / "keys.json").write_text(damage)
    with pytest.raises(StorageDamaged):
        keys.keys(DOMAIN)


def test_a_missing_key_file_is_said(keys, tmp_path):
    keys.generate(DOMAIN)
    (tmp_path / "security" / "dkim" / DOMAIN / "s20261124.pem").unlink()
    with pytest.raises(StorageDamaged):
        keys.find_signing_key(DOMAIN)


@pytest.mark.parametrize(
    ("record", "seen"), [(None, True), ("v=DKIM1; p=", False), ("v=DKIM1; p=AAAA", False), ("v=spf1", False)]
)
def test_whether_the_world_sees_a_key(keys, record, seen):
    key = keys.generate(DOMAIN)
    name = f"{key.selector}._domainkey.{DOMAIN}"
    assert is_published(DOMAIN, key, zone({name: record or record_of(key)})) is seen


def test_no_answer_says_nothing_about_a_key(keys):
    key = keys.generate(DOMAIN)
    assert is_published(DOMAIN, key, zone({}, silent=(f"{key.selector}._domainkey.{DOMAIN}",))) is None


def test_keys_are_of_2048_bits():
    assert make_rsa_key().key_size == 2048
