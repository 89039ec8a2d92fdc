"""Administration: relays, the servers mail for others is handed to instead of the destination's own."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from flask import Blueprint, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import Field, IntegerField, PasswordField, SelectField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, ValidationError

from app.extension_api import (
    BadInput,
    Bell,
    Entry,
    Topic,
    admin_side,
    choices,
    client_context,
    require_admin,
    runtime,
    text_of,
    tidy,
)
from mailsite_ext.delivery import relays
from mailsite_ext.delivery.connection import dial
from mailsite_ext.delivery.relay import Probe, probe
from mailsite_ext.delivery.relay_tls import RelayTls
from mailsite_ext.delivery.remote import Courier
from mailsite_ext.delivery.route import NoRoute
from mailsite_ext.domains.views import is_hosting, require_hosting

bp = Blueprint("relays", __name__, url_prefix="/admin/relays")
bp.before_request(require_admin)
bp.before_request(require_hosting)
bp.context_processor(admin_side)


class RelayForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    domain = StringField(lazy_gettext("Destination"), [Length(max=253)], filters=[tidy])
    host = StringField(
        lazy_gettext("Host"), [DataRequired(lazy_gettext("Type the relay's name.")), Length(max=253)], filters=[tidy]
    )
    tls = SelectField(
        lazy_gettext("Encryption"),
        choices=choices(
            (RelayTls.STARTTLS.value, lazy_gettext("STARTTLS")),
            (RelayTls.IMPLICIT.value, lazy_gettext("TLS from the start")),
        ),
    )
    port = IntegerField(lazy_gettext("Port"), [InputRequired(), NumberRange(1, 65_535)], default=587)
    username = StringField(lazy_gettext("User name"), [Length(max=254)], filters=[tidy])
    password = PasswordField(lazy_gettext("Password"), [Length(max=1_000)])

    def validate_username(self, field: Field) -> None:
        """Both or neither; and nothing that could end what is said in PLAIN (RFC 4616 §2)."""
        if bool(field.data) != bool(self.password.data):
            raise ValidationError(_("Type a user name and a password, or neither."))
        if not (text_of(field) + text_of(self.password)).isprintable():
            raise ValidationError(_("Type letters, digits and signs only."))


def entry() -> Entry | None:
    """The page in the side navigation of Administration."""
    return Entry(url_for("relays.index"), _("Relays"), "send") if is_hosting() else None


@bp.get("")
def index() -> ResponseReturnValue:
    return _page(RelayForm(formdata=None))


def _page(form: RelayForm, tried: tuple[int, Probe] | None = None) -> ResponseReturnValue:
    page = render_template("mailsite/relays.html", form=form, rows=relays.list_relays(g.db), tried=tried)
    return page, 422 if form.errors else 200


@bp.post("")
def add() -> ResponseReturnValue:
    form = RelayForm()
    if not form.validate_on_submit():
        return _page(form)
    typed = relays.Typed(
        text_of(form.domain),
        text_of(form.host),
        int(form.port.data or 0),
        RelayTls(form.tls.data),
        text_of(form.username),
        text_of(form.password),
    )
    try:
        relays.add(g.db, runtime().vault, typed, runtime().clock.now())
    except BadInput as error:
        form[error.field].errors = [_words(error.field)]
        return _page(form)
    runtime().bus.ring(Bell(Topic.DELIVERY))
    flash(_("The relay is added. Try it, then mail goes that way from the next try on."), "ok")
    return redirect(url_for(".index"), 303)


def _words(field: str) -> str:
    words: str = {
        "domain": _("That is no domain, or it has a relay already: remove that one first."),
        "host": _("That is no name of a host."),
    }[field]
    return words


@bp.post("/<int:relay_id>/remove")
def remove(relay_id: int) -> ResponseReturnValue:
    relays.remove(g.db, relay_id)
    flash(_("The relay is removed. Mail goes to the destination's own servers again."), "ok")
    return redirect(url_for(".index"), 303)


@bp.post("/<int:relay_id>/try")
def try_it(relay_id: int) -> ResponseReturnValue:
    """Connect, secure, sign in: no mail is sent."""
    domain = relays.get(g.db, relay_id).domain
    g.db.rollback()  # nothing is held over the network
    return _page(RelayForm(formdata=None), (relay_id, _probe(domain)))


def _probe(domain: str) -> Probe:
    parts = runtime()
    names: Sequence[str] = parts.config.host_names
    tls = client_context(parts.config.tls_ca_file)
    name = names[0] if parts.config.public_url else socket.getfqdn()
    courier = Courier(name=name, dial=dial, opportunistic=tls, verifying=tls)
    try:
        relay = relays.Relays(parts, name).find(domain)
    except NoRoute as error:
        return Probe(error.reply.words, [])
    return probe(courier, relay) if relay is not None else Probe(_("It was removed meanwhile."), [])
