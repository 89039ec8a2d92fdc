"""Revoking stored credentials (N5), and clients of OAuth providers: secrets go in and never come out (C5)."""

import pytest
from sqlalchemy import func, select

from app.accounts.models import MailAccount
from app.bus import Bell, Topic
from app.mail_services.models import OAuthClient
from app.mail_services.oauth_clients import secret_seal
from app.mirror.models import Folder
from tests.factories import make_account, make_folder


def count(db, model):
    db.rollback()
    return db.scalar(select(func.count()).select_from(model))


@pytest.fixture
def account(db, alice, parts):
    account = make_account(db, alice, address="alice@mail.example", vault=parts.vault)
    account.sealed_imap_password = parts.vault.seal(f"mail_account.imap_password:{account.uuid}", "hunter2-secret")
    make_folder(db, account)
    db.commit()
    return account


def test_every_credential_is_listed_without_its_secret(ada, account):
    page = ada.get("/admin/credentials").text
    assert "alice@mail.example" in page
    assert "hunter2-secret" not in page


def test_revoking_deletes_the_row_and_all_that_hangs_on_it(ada, account, db, bells):
    account_id, owner_id = account.id, account.owner_id
    assert ada.post(f"/admin/credentials/{account_id}/revoke").status_code == 303
    assert (count(db, MailAccount), count(db, Folder)) == (0, 0)
    assert {Bell(Topic.ACCOUNT, account_id), Bell(Topic.TREE, owner_id)} <= bells()
    assert ada.post(f"/admin/credentials/{account_id}/revoke").status_code == 404


def test_users_may_not_revoke(alice, browser_of, account, db):
    assert browser_of(alice).post(f"/admin/credentials/{account.id}/revoke").status_code == 403
    assert count(db, MailAccount) == 1


def save(ada, provider="google", **form):
    return ada.post(f"/admin/oauth/{provider}", data={"client_id": "", "client_secret": "", **form})


def secret(db, parts, provider="google"):
    db.rollback()
    sealed = db.get_one(OAuthClient, provider, populate_existing=True).sealed_client_secret
    return parts.vault.open_text(secret_seal(provider), sealed) if sealed else None


def test_a_client_is_stored_sealed_and_its_secret_never_shown(ada, db, parts):
    assert save(ada, client_id="id-1", client_secret="gs-secret").status_code == 303
    assert secret(db, parts) == "gs-secret"
    page = ada.get("/admin/oauth").text
    assert "id-1" in page
    assert "gs-secret" not in page


def test_an_empty_secret_keeps_the_stored_one_but_not_for_another_client(ada, db, parts):
    save(ada, client_id="id-1", client_secret="gs-secret")
    save(ada, client_id="id-1")
    assert secret(db, parts) == "gs-secret"
    save(ada, client_id="id-2")
    assert secret(db, parts) is None


def test_an_empty_id_forgets_the_client(ada, db):
    save(ada, client_id="id-1", client_secret="x")
    save(ada)
    assert count(db, OAuthClient) == 0


def test_the_redirect_address_is_shown_for_copying(ada):
    page = ada.get("/admin/oauth").text
    assert "http://127.0.0.1:8000/mail/oauth/google/callback" in page


@pytest.mark.parametrize(
    ("provider", "form", "status"), [("yahoo", {}, 404), ("google", {"client_id": "x" * 301}, 422)]
)
def test_what_cannot_be_is_refused(ada, db, provider, form, status):
    assert save(ada, provider, **form).status_code == status
    assert count(db, OAuthClient) == 0
