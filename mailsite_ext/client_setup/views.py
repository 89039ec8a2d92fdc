"""People's own download: the profile that sets up the mail program of an iPhone, iPad or Mac."""

from __future__ import annotations

from flask import Blueprint, Response, abort, g
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.extension_api import require_sign_in, runtime
from mailsite_ext.client_setup.offer import find_offer
from mailsite_ext.client_setup.profile import Account, profile
from mailsite_ext.domains.directory import addresses_of
from mailsite_ext.domains.service import find_mailbox
from mailsite_ext.domains.views import require_hosting
from mailsite_ext.settings.service import load_settings

bp = Blueprint("client_setup", __name__, url_prefix="/settings/mail-clients")
bp.before_request(require_hosting)
bp.before_request(require_sign_in)


@bp.get("/profile")
def download() -> ResponseReturnValue:
    """404 where a program elsewhere could not read and send with it."""
    own = find_mailbox(g.db, current_user.id) or abort(404)
    domains, parts = load_settings(g.db).hosted_domains, runtime()
    offer = find_offer(parts, g.db, domains[0])
    if offer is None or offer.imap is None or offer.smtp is None:
        abort(404)
    address = addresses_of(g.db, own.name, domains)[0]
    account = Account(
        address=address, name=current_user.name, imap=offer.imap, smtp=offer.smtp, place=parts.config.base_url
    )
    answer = Response(profile(account), mimetype="application/x-apple-aspen-config")
    answer.headers["Content-Disposition"] = f'attachment; filename="{offer.domain}.mobileconfig"'
    return answer
