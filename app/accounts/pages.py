"""What the pages of mail accounts share: their blueprint, whose they are, how a failed login is shown."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.accounts import service, words
from app.accounts.models import MailAccount
from app.accounts.presets import Preset
from app.accounts.probe import Report
from app.errors import NotFound
from app.runtime import runtime
from app.users.sessions import ask_to_sign_in
from app.users.settings_views import sections

bp = Blueprint("accounts", __name__, url_prefix="/mail")


@bp.before_request
def require_sign_in() -> ResponseReturnValue | None:
    """Every page here is somebody's own."""
    return None if current_user.is_authenticated else ask_to_sign_in()


@bp.context_processor
def side() -> dict[str, Any]:
    return {"sections": sections()}


def own_account(account_id: int) -> MailAccount:
    """The account, if it belongs to whoever asks.  Raises NotFound."""
    return service.get_account(g.db, current_user.id, account_id)


def own_external_account(account_id: int) -> MailAccount:
    """One held elsewhere: only those have servers, a login and an end by their person's hand.  Raises NotFound."""
    account = own_account(account_id)
    if not account.is_external:
        raise NotFound
    return account


def failed(report: Report, preset: Preset | None) -> dict[str, Any]:
    """What a page shows of a login that did not work."""
    now = runtime().clock.now()
    return {
        "trouble": words.trouble(report, preset),
        "preset": preset,
        "reading": words.step_lines(report.imap, now),
        "sending": words.step_lines(report.smtp, now),
    }
