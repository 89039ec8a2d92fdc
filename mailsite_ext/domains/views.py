"""People's own pages: choosing the name of their mailbox, and what their mail clients need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, flash, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.extension_api import (
    SWITCHES,
    BadInput,
    Entry,
    User,
    current_mode,
    require_sign_in,
    runtime,
    settings_side,
    text_of,
)
from mailsite_ext.client_setup.offer import find_offer
from mailsite_ext.domains import service
from mailsite_ext.domains.clients import ClientServer, host_name, server_for
from mailsite_ext.domains.directory import addresses_of
from mailsite_ext.domains.forms import AppPasswordForm, NameForm
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.domains.names import suggest_name
from mailsite_ext.domains.queries import list_app_passwords
from mailsite_ext.settings.certificate import load_certificate
from mailsite_ext.settings.posture import ListenerRole, listeners_wanted
from mailsite_ext.settings.service import load_settings

bp = Blueprint("mailsite", __name__, url_prefix="/settings")


def is_hosting() -> bool:
    """Does the mode of this request host mail?"""
    return SWITCHES[current_mode(g.db)].hosting


def require_hosting() -> None:
    if not is_hosting():
        abort(404)


bp.before_request(require_hosting)
bp.before_request(require_sign_in)
bp.context_processor(settings_side)


def entry() -> Entry | None:
    """The page in the side navigation of Settings."""
    return Entry(url_for("mailsite.mail_clients"), _("Mail clients"), "key") if is_hosting() else None


def open_mailbox() -> ResponseReturnValue | None:
    """Whoever comes to their mail for the first time gets a mailbox, or chooses its name where theirs cannot be had."""
    if request.path != "/mail" or request.method != "GET" or not current_user.is_authenticated or not is_hosting():
        return None
    try:
        service.ensure_mailbox(runtime(), g.db, _person())
    except BadInput:
        return redirect(url_for("mailsite.mailbox"))
    return None


def _person() -> User:
    person: User = current_user._get_current_object()
    return person


@bp.route("/mailbox", methods=["GET", "POST"])
def mailbox() -> ResponseReturnValue:
    """Choose the name of one's mailbox, once."""
    if service.find_mailbox(g.db, current_user.id) is not None:
        return redirect(url_for(".mail_clients"), 303)
    form = NameForm(name=suggest_name(current_user.email))
    if form.validate_on_submit() and _make_mailbox(form):
        return redirect("/mail", 303)
    page = render_template("mailsite/mailbox-name.html", form=form, domains=load_settings(g.db).hosted_domains)
    return page, 422 if form.is_submitted() else 200


def _make_mailbox(form: NameForm) -> bool:
    try:
        service.ensure_mailbox(runtime(), g.db, _person(), text_of(form.name))
    except BadInput:
        form.name.errors = [name_words(text_of(form.name))]
    return not form.name.errors


def name_words(name: str) -> str:
    """What is said of a name that cannot be had; not whether somebody has it."""
    words: str = _("“%(name)s” cannot be had. Choose another, of letters, digits, dots and hyphens.", name=name[:100])
    return words


@bp.get("/mail-clients")
def mail_clients() -> ResponseReturnValue:
    return _clients_page(AppPasswordForm(formdata=None))


@bp.post("/mail-clients/passwords")
def add_password() -> ResponseReturnValue:
    """A new app password: the answer is the only page that ever shows it."""
    form = AppPasswordForm()
    if not form.validate_on_submit():
        return _clients_page(form, 422)
    try:
        made = service.add_app_password(runtime(), g.db, _own_mailbox(), text_of(form.label))
    except BadInput as error:
        form.label.errors = [_("There are %(most)s already. Revoke one you no longer use.", most=error.detail)]
        return _clients_page(form, 422)
    return _clients_page(AppPasswordForm(formdata=None), made=made)


@bp.post("/mail-clients/passwords/<int:password_id>/revoke")
def revoke_password(password_id: int) -> ResponseReturnValue:
    service.revoke_app_password(g.db, _own_mailbox().id, password_id)
    flash(_("Revoked. Whatever used that password cannot sign in any more."), "ok")
    return redirect(url_for(".mail_clients"), 303)


def _own_mailbox() -> Mailbox:
    """The mailbox of whoever asks; who has none has no passwords either."""
    found = service.find_mailbox(g.db, current_user.id)
    return found if found is not None else abort(404)


def _clients_page(form: AppPasswordForm, status: int = 200, **further: Any) -> Response | ResponseReturnValue:
    own = service.find_mailbox(g.db, current_user.id)
    if own is None:
        return redirect(url_for(".mailbox"))
    settings = load_settings(g.db)
    page = render_template(
        "mailsite/mail-clients.html",
        form=form,
        mailbox=own,
        addresses=addresses_of(g.db, own.name, settings.hosted_domains),
        servers=_servers(),
        offer=find_offer(runtime(), g.db, settings.hosted_domains[0]),
        passwords=list_app_passwords(g.db, own.id),
        has_second_step=current_user.sealed_totp is not None,
        **further,
    )
    answer = make_response(page, status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _servers() -> Sequence[tuple[str, ClientServer | None]]:
    """What to type for reading and for sending."""
    parts, settings = runtime(), load_settings(g.db)
    certificate = load_certificate(parts.config, parts.clock.now())
    host = host_name(certificate, urlsplit(parts.config.public_url).hostname or "", settings.hosted_domains[0])
    specs = listeners_wanted(settings, certificate, parts.config.mail_bind)
    return [
        (_("Reading (IMAP)"), server_for(ListenerRole.IMAP, specs, host)),
        (_("Sending (SMTP)"), server_for(ListenerRole.SUBMISSION, specs, host)),
    ]
