"""The registry of mail sources: `mail_account.source` → how it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import guard, oauth
from app.accounts import service as accounts
from app.accounts.endpoint import Tls
from app.accounts.models import EXTERNAL, Auth, MailAccount
from app.accounts.tls import client_context
from app.engine.leases import LeaseLost
from app.errors import StarttlsNotOffered
from app.imap.session import open_session
from app.imap.source import ImapSource
from app.runtime import Runtime
from app.sources import MailSource

TIMEOUT_S = 20.0

OpenSource = Callable[[Runtime, int], MailSource]
"""Opens one session for the account with this id; raises the MailError that says why it could not."""


def open_imap(parts: Runtime, account_id: int) -> MailSource:
    """A session on the account's IMAP server, through the guard (E4), signed in."""
    with parts.public.session() as db:
        account = _get_account(db, account_id)
        policy = guard.load_policy(db)
        credentials = accounts.credentials(parts.vault, account)
    if account.imap_tls is Tls.NONE and not policy.allows_cleartext(account.imap_host):
        raise StarttlsNotOffered("connections without TLS are not allowed here")
    if account.auth is Auth.OAUTH:
        credentials = replace(credentials, access_token=oauth.access_token(parts, account_id))
    session = open_session(
        account.imap_endpoint(),
        credentials,
        connect=partial(guard.connect, policy, parts.resolver),
        ssl_context=client_context(parts.config.tls_ca_file),
        timeout_s=TIMEOUT_S,
    )
    return ImapSource(session)


OPENERS: dict[str, OpenSource] = {EXTERNAL: open_imap}


def open_source(parts: Runtime, account_id: int) -> MailSource:
    """A session for the account, of whatever kind it is.  Raises LeaseLost if its row is gone."""
    with parts.public.session() as db:
        opener = OPENERS[_get_account(db, account_id).source]
    return opener(parts, account_id)


def connection_facts(db: Session, account_id: int) -> tuple[object, ...] | None:
    """What a session depends on: where these differ from before, sessions are opened anew."""
    facts = select(
        MailAccount.source,
        MailAccount.imap_host,
        MailAccount.imap_port,
        MailAccount.imap_tls,
        MailAccount.imap_username,
        MailAccount.auth,
        MailAccount.sealed_imap_password,
    )
    found = db.execute(facts.where(MailAccount.id == account_id)).one_or_none()
    return tuple(found) if found else None


def _get_account(db: Session, account_id: int) -> MailAccount:
    account = db.get(MailAccount, account_id)
    if account is None:
        raise LeaseLost
    return account
