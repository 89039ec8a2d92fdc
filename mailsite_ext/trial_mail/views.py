"""Administration: a test mail to an outside address, with its fate as it comes to be."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired, Length

from app.extension_api import (
    BadInput,
    MailError,
    admin_side,
    choices,
    require_admin,
    running_settings,
    runtime,
    text_of,
    tidy,
)
from mailsite_ext.delivery.views import fate_names
from mailsite_ext.domains.directory import addresses_of
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.domains.service import find_mailbox
from mailsite_ext.domains.views import require_hosting
from mailsite_ext.settings.service import load_settings
from mailsite_ext.trial_mail import service
from mailsite_ext.trial_mail.letter import Letter

bp = Blueprint("trial_mail", __name__, url_prefix="/admin/test-mail")
bp.before_request(require_admin)
bp.before_request(require_hosting)
bp.context_processor(admin_side)


class TrialForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    recipient = StringField(
        lazy_gettext("To"), [DataRequired(lazy_gettext("Type an address.")), Length(max=320)], filters=[tidy]
    )
    sender = SelectField(lazy_gettext("From"))


@bp.get("")
def index() -> ResponseReturnValue:
    return _page(TrialForm(formdata=None), find_mailbox(g.db, current_user.id))


@bp.post("")
def send() -> ResponseReturnValue:
    own = _own_mailbox()
    form = _with_senders(TrialForm(), own)
    if not form.validate_on_submit():
        return _page(form, own)
    letter = _letter(form)
    try:
        service.send(runtime(), g.db, own, letter)
    except BadInput as error:
        form.recipient.errors = [_why(error.detail)]
        return _page(form, own)
    except MailError as error:
        form.recipient.errors = [_("It could not be sent: %(words)s", words=error.detail)]
        return _page(form, own)
    return redirect(url_for(".sent", token=letter.token), 303)


def _letter(form: TrialForm) -> Letter:
    return Letter(
        token=service.new_token(),
        sender=form.sender.data,
        recipient=text_of(form.recipient),
        written_at=runtime().clock.now(),
        subject=_("Test mail"),
        text=_("This is a test mail from Satchel. Nobody has to answer it."),
    )


def _why(detail: str) -> str:
    if detail == service.LOCAL:
        return str(_("This address is here. Type one at another server."))
    return str(_("It was refused: %(words)s", words=detail))


def _own_mailbox() -> Mailbox:
    return find_mailbox(g.db, current_user.id) or abort(404)


def _with_senders(form: TrialForm, own: Mailbox) -> TrialForm:
    addresses = addresses_of(g.db, own.name, load_settings(g.db).hosted_domains)
    form.sender.choices = choices(*((address, address) for address in addresses))
    return form


def _page(form: TrialForm, own: Mailbox | None) -> ResponseReturnValue:
    """Who has no mailbox has nothing to send from."""
    page = render_template(
        "mailsite/test-mail.html",
        form=_with_senders(form, own) if own else None,
        sent=service.list_sent(g.db, own) if own else [],
        token_of=lambda message: message.token.partition(":")[2],
    )
    return page, 422 if form.errors else 200


@bp.get("/<token>")
def sent(token: str) -> ResponseReturnValue:
    """What became of it; with ?fragment the panels alone, for the script that renews them."""
    own = _own_mailbox()
    shown = service.get_sent(g.db, own, token)
    is_running = bool(running_settings(g.db, "delivery"))
    g.db.expunge_all()
    replies, trouble = _replies(own.name, token)
    return render_template(
        "mailsite/_test-mail.html" if "fragment" in request.args else "mailsite/test-mail-sent.html",
        shown=shown,
        token=token,
        fates=fate_names(),
        replies=replies,
        trouble=trouble,
        is_running=is_running,
    )


def _replies(mailbox: str, token: str) -> tuple[Sequence[service.Reply], str]:
    """What came back, or why it cannot be looked for."""
    try:
        return service.find_replies(runtime(), g.db, mailbox, token), ""
    except MailError as error:
        return [], error.detail or type(error).__name__
