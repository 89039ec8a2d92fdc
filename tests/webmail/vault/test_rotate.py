"""Rotation (C3): everything sealed anew, beside a running site, broken off and taken up again."""

import pytest
import sqlalchemy as sa
from sqlalchemy import select

from app import tables
from app.accounts import oauth
from app.accounts import service as accounts
from app.accounts.models import MailAccount
from app.db import Base
from app.errors import NoSuchKey, VaultError
from app.mail_services import oauth_clients
from app.mail_services.models import AccountRegistration, OAuthClient
from app.notices import service as notices
from app.users import service as users
from app.vault import rotate as rotation
from app.vault.columns import SEALED_COLUMNS
from app.vault.keyring import open_vault
from app.vault.models import MasterKey
from app.vault.secretbox import key_id_of
from mailsite_ext.delivery import relays
from tests.factories import make_account

SEALED_BY_DATA_KEYS = {("body_chunk", "sealed")}
assert tables


@pytest.fixture
def secrets(parts, db, alice, bob, monkeypatch):
    """One of each sealed column, and more accounts than a batch holds; what each must open to, by its seal's name."""
    monkeypatch.setattr(rotation, "BATCH", 2)
    vault = parts.vault
    rows = [AccountRegistration(id=1, uuid="r"), OAuthClient(provider="google", client_id="x"), alice]
    rows += [make_account(db, bob) for _ in range(rotation.BATCH + 3)]
    opened = {}
    for row in rows:
        for column in (column for column in SEALED_COLUMNS if isinstance(row, column.model)):
            name = column.seal_name(getattr(row, column.owner))
            opened[name] = f"secret of {name}"
            setattr(row, column.column, vault.seal(name, opened[name]))
    db.add_all(rows)
    db.commit()
    return opened


def seals(db):
    """Every ciphertext of the public database, by the name it was made for."""
    db.rollback()
    found = {}
    for column in SEALED_COLUMNS:
        for owner, sealed in db.execute(select(column.owner_column, column.sealed).where(column.sealed.is_not(None))):
            found[column.seal_name(owner)] = sealed
    return found


def key_ids(db):
    return {key_id_of(sealed) for sealed in seals(db).values()}


def rotate(parts, clock):
    return rotation.rotate(parts.public, parts.private, parts.vault, clock.now())


def test_every_sealed_column_is_known(app):  # whose extensions have added theirs
    """A new column of ciphertext cannot be forgotten: it is either rotated or sealed by a data key."""
    known = {(column.model.__tablename__, column.column) for column in SEALED_COLUMNS} | SEALED_BY_DATA_KEYS
    found = {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.LargeBinary) and column.name.startswith("sealed")
    }
    assert found == known


def test_seals_are_named_as_those_who_make_them_name_them(app, alice, db):
    row = AccountRegistration(uuid="x")
    names = {column.seal_name("x") for column in SEALED_COLUMNS}
    alice.uuid = "x"
    makers = {accounts.imap_seal("x"), accounts.smtp_seal("x"), accounts.data_key_seal("x"), oauth.tokens_seal("x")}
    assert names == makers | {users.totp_seal(alice), notices.password_seal(row), oauth_clients.secret_seal("x"),
                             relays.seal_name("x")}  # fmt: skip


def test_everything_is_sealed_anew_and_opens(parts, db, secrets, clock):
    assert rotate(parts, clock) == len(secrets)
    assert key_ids(db) == {2}
    fresh = open_vault(parts.private)
    assert {name: fresh.open_text(name, sealed) for name, sealed in seals(db).items()} == secrets


def test_an_older_backup_opens_until_the_purge(parts, db, secrets, clock):
    backup = seals(db)
    rotate(parts, clock)
    name, sealed = next(iter(backup.items()))
    assert open_vault(parts.private).open_text(name, sealed) == secrets[name]
    assert rotation.purge(parts.public, parts.private, parts.vault) == 1
    with pytest.raises(NoSuchKey):
        open_vault(parts.private).open_text(name, sealed)
    assert {name: parts.vault.open_text(name, sealed) for name, sealed in seals(db).items()} == secrets


def test_broken_off_it_is_taken_up_again(parts, db, secrets, clock, monkeypatch):
    """Killed in the middle: some batches are under the new key, the old key is not retired, no third key is made."""
    reseal, done = rotation._reseal, []

    def killed(*args):
        done.append(args)
        if len(done) > rotation.BATCH + 1:
            raise KeyboardInterrupt
        reseal(*args)

    with monkeypatch.context() as patch:
        patch.setattr(rotation, "_reseal", killed)
        with pytest.raises(KeyboardInterrupt):
            rotate(parts, clock)
    assert key_ids(db) == {1, 2}
    rest = rotate(parts, clock)
    assert 0 < rest < len(secrets)
    assert key_ids(db) == {2}
    assert [key.retired_at is not None for key in rotation.status(parts.public, parts.private)] == [True, False]


def test_a_seal_stored_under_the_old_key_meanwhile_is_caught(parts, db, secrets, clock, monkeypatch):
    """Somebody sealed before the rotation began and stores after its pass went by."""
    late = next(name for name in secrets if name.startswith("mail_account.imap_password"))
    uuid = late.partition(":")[2]
    sealed_before = parts.vault.seal(late, "typed a moment ago")
    passes: list[object] = []
    one_pass = rotation._reseal_column

    def pass_and_store(public, vault, column):
        found = one_pass(public, vault, column)
        if not passes and column.column == "sealed_smtp_password":
            db.execute(
                sa.update(MailAccount).where(MailAccount.uuid == uuid).values(sealed_imap_password=sealed_before)
            )
            db.commit()
            passes.append(column)
        return found

    monkeypatch.setattr(rotation, "_reseal_column", pass_and_store)
    rotate(parts, clock)
    assert key_ids(db) == {2}
    assert parts.vault.open_text(late, seals(db)[late]) == "typed a moment ago"


def test_what_somebody_changed_meanwhile_is_not_put_back(parts, db, secrets, alice):
    name = f"user.totp:{alice.uuid}"
    column = next(column for column in SEALED_COLUMNS if column.name == "user.totp")
    read_before = seals(db)[name]
    alice.sealed_totp = parts.vault.seal(name, "the new one")
    db.commit()
    with parts.public.session() as other:
        rotation._reseal(other, parts.vault, column, alice.uuid, read_before)
        other.commit()
    assert parts.vault.open_text(name, seals(db)[name]) == "the new one"


def test_a_running_process_seals_under_the_new_key_at_once(parts, secrets, clock):
    running = open_vault(parts.private)
    running.seal("a", "x")
    rotate(parts, clock)
    assert key_id_of(running.seal("a", "x")) == 2


def test_a_seal_that_does_not_open_is_named_and_loses_nothing(parts, db, secrets, clock, alice):
    other_place = seals(db)["oauth_client.client_secret:google"]
    alice.sealed_totp = other_place
    db.commit()
    with pytest.raises(VaultError, match=r"user\.totp:" + alice.uuid):
        rotate(parts, clock)
    assert seals(db)[f"user.totp:{alice.uuid}"] == other_place


def test_purge_refuses_while_a_ciphertext_needs_a_retired_key(parts, db, secrets, clock, monkeypatch, alice):
    before = seals(db)[f"user.totp:{alice.uuid}"]
    rotate(parts, clock)
    db.refresh(alice)
    alice.sealed_totp = before  # restored from a backup, say
    db.commit()
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "reseal_all", lambda *_: 0)
        with pytest.raises(VaultError, match="1 ciphertexts still need"):
            rotation.purge(parts.public, parts.private, parts.vault)
    with parts.private.session() as private:
        assert set(private.scalars(select(MasterKey.id))) == {1, 2}
    assert rotation.purge(parts.public, parts.private, parts.vault) == 1, "by itself it seals the rest anew first"


def test_the_commands(app, secrets):
    runner = app.test_cli_runner()
    assert (
        f"key 1, made 2026-11-24 08:00, in use: {len(secrets)} credentials"
        in runner.invoke(args=["vault", "status"]).output
    )
    assert f"{len(secrets)} credentials are sealed anew" in runner.invoke(args=["vault", "rotate"]).output
    assert "retired 2026-11-24 08:00: 0 credentials" in runner.invoke(args=["vault", "status"]).output
    assert "1 retired keys are deleted" in runner.invoke(args=["vault", "purge"]).output


def test_the_command_fails_with_words(app, db, secrets, alice):
    alice.sealed_totp = b"\x01\0\0\0\x01" + b"x" * 60
    db.commit()
    answer = app.test_cli_runner().invoke(args=["vault", "rotate"])
    assert answer.exit_code == 1
    assert f"user.totp:{alice.uuid}" in answer.output
