"""People's own page: what became of their mail to other servers, and which addresses are refused at once."""

from __future__ import annotations

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup

from app.extension_api import require_sign_in, row_id, runtime
from mailsite_ext.delivery import fates, suppression
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.domains.service import find_mailbox
from mailsite_ext.domains.views import is_hosting, require_hosting

bp = Blueprint("fates", __name__, url_prefix="/mail/outbox/elsewhere")
bp.before_request(require_hosting)
bp.before_request(require_sign_in)


def panel() -> Markup:
    """For the outbox: what is on its way or was refused lately; empty: no mail is hosted for this person."""
    mailbox = find_mailbox(g.db, current_user.id) if is_hosting() else None
    if mailbox is None:
        return Markup()
    now = runtime().clock.now()
    sent = fates.list_troubled(g.db, mailbox, now)
    bounced = suppression.list_bounced(g.db, now, mailbox.id)
    page = render_template("mailsite/_fates.html", sent=sent, bounced=bounced, now=now)
    return Markup(page)  # noqa: S704  a template escaped it


@bp.get("")
def index() -> ResponseReturnValue:
    now, own = runtime().clock.now(), _own_mailbox()
    return render_template(
        "mailsite/fates.html",
        listed=fates.list_sent(g.db, own, request.args.get("before", None, row_id)),
        bounced=suppression.list_bounced(g.db, now, own.id),
        now=now,
    )


@bp.post("/bounced/<int:bounced_id>/lift")
def lift(bounced_id: int) -> ResponseReturnValue:
    """Send anyway: the next message to it goes."""
    address = suppression.lift(g.db, bounced_id, _own_mailbox().id)
    flash(_("Mail to %(address)s goes again. Send your message once more.", address=address), "ok")
    return redirect(url_for("outbox.index"), 303)


def _own_mailbox() -> Mailbox:
    return find_mailbox(g.db, current_user.id) or abort(404)
