"""Consent: to the provider and back (RFC 6749 §4.1, PKCE), then both logins with the token, then the account."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import abort, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import oauth, oauth_providers, service
from app.accounts.endpoint import Credentials
from app.accounts.models import MailAccount
from app.accounts.oauth_providers import PROVIDERS, Client, Tokens
from app.accounts.pages import bp, failed
from app.accounts.presets import Preset, find_preset
from app.accounts.probe import NotVerified
from app.accounts.service import Settings
from app.errors import BadInput, LoginRefused, MailError, NotFound
from app.runtime import runtime
from app.web.ids import row_id

PENDING = "consent"
"""Session key of a consent that was begun."""
TIME_LIMIT = timedelta(minutes=15)
MAX_CODE = 4_096


@dataclass(frozen=True, slots=True)
class Pending:
    """A consent on its way: bound to this session by `state`, to this person and to what they wanted."""

    state: str
    verifier: str
    provider: str
    preset: str
    address: str
    account_id: int
    user_id: int
    began: float


@bp.get("/oauth/<provider>/start")
def oauth_start(provider: str) -> ResponseReturnValue:
    """Send the person to the provider's consent page; nothing changes here until they come back."""
    client = _get_client(provider)
    account_id = request.args.get("account", 0, row_id)
    account = service.get_account(g.db, current_user.id, account_id) if account_id else None
    preset = find_preset(account.provider if account else request.args.get("preset", ""))
    if preset is None or preset.oauth != provider:
        raise NotFound
    address = account.address if account else request.args.get("address", "")[:254]
    if not address.isprintable():
        abort(400)
    pending = Pending(
        state=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        provider=provider,
        preset=preset.key,
        address=address,
        account_id=account_id,
        user_id=current_user.id,
        began=runtime().clock.now().timestamp(),
    )
    session[PENDING] = asdict(pending)
    hint = {"state": pending.state, "verifier": pending.verifier, "login_hint": address}
    return redirect(oauth_providers.consent_url(client, **hint), 302)


@bp.get("/oauth/<provider>/callback")
def oauth_callback(provider: str) -> ResponseReturnValue:
    """Back from the provider, with a code or with its refusal."""
    pending = _take_pending(provider)
    try:
        client, code = _get_client(provider), _get_code()
        g.db.close()  # no session is held while the provider is asked
        tokens = oauth_providers.exchange(client, code, pending.verifier)
        return _connect(pending, tokens)
    except NotVerified as error:
        return _failed_page(pending, **failed(error.report, find_preset(pending.preset)))
    except NotFound:
        raise
    except MailError as error:
        return _failed_page(pending, refusal=error.detail)


def _get_client(provider: str) -> Client:
    """Raises NotFound where no admin registered one."""
    client = oauth.find_client(runtime(), g.db, provider)
    if client is None:
        raise NotFound
    return client


def _take_pending(provider: str) -> Pending:
    """The consent this answer belongs to; it counts once.  Anything else is refused as a forged request."""
    kept = session.pop(PENDING, None)
    pending = Pending(**kept) if isinstance(kept, dict) else None
    now = runtime().clock.now()
    if (
        pending is None
        or not secrets.compare_digest(pending.state.encode(), request.args.get("state", "").encode())
        or pending.provider != provider
        or pending.user_id != current_user.id
        or now - datetime.fromtimestamp(pending.began, UTC) > TIME_LIMIT
    ):
        abort(400)
    return pending


def _get_code() -> str:
    """Raises LoginRefused with the provider's words (RFC 6749 §4.1.2.1)."""
    code = request.args.get("code", "")
    if code and len(code) <= MAX_CODE and code.isprintable():
        return code
    words = [request.args.get("error", ""), request.args.get("error_description", "")]
    shown = " ".join("".join(char for char in word if char.isprintable())[:300] for word in words)
    raise LoginRefused(shown.strip() or "no code came back")


def _connect(pending: Pending, tokens: Tokens) -> ResponseReturnValue:
    """Verify both logins with the token, and store it."""
    preset = find_preset(pending.preset)
    if preset is None:
        raise NotFound
    if pending.account_id:
        return _reconnect(pending, tokens)
    settings = _settings_for(preset, pending.address or tokens.address)
    if service.has_account_for(g.db, current_user.id, settings):
        raise BadInput("address", _("This mailbox is among your accounts already."))
    account = service.add_account(
        runtime(), g.db, current_user.id, settings, _with_token(settings, tokens),
        name=current_user.name, tokens=tokens,
    )  # fmt: skip
    flash(_("Added “%(label)s”. The newest mail comes first.", label=account.label), "ok")
    return redirect(url_for("shell.home"), 303)


def _reconnect(pending: Pending, tokens: Tokens) -> ResponseReturnValue:
    account: MailAccount = service.get_account(g.db, current_user.id, pending.account_id)
    settings = Settings.of(account)
    service.change_account(runtime(), g.db, account, settings, _with_token(settings, tokens), tokens=tokens)
    flash(_("“%(label)s” is connected again.", label=account.label), "ok")
    return redirect(url_for(".index"), 303)


def _settings_for(preset: Preset, address: str) -> Settings:
    if not address:
        raise BadInput("address", _("The provider did not say which address this is. Type it first."))
    user = preset.username(address)
    return Settings(address, address, "lagoon", preset.imap, preset.smtp, user, user, preset.key)


def _with_token(settings: Settings, tokens: Tokens) -> Credentials:
    return Credentials(settings.imap_username, settings.smtp_username, access_token=tokens.access_token)


def _failed_page(pending: Pending, **shown: Any) -> ResponseReturnValue:
    target = url_for(
        ".oauth_start",
        provider=pending.provider,
        preset=pending.preset,
        address=pending.address,
        account=pending.account_id or None,
    )
    provider = PROVIDERS[pending.provider]
    return render_template(
        "accounts/consent-failed.html", provider=provider, address=pending.address, target=target, **shown
    ), 422
