"""Access tokens of accounts that sign in by OAuth: refreshed early, by one process at a time."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.accounts import oauth_providers
from app.accounts.models import AccountState, MailAccount
from app.accounts.oauth_providers import Client, Tokens
from app.accounts.presets import find_preset
from app.bus import Bell, Topic
from app.db import row_count
from app.errors import EngineSilent, GrantRevoked, MailError, NotFound, ServerUnreachable
from app.mail_services.models import OAuthClient
from app.mail_services.oauth_clients import secret_seal
from app.runtime import Runtime

EARLY = timedelta(minutes=5)  # tokens are renewed so long before they end
STILL_GOOD = timedelta(seconds=30)  # what a login needs
CLAIM = timedelta(seconds=30)  # how long one process may take to refresh
LOOK_EVERY_S = 0.05
WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class _Grant:
    """What the account's row says."""

    uuid: str
    provider: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime


def tokens_seal(uuid: str) -> str:
    """The name an account's tokens are sealed under (C1)."""
    return f"mail_account.oauth_tokens:{uuid}"


def find_client(parts: Runtime, db: Session, provider: str) -> Client | None:
    """What the admin registered with `provider`, or None."""
    row = db.get(OAuthClient, provider)
    if row is None or provider not in oauth_providers.PROVIDERS:
        return None
    sealed = row.sealed_client_secret
    secret = parts.vault.open_text(secret_seal(provider), sealed) if sealed else ""
    return Client(provider, row.client_id, secret, redirect_uri(parts, provider), parts.config.tls_ca_file)


def redirect_uri(parts: Runtime, provider: str) -> str:
    """The address an admin registers with the provider, and consents come back to."""
    return f"{parts.config.base_url}/mail/oauth/{provider}/callback"


def seal_tokens(parts: Runtime, uuid: str, tokens: Tokens) -> bytes:
    text = json.dumps({"access_token": tokens.access_token, "refresh_token": tokens.refresh_token})
    return parts.vault.seal(tokens_seal(uuid), text)


def access_token(parts: Runtime, account_id: int) -> str:
    """A token good for at least half a minute, refreshed by whoever comes first.

    Raises GrantRevoked (the person must consent again; the account is marked), NotFound (no such account), or why the
    provider could not be asked.
    """
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        grant, now = _load(parts, account_id), parts.clock.now()
        if grant.expires_at - now > EARLY:
            return grant.access_token
        claimed = _claim(parts, account_id, grant, now)
        if claimed is not None:
            return _refresh(parts, account_id, grant, claimed)
        if grant.expires_at - now > STILL_GOOD:
            return grant.access_token  # another process refreshes; this one need not wait
        time.sleep(LOOK_EVERY_S)
    raise EngineSilent("the token of the account was not refreshed in time")


def _load(parts: Runtime, account_id: int) -> _Grant:
    with parts.public.session() as db:
        account = db.get(MailAccount, account_id)
        if account is None:
            raise NotFound
        if not account.sealed_oauth_tokens or account.oauth_expires_at is None:
            raise GrantRevoked(account.error_detail)
        tokens = json.loads(parts.vault.open_text(tokens_seal(account.uuid), account.sealed_oauth_tokens))
        return _Grant(account.uuid, account.provider, **tokens, expires_at=account.oauth_expires_at)


def _claim(parts: Runtime, account_id: int, grant: _Grant, now: datetime) -> datetime | None:
    """Until when this process, and no other, may refresh; None: another one does."""
    until = now + CLAIM
    free = or_(MailAccount.oauth_refreshing_until.is_(None), MailAccount.oauth_refreshing_until <= now)
    same = MailAccount.oauth_expires_at == grant.expires_at
    mine = update(MailAccount).where(MailAccount.id == account_id, free, same)
    with parts.public.session() as db:
        won = row_count(db.execute(mine.values(oauth_refreshing_until=until)))
        db.commit()
    return until if won else None


def _refresh(parts: Runtime, account_id: int, grant: _Grant, claimed: datetime) -> str:
    """Ask the provider, with no database session open, and store what it says."""
    try:
        tokens = oauth_providers.refresh(_get_client(parts, grant.provider), grant.refresh_token)
    except GrantRevoked as revoked:
        _mark_revoked(parts, account_id, claimed, revoked)
        raise
    except MailError:
        _store(parts, account_id, claimed, {})
        if grant.expires_at - parts.clock.now() > STILL_GOOD:
            return grant.access_token  # it was early; the next call tries again
        raise
    expires_at = parts.clock.now() + timedelta(seconds=tokens.lifetime_s)
    sealed = seal_tokens(parts, grant.uuid, tokens)
    _store(parts, account_id, claimed, {"sealed_oauth_tokens": sealed, "oauth_expires_at": expires_at})
    return tokens.access_token


def _get_client(parts: Runtime, provider: str) -> Client:
    preset = find_preset(provider)
    with parts.public.session() as db:
        client = find_client(parts, db, preset.oauth) if preset else None
    if client is None:
        raise ServerUnreachable("this site is not registered with the provider any more; an admin can do that")
    return client


def _store(parts: Runtime, account_id: int, claimed: datetime, values: dict[str, object]) -> None:
    """End the claim, if it is still ours, and keep what came of it."""
    ours = (MailAccount.id == account_id, MailAccount.oauth_refreshing_until == claimed)
    with parts.public.session() as db:
        db.execute(update(MailAccount).where(*ours).values(oauth_refreshing_until=None, **values))
        db.commit()


def _mark_revoked(parts: Runtime, account_id: int, claimed: datetime, revoked: GrantRevoked) -> None:
    """This account, and no other, asks to be connected again (E14)."""
    _store(parts, account_id, claimed, {
        "state": AccountState.REFUSED, "error": GrantRevoked.__name__, "error_detail": revoked.detail,
        "error_at": parts.clock.now(), "sealed_oauth_tokens": None,
    })  # fmt: skip
    with parts.public.session() as db:
        owner_id = db.scalar(select(MailAccount.owner_id).where(MailAccount.id == account_id))
    if owner_id is not None:
        parts.bus.ring(Bell(Topic.TREE, owner_id))
