"""A person's own page: what their junk filter does, and what it has learned."""

from __future__ import annotations

from flask import Blueprint, abort, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import BooleanField

from app.extension_api import Entry, require_sign_in, settings_side
from mailsite_ext.domains import service as domains
from mailsite_ext.domains.views import is_hosting, require_hosting
from mailsite_ext.junk import service
from mailsite_ext.junk.score import FEWEST

bp = Blueprint("junk", __name__, url_prefix="/settings/junk")
bp.before_request(require_hosting)
bp.before_request(require_sign_in)
bp.context_processor(settings_side)


class FilterForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF brings no types
    is_on = BooleanField(lazy_gettext("Put junk into Junk"))


def entry() -> Entry | None:
    """The page in the side navigation of Settings."""
    return Entry(url_for("junk.index"), _("Junk filter"), "junk") if is_hosting() else None


@bp.get("")
def index() -> ResponseReturnValue:
    mailbox = domains.find_mailbox(g.db, current_user.id)
    if mailbox is None:
        return redirect(url_for("mailsite.mailbox"))
    own = service.get_filter(g.db, mailbox.id)
    words = service.count_words(g.db, mailbox.id)
    return render_template("mailsite/junk.html", filter=own, words=words, fewest=FEWEST, form=FilterForm(obj=own))


@bp.post("")
def switch() -> ResponseReturnValue:
    form = FilterForm()
    if form.validate_on_submit():
        service.switch(g.db, _own_mailbox(), is_on=bool(form.is_on.data))
        flash(_("Saved."), "ok")
    return redirect(url_for(".index"), 303)


@bp.post("/forget")
def forget() -> ResponseReturnValue:
    service.forget(g.db, _own_mailbox())
    flash(_("Forgotten. Your junk filter begins anew."), "ok")
    return redirect(url_for(".index"), 303)


def _own_mailbox() -> int:
    """Whoever has none has no filter either."""
    found = domains.find_mailbox(g.db, current_user.id)
    return found.id if found is not None else abort(404)
