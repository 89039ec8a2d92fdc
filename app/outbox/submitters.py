"""Who takes an account's messages, by `mail_account.source`; an extension adds its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from app.accounts import guard, oauth
from app.accounts import service as accounts
from app.accounts.endpoint import Tls
from app.accounts.models import Auth, MailAccount
from app.accounts.tls import client_context
from app.errors import StarttlsNotOffered
from app.outbox.smtp import Login, SmtpSubmitter
from app.outbox.submitter import MailSubmitter
from app.runtime import Runtime


def submitter_for(parts: Runtime, account: MailAccount) -> MailSubmitter:
    """Raises what keeps a submitter from being made: VaultError, GrantRevoked, StarttlsNotOffered."""
    return SUBMITTERS[account.source](parts, account)


def smtp_submitter(parts: Runtime, account: MailAccount) -> SmtpSubmitter:
    """The account's own SMTP server, through the guard (E4); without TLS only where an admin allows it (E3)."""
    with parts.public.session() as db:
        policy = guard.load_policy(db)
    if account.smtp_tls is Tls.NONE and not policy.allows_cleartext(account.smtp_host):
        raise StarttlsNotOffered("connections without TLS are not allowed here")
    return SmtpSubmitter(
        account.smtp_endpoint(),
        _login(parts, account),
        connect=partial(guard.connect, policy, parts.resolver),
        tls=client_context(parts.config.tls_ca_file),
    )


def _login(parts: Runtime, account: MailAccount) -> Login:
    if account.auth is Auth.OAUTH:
        return Login(account.smtp_username, oauth.access_token(parts, account.id), "xoauth2")
    return Login(account.smtp_username, accounts.credentials(parts.vault, account).smtp_password)


SUBMITTERS: dict[str, Callable[[Runtime, MailAccount], MailSubmitter]] = {"imap": smtp_submitter}
