"""Administration: the certificate of the mail listeners, and having one by ACME."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, RadioField, StringField
from wtforms.validators import Email, Length, Optional, ValidationError

from app.extension_api import (
    Entry,
    admin_side,
    choices,
    require_admin,
    running_settings,
    runtime,
    text_of,
    tidy,
)
from mailsite_ext.certificates import service
from mailsite_ext.certificates.models import CertificateOrder
from mailsite_ext.domains.views import is_hosting, require_hosting
from mailsite_ext.settings.certificate import load_certificate

bp = Blueprint("certificates", __name__, url_prefix="/admin/certificate")
bp.before_request(require_admin)
bp.before_request(require_hosting)
bp.context_processor(admin_side)

AUTHORITIES = {"production": service.PRODUCTION, "staging": service.STAGING}
OTHER = "other"


class OrderForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    enabled = BooleanField(lazy_gettext("Get and renew a certificate"))
    authority = RadioField(
        lazy_gettext("Authority"),
        choices=choices(
            ("production", lazy_gettext("Let’s Encrypt")),
            ("staging", lazy_gettext("Let’s Encrypt, a trial")),
            (OTHER, lazy_gettext("Another one")),
        ),
        default="production",
    )
    directory = StringField(lazy_gettext("Its directory"), [Length(max=500)], filters=[tidy])
    contact = StringField(
        lazy_gettext("Contact address"),
        [Optional(), Length(max=254), Email(lazy_gettext("Type an address such as postmaster@example.org."))],
        filters=[tidy],
    )
    agreed = BooleanField(lazy_gettext("I agree to the authority’s terms of service"))

    def validate_directory(self, field: Field) -> None:
        if self.authority.data != OTHER:
            return
        try:
            parts = urlsplit(text_of(field))
            is_good = parts.scheme == "https" and bool(parts.hostname) and (parts.port or 443) > 0
        except ValueError:
            is_good = False
        if not is_good or not text_of(field).isprintable() or "@" in parts.netloc:
            raise ValidationError(_("Type an address that begins with https://."))

    def validate_agreed(self, field: Field) -> None:
        if self.enabled.data and not field.data:
            raise ValidationError(_("No authority gives certificates to who does not agree."))

    def wanted(self) -> service.Wanted:
        directory = AUTHORITIES.get(self.authority.data) or text_of(self.directory)
        return service.Wanted(bool(self.enabled.data), directory, text_of(self.contact))


def entry() -> Entry | None:
    """The page in the side navigation of Administration."""
    return Entry(url_for("certificates.index"), _("Certificate"), "lock") if is_hosting() else None


@bp.get("")
def index() -> ResponseReturnValue:
    """With ?fragment the state alone, for the script that renews it."""
    order = service.find_order(g.db)
    return _page("_certificate.html" if "fragment" in request.args else "certificate.html", _form_of(order), order)


def _form_of(order: CertificateOrder | None) -> OrderForm:
    if order is None:
        return OrderForm(formdata=None)
    known = {url: name for name, url in AUTHORITIES.items()}
    authority = known.get(order.directory, OTHER)
    return OrderForm(
        formdata=None,
        enabled=order.enabled,
        authority=authority,
        directory=order.directory if authority == OTHER else "",
        contact=order.contact,
        agreed=order.enabled,
    )


def _page(template: str, form: OrderForm, order: CertificateOrder | None) -> ResponseReturnValue:
    parts = runtime()
    now = parts.clock.now()
    page = render_template(
        f"mailsite/{template}",
        form=form,
        order=order,
        certificate=load_certificate(parts.config, now),
        is_by_hand=bool(parts.config.tls_certificate_file),
        is_trial=order is not None and order.directory == service.STAGING,
        is_under_way=order is not None and order.turn_until is not None and order.turn_until > now,
        is_running=bool(running_settings(g.db, "delivery")),
        public_url=parts.config.public_url,
    )
    return page, 422 if form.errors else 200


@bp.post("")
def save() -> ResponseReturnValue:
    form = OrderForm()
    if not form.validate_on_submit():
        return _page("certificate.html", form, service.find_order(g.db))
    service.save(g.db, form.wanted(), runtime().clock.now())
    flash(_("Saved."), "ok")
    return redirect(url_for(".index"), 303)


@bp.post("/now")
def now() -> ResponseReturnValue:
    """Do not wait for the next turn."""
    if service.ask(g.db, runtime().clock.now()):
        flash(_("It is looked after now."), "ok")
    else:
        words = _(
            "Not done: authorities refuse who fails too often. Try again a quarter of an hour after the last try."
        )
        flash(words, "warn")
    return redirect(url_for(".index"), 303)
