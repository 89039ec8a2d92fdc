"""Pages about forwarding: an admin's aliases that lead elsewhere, and people's own forward where they may."""

from __future__ import annotations

from flask import Blueprint, abort, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import DataRequired, Length

from app.extension_api import (
    BadInput,
    Entry,
    admin_side,
    choices,
    require_admin,
    require_sign_in,
    settings_side,
    text_of,
    tidy,
)
from mailsite_ext.domains.models import EVERY_DOMAIN, Mailbox
from mailsite_ext.domains.service import find_mailbox
from mailsite_ext.domains.views import is_hosting, name_words, require_hosting
from mailsite_ext.forwarding import service
from mailsite_ext.settings.service import load_settings

LONGEST_TYPED = 320

aliases = Blueprint("outside_aliases", __name__, url_prefix="/admin/forwarding")
aliases.before_request(require_admin)
aliases.before_request(require_hosting)
aliases.context_processor(admin_side)

own = Blueprint("forwarding", __name__, url_prefix="/settings/forwarding")
own.before_request(require_hosting)
own.before_request(require_sign_in)
own.context_processor(settings_side)


class AliasForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    local = StringField(
        lazy_gettext("Name"), [DataRequired(lazy_gettext("Type a name.")), Length(max=LONGEST_TYPED)], filters=[tidy]
    )
    domain = SelectField(lazy_gettext("Domain"))
    target = StringField(
        lazy_gettext("Goes to"),
        [DataRequired(lazy_gettext("Type an address.")), Length(max=LONGEST_TYPED)],
        filters=[tidy],
    )


class OwnForm(FlaskForm):  # type: ignore[misc]
    forward_to = StringField(lazy_gettext("Forward to"), [Length(max=LONGEST_TYPED)], filters=[tidy])
    keeps_copy = BooleanField(lazy_gettext("Keep a copy here"))


def alias_entry() -> Entry | None:
    """The page in the side navigation of Administration."""
    return Entry(url_for("outside_aliases.index"), _("Forwarding"), "forward") if is_hosting() else None


def own_entry() -> Entry | None:
    """The page in the side navigation of Settings, for those who may."""
    mailbox = find_mailbox(g.db, current_user.id) if is_hosting() and current_user.is_authenticated else None
    return Entry(url_for("forwarding.own"), _("Forwarding"), "forward") if mailbox and mailbox.may_forward else None


def _target_words() -> str:
    words: str = _("That is no address at another server, or it is there already.")
    return words


@aliases.get("")
def index() -> ResponseReturnValue:
    return _alias_page(_alias_form(sent=False))


def _alias_form(*, sent: bool) -> AliasForm:
    form = AliasForm() if sent else AliasForm(formdata=None)
    domains = load_settings(g.db).hosted_domains
    form.domain.choices = choices((EVERY_DOMAIN, _("every domain")), *((domain, domain) for domain in domains))
    return form


def _alias_page(form: AliasForm) -> ResponseReturnValue:
    page = render_template("mailsite/outside-aliases.html", form=form, rows=service.list_aliases(g.db))
    return page, 422 if form.errors else 200


@aliases.post("")
def add() -> ResponseReturnValue:
    form = _alias_form(sent=True)
    if not form.validate_on_submit():
        return _alias_page(form)
    try:
        service.add_alias(g.db, text_of(form.local), text_of(form.domain), text_of(form.target))
    except BadInput as error:
        form[error.field].errors = [_target_words() if error.field == "target" else name_words(text_of(form.local))]
        return _alias_page(form)
    flash(_("Mail to it is forwarded from now on."), "ok")
    return redirect(url_for(".index"), 303)


@aliases.post("/<int:alias_id>/remove")
def remove(alias_id: int) -> ResponseReturnValue:
    service.remove_alias(g.db, alias_id)
    flash(_("Mail to it is forwarded no more."), "ok")
    return redirect(url_for(".index"), 303)


@own.route("", methods=["GET", "POST"], endpoint="own")
def own_forward() -> ResponseReturnValue:
    mailbox = _own_mailbox()
    form = OwnForm(obj=mailbox)
    if not form.validate_on_submit():
        return _own_page(form)
    try:
        service.forward_own(g.db, current_user.id, text_of(form.forward_to), keeps_copy=bool(form.keeps_copy.data))
    except BadInput:
        form.forward_to.errors = [_target_words()]
        return _own_page(form)
    flash(_("Saved."), "ok")
    return redirect(url_for(".own"), 303)


def _own_page(form: OwnForm) -> ResponseReturnValue:
    return render_template("mailsite/forwarding.html", form=form), 422 if form.errors else 200


def _own_mailbox() -> Mailbox:
    """Whoever may not forward finds no such page."""
    found = find_mailbox(g.db, current_user.id)
    return found if found is not None and found.may_forward else abort(404)
