"""Sealing (C1, C2): a seal opens in its own place only, and keys show up nowhere."""

import logging
import stat

import pytest

from app.errors import NoSuchKey, VaultError
from app.vault import secretbox
from app.vault.models import MasterKey
from app.vault.secretbox import Vault, new_key

KEY = new_key()


def test_what_was_sealed_opens():
    vault = Vault(lambda: {1: KEY})
    assert vault.open_text("place:1", vault.seal("place:1", "Geheimnis ✓")) == "Geheimnis ✓"


@pytest.mark.parametrize("place", ["mail_account.imap_password:b", "mail_account.smtp_password:a", "", "mail_account"])
def test_a_seal_copied_to_another_row_or_field_does_not_open(place):
    vault = Vault(lambda: {1: KEY})
    sealed = vault.seal("mail_account.imap_password:a", "secret")
    with pytest.raises(VaultError):
        vault.open(place, sealed)


def test_no_two_seals_are_alike():
    vault = Vault(lambda: {1: KEY})
    assert vault.seal("a", "x") != vault.seal("a", "x")


@pytest.mark.parametrize("position", range(0, 60, 7))
def test_changed_octets_do_not_open(position):
    sealed = bytearray(secretbox.seal(1, KEY, "a", b"secret" * 4))
    sealed[position] ^= 1
    with pytest.raises(VaultError):
        Vault(lambda: {1: KEY}).open("a", bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02\0\0\0\x01" + b"x" * 60, b"\x01\0\0\0\x01", b"plain text"])
def test_what_is_no_seal_is_refused(sealed):
    with pytest.raises(VaultError):
        Vault(lambda: {1: KEY}).open("a", sealed)


def test_another_key_does_not_open():
    with pytest.raises(VaultError):
        Vault(lambda: {1: new_key()}).open("a", secretbox.seal(1, KEY, "a", b"x"))
    with pytest.raises(NoSuchKey):
        Vault(lambda: {2: KEY}).open("a", secretbox.seal(1, KEY, "a", b"x"))


def test_a_vault_sees_a_new_key_before_it_seals():
    ring = {1: KEY}
    vault = Vault(lambda: ring)
    assert secretbox.key_id_of(vault.seal("a", "x")) == 1
    ring[2] = new_key()
    assert secretbox.key_id_of(vault.seal("a", "x")) == 2


def test_keys_show_in_no_repr_and_no_log(parts, db, caplog):
    caplog.set_level(logging.DEBUG)
    with parts.private.session() as private:
        row = private.query(MasterKey).one()
    vault = parts.vault
    sealed = vault.seal("a", "the password")
    try:
        vault.open("b", sealed)
    except VaultError:
        logging.getLogger("test").exception("refused")
    shown = caplog.text + repr(vault) + repr(row) + str(parts) + repr(vars(parts))
    for secret in (row.key.hex(), repr(row.key)[2:-1], "the password"):
        assert secret not in shown


def test_the_private_database_is_its_owners_alone(sqlite_config):
    from app.db import Database
    from app.vault.keyring import open_vault

    private = Database(sqlite_config.private_database)
    open_vault(private).seal("a", "x")
    folder = sqlite_config.work_directory / "private"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    private.dispose()
    assert modes["private.db"] == 0o600
    assert set(modes.values()) == {0o600}


def test_the_public_database_holds_no_key(parts, sqlite_config):
    with parts.private.session() as private:
        key = private.query(MasterKey).one().key
    for path in parts.config.work_directory.glob("satchel.db*"):
        assert key not in path.read_bytes()
