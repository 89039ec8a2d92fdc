"""A person's mail accounts: added, changed, ordered, paused, removed.  Nothing is stored that was not verified (E2)."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts import guard, oauth
from app.accounts.endpoint import Credentials, Endpoint
from app.accounts.models import AccountState, Auth, Identity, MailAccount
from app.accounts.oauth_providers import Tokens
from app.accounts.presets import Preset, find_by_host, find_preset
from app.accounts.probe import NotVerified, Report, examine
from app.bus import Bell, Topic
from app.errors import NotFound
from app.mail_services.awake import is_awake
from app.runtime import Runtime
from app.vault.secretbox import Vault, new_key

MAX_ACCOUNTS = 100
MAX_IDENTITIES = 50


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person decides about an account; `provider` is a key of app.accounts.presets, or empty."""

    address: str
    label: str
    color: str
    imap: Endpoint
    smtp: Endpoint
    imap_username: str
    smtp_username: str
    provider: str = ""

    @property
    def preset(self) -> Preset | None:
        """The provider whose rules apply: the servers decide, the key tells providers apart that share them."""
        chosen = find_preset(self.provider)
        if chosen is not None and chosen.imap.host == self.imap.host:
            return chosen
        return find_by_host(self.imap.host)

    @classmethod
    def of(cls, account: MailAccount) -> Settings:
        """The settings as they are stored."""
        return cls(
            account.address,
            account.label,
            account.color,
            account.imap_endpoint(),
            account.smtp_endpoint(),
            account.imap_username,
            account.smtp_username,
            account.provider,
        )

    def credentials(self, password: str) -> Credentials:
        """One password for both servers."""
        return Credentials(self.imap_username, self.smtp_username, password, password)

    def columns(self) -> Mapping[str, Any]:
        preset = self.preset
        return {
            "address": self.address,
            "label": self.label,
            "color": self.color,
            "provider": preset.key if preset else "",
            "imap_host": self.imap.host,
            "imap_port": self.imap.port,
            "imap_tls": self.imap.tls,
            "imap_username": self.imap_username,
            "smtp_host": self.smtp.host,
            "smtp_port": self.smtp.port,
            "smtp_tls": self.smtp.tls,
            "smtp_username": self.smtp_username,
            "files_sent_itself": preset.files_sent_itself if preset else False,
            "is_gmail": preset.is_gmail if preset else False,
        }


@dataclass(frozen=True, slots=True)
class IdentityFields:
    """What a person writes from; the signature as plain text."""

    name: str
    address: str
    reply_to: str = ""
    signature: str = ""

    @classmethod
    def of(cls, identity: Identity) -> IdentityFields:
        return cls(identity.name, identity.address, identity.reply_to, _plain(identity.signature_html))


# What opens an account


def imap_seal(uuid: str) -> str:
    return f"mail_account.imap_password:{uuid}"


def smtp_seal(uuid: str) -> str:
    return f"mail_account.smtp_password:{uuid}"


def data_key_seal(uuid: str) -> str:
    return f"mail_account.data_key:{uuid}"


def credentials(vault: Vault, account: MailAccount) -> Credentials:
    """What opens the account's servers; for OAuth only the names, the token comes from `oauth.access_token`.

    Raises VaultError if a seal does not open.
    """
    imap = _open(vault, imap_seal(account.uuid), account.sealed_imap_password)
    smtp = _open(vault, smtp_seal(account.uuid), account.sealed_smtp_password)
    return Credentials(account.imap_username, account.smtp_username, imap, smtp or imap)


def _open(vault: Vault, name: str, sealed: bytes | None) -> str:
    return vault.open_text(name, sealed) if sealed else ""


def _sealed(vault: Vault, uuid: str, given: Credentials) -> dict[str, bytes | None]:
    """The columns of passwords; one that serves both servers is stored once."""
    own_smtp = given.smtp_password if given.smtp_password != given.imap_password else ""
    return {
        "sealed_imap_password": vault.seal(imap_seal(uuid), given.imap_password),
        "sealed_smtp_password": vault.seal(smtp_seal(uuid), own_smtp) if own_smtp else None,
    }


def _token_columns(parts: Runtime, uuid: str, tokens: Tokens) -> dict[str, Any]:
    return {
        "auth": Auth.OAUTH,
        "sealed_oauth_tokens": oauth.seal_tokens(parts, uuid, tokens),
        "oauth_expires_at": parts.clock.now() + timedelta(seconds=tokens.lifetime_s),
        "oauth_refreshing_until": None,
    }


# Finding


def find_account(db: Session, owner_id: int, account_id: int) -> MailAccount | None:
    return db.scalar(select(MailAccount).where(MailAccount.id == account_id, MailAccount.owner_id == owner_id))


def get_account(db: Session, owner_id: int, account_id: int) -> MailAccount:
    """The account, if it is this person's.  Raises NotFound."""
    account = find_account(db, owner_id, account_id)
    if account is None:
        raise NotFound
    return account


def list_accounts(db: Session, owner_id: int) -> Sequence[MailAccount]:
    """A person's accounts in their order, without those that sleep in this mode."""
    mine = select(MailAccount).where(MailAccount.owner_id == owner_id, is_awake())
    return db.scalars(mine.order_by(MailAccount.position, MailAccount.id)).all()


def has_account_for(db: Session, owner_id: int, settings: Settings) -> bool:
    """Is this mailbox among the person's accounts already?"""
    same = select(MailAccount.id).where(
        MailAccount.owner_id == owner_id,
        MailAccount.imap_host == settings.imap.host,
        MailAccount.imap_username == settings.imap_username,
    )
    return db.scalar(same.limit(1)) is not None


# Adding and changing


def verify(parts: Runtime, db: Session, settings: Settings, given: Credentials) -> Report:
    """Try both logins, with no database session open meanwhile.  Raises NotVerified with what failed."""
    policy = guard.load_policy(db)
    db.close()  # gives the connection back; the session opens another when it is used again
    report = examine(parts, policy, settings.imap, settings.smtp, given)
    if not report.works:
        raise NotVerified(report)
    return report


def add_account(
    parts: Runtime, db: Session, owner_id: int, settings: Settings, given: Credentials, *,
    name: str, tokens: Tokens | None = None,
) -> MailAccount:  # fmt: skip
    """Store an account that works.  Raises NotVerified, and then stores nothing."""
    verify(parts, db, settings, given)
    uuid = str(uuid4())  # made first, so that the seals can name their row
    secrets = _token_columns(parts, uuid, tokens) if tokens else _sealed(parts.vault, uuid, given)
    last = db.scalar(select(func.max(MailAccount.position)).where(MailAccount.owner_id == owner_id))
    account = MailAccount(
        uuid=uuid,
        owner_id=owner_id,
        position=(last or 0) + 1,
        sealed_data_key=parts.vault.seal(data_key_seal(uuid), new_key()),
        identities=[Identity(name=name, address=settings.address)],
        **settings.columns(),
        **secrets,
    )
    db.add(account)
    db.commit()
    ring(parts, account)
    return account


def add_hosted_account(
    parts: Runtime, db: Session, owner_id: int, source: str, address: str, *, name: str, label: str
) -> MailAccount:
    """The row of a mailbox that an extension keeps itself, as `source`; first in the person's order (M4).

    The caller commits, then rings.
    """
    uuid = str(uuid4())
    first = db.scalar(select(func.min(MailAccount.position)).where(MailAccount.owner_id == owner_id))
    account = MailAccount(
        uuid=uuid,
        owner_id=owner_id,
        source=source,
        address=address,
        label=label,
        position=(first or 1) - 1,
        files_sent_itself=False,
        sealed_data_key=parts.vault.seal(data_key_seal(uuid), new_key()),
        identities=[Identity(name=name, address=address)],
    )
    db.add(account)
    return account


def change_account(
    parts: Runtime, db: Session, account: MailAccount, settings: Settings, given: Credentials, *,
    tokens: Tokens | None = None,
) -> None:  # fmt: skip
    """Store other settings or another password, once they work; an error the account had is over.

    Raises NotVerified, and then changes nothing.
    """
    verify(parts, db, settings, given)
    secrets = _token_columns(parts, account.uuid, tokens) if tokens else {}
    if not tokens and not given.uses_token:
        secrets = {"auth": Auth.PASSWORD, "sealed_oauth_tokens": None, **_sealed(parts.vault, account.uuid, given)}
    _update(db, account, {**settings.columns(), **secrets, **_healthy(account)})
    ring(parts, account)


def note_recovery(parts: Runtime, db: Session, account: MailAccount) -> None:
    """Both logins worked just now: the error is over, and the engine need not wait any longer."""
    _update(db, account, _healthy(account))
    ring(parts, account)


def _healthy(account: MailAccount) -> dict[str, Any]:
    state = AccountState.READY if account.last_sync_at else AccountState.NEW
    return {"state": state, "error": "", "error_detail": "", "error_at": None, "retry_at": None}


def rename_account(parts: Runtime, db: Session, account: MailAccount, label: str, color: str) -> None:
    _update(db, account, {"label": label, "color": color})
    parts.bus.ring(Bell(Topic.TREE, account.owner_id))


def pause_account(parts: Runtime, db: Session, account: MailAccount, *, paused: bool) -> None:
    """Stop fetching and sending, or go on; what was fetched stays readable."""
    _update(db, account, {"paused": paused, "retry_at": None})
    ring(parts, account)


def move_account(parts: Runtime, db: Session, account: MailAccount, step: int) -> None:
    """One place up (-1) or down (1) in the person's order."""
    accounts = list(list_accounts(db, account.owner_id))
    place = next(index for index, other in enumerate(accounts) if other.id == account.id)
    target = min(max(place + step, 0), len(accounts) - 1)
    accounts.insert(target, accounts.pop(place))
    for position, other in enumerate(accounts, start=1):
        db.execute(update(MailAccount).where(MailAccount.id == other.id).values(position=position))
    db.commit()
    parts.bus.ring(Bell(Topic.TREE, account.owner_id))


def remove_account(parts: Runtime, db: Session, account: MailAccount) -> None:
    """Remove the account and all that hangs on its row (N5); nothing happens on its server."""
    db.delete(account)
    db.commit()
    ring(parts, account)


def _update(db: Session, account: MailAccount, values: Mapping[str, Any]) -> None:
    """The engine writes other columns of the row at the same time, so only these are written."""
    db.execute(update(MailAccount).where(MailAccount.id == account.id).values(**values))
    db.commit()
    db.expire_all()


def ring(parts: Runtime, account: MailAccount) -> None:
    parts.bus.ring(Bell(Topic.ACCOUNT, account.id), Bell(Topic.TREE, account.owner_id))


# Identities


def get_identity(account: MailAccount, identity_id: int) -> Identity:
    """One of the account's identities.  Raises NotFound."""
    for identity in account.identities:
        if identity.id == identity_id:
            return identity
    raise NotFound


def save_identity(db: Session, account: MailAccount, identity: Identity | None, fields: IdentityFields) -> None:
    """Change an identity, or add one at the end."""
    if identity is None:
        last = max((known.position for known in account.identities), default=0)
        identity = Identity(account_id=account.id, position=last + 1)
        db.add(identity)
    identity.name, identity.address = fields.name, fields.address
    identity.reply_to, identity.signature_html = fields.reply_to, _html(fields.signature)
    db.commit()


def put_identity_first(db: Session, account: MailAccount, identity: Identity) -> None:
    """What is written from the account begins as this one."""
    identity.position = min(known.position for known in account.identities) - 1
    db.commit()


def remove_identity(db: Session, account: MailAccount, identity: Identity) -> bool:
    """Remove it; False for the last one, which stays: every account has somebody to write from."""
    if len(account.identities) < 2:
        return False
    db.delete(identity)
    db.commit()
    return True


def _html(signature: str) -> str:
    """A signature typed as plain text, as the editor keeps it."""
    lines = [html.escape(line) for line in signature.strip().splitlines()]
    return "<br>".join(lines)


def _plain(signature_html: str) -> str:
    return html.unescape(signature_html.replace("<br>", "\n"))
