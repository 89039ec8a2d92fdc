"""A hosted mailbox among a person's accounts: shown where it is awake, with nothing of servers, ended by nobody."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.accounts.models import MailAccount
from app.accounts.service import list_accounts
from app.compose.service import identities
from app.mail_services.credentials import list_credentials
from app.mail_services.modes import Mode
from app.mirror.queries import folder_tree
from mailsite_ext.domains import service
from mailsite_ext.domains.sources import SOURCE
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings
from tests.factories import make_account


@pytest.fixture
def hosted(app, parts, db, alice, set_mode):
    """Alice's mailbox, beside an account elsewhere that she had before; `app` brings the extension."""
    set_mode(Mode.BOTH)
    store_settings(db, Settings(domains=("example.org",)))
    db.commit()
    make_account(db, alice)
    service.ensure_mailbox(parts, db, alice)
    return db.scalars(select(MailAccount).where(MailAccount.source == SOURCE)).one()


def test_it_comes_first_and_has_nothing_of_servers(hosted, alice, browser_of, db):
    page = browser_of(alice).get("/mail/accounts").text
    assert page.index(hosted.label) < page.index("Down")
    for address in ("doctor", "remove", "pause"):
        assert f"/mail/accounts/{hosted.id}/{address}" not in page
    assert f"/mail/accounts/{hosted.id}/identities" in page
    assert list_accounts(db, alice.id)[0].id == hosted.id


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("POST", ""), ("GET", "/remove"), ("POST", "/remove"), ("POST", "/pause"), ("GET", "/doctor"),
     ("POST", "/doctor"), ("POST", "/sign-in")],
)  # fmt: skip
def test_pages_of_servers_are_not_its(hosted, alice, browser_of, db, method, path):
    assert browser_of(alice).open(f"/mail/accounts/{hosted.id}{path}", method=method).status_code == 404
    db.rollback()
    assert db.get(MailAccount, hosted.id, populate_existing=True) is not None


def test_it_has_no_stored_credential(hosted, db):
    assert hosted.id not in [account.id for account, _owner in list_credentials(db)]


@pytest.mark.parametrize(
    ("mode", "sources"),
    [
        (Mode.DISABLED, []),
        (Mode.MAILSITE, ["mailsite"]),
        (Mode.EXTERNAL, ["imap"]),
        (Mode.BOTH, ["mailsite", "imap"]),
    ],
)
def test_each_mode_shows_what_is_awake_and_deletes_nothing(hosted, alice, db, set_mode, mode, sources):
    before = db.scalars(select(MailAccount.id)).all()
    set_mode(mode)
    of = {account.id: account.source for account in db.scalars(select(MailAccount))}
    assert [of[branch.account.id] for branch in folder_tree(db, alice.id)] == sources
    assert [of[each.account_id] for each in identities(db, alice.id)] == sources
    assert db.scalars(select(MailAccount.id)).all() == before
