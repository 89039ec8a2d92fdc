"""A person's own page: whom they trust (T6)."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import StringField

from app.extension_api import (
    BadInput,
    Entry,
    get_message,
    require_sign_in,
    runtime,
    safe_next,
    settings_side,
    text_of,
    tidy,
)
from mailsite_ext.domains.views import is_hosting, require_hosting
from mailsite_ext.trusted_senders import service

bp = Blueprint("trusted_senders", __name__, url_prefix="/settings/trusted-senders")
bp.before_request(require_hosting)
bp.before_request(require_sign_in)
bp.context_processor(settings_side)


class SenderForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF brings no types
    sender = StringField(lazy_gettext("Address or domain"), filters=[tidy])


def entry() -> Entry | None:
    """The page in the side navigation of Settings."""
    return Entry(url_for("trusted_senders.index"), _("Trusted senders"), "shield") if is_hosting() else None


@bp.route("", methods=["GET", "POST"])
def index() -> ResponseReturnValue:
    """The list, and a form for one more."""
    form = SenderForm()
    if form.validate_on_submit() and _add(form):
        flash(_("Saved."), "ok")
        return redirect(url_for(".index"), 303)
    trusted = service.list_trusted(g.db, current_user.id)
    page = render_template("mailsite/trusted-senders.html", form=form, trusted=trusted)
    return page, 422 if form.is_submitted() else 200


def _add(form: SenderForm) -> bool:
    try:
        service.trust(g.db, current_user.id, service.entry_of(text_of(form.sender)), runtime().clock.now())
    except BadInput as error:
        form.sender.errors = [_words(error)]
    return not form.sender.errors


def _words(error: BadInput) -> str:
    if error.detail == str(service.MOST):
        full: str = _("There are %(most)s already. Remove one you no longer need.", most=error.detail)
        return full
    words: str = _("This is neither an address nor a domain. Write one such as ada@example.org or example.org.")
    return words


@bp.post("/<int:trusted_id>/remove")
def remove(trusted_id: int) -> ResponseReturnValue:
    service.distrust(g.db, current_user.id, trusted_id)
    flash(_("Removed. Mail from them is looked at like any other."), "ok")
    return redirect(url_for(".index"), 303)


@bp.post("/author-of/<int:message_id>")
def trust_author(message_id: int) -> ResponseReturnValue:
    """From an open message: its author, or with who=domain everybody there."""
    author = get_message(g.db, current_user.id, message_id).from_address
    shown = author.rpartition("@")[2] if request.form.get("who") == "domain" else author
    try:
        service.trust(g.db, current_user.id, service.entry_of(shown), runtime().clock.now())
    except BadInput as error:
        flash(_words(error), "warn")
    else:
        flash(_("%(sender)s is among your trusted senders. The next message stays out of Junk.", sender=shown), "ok")
    return redirect(safe_next(request.form.get("next", "")), 303)
