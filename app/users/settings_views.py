"""Settings people make for themselves: how things look, who they are, how they sign in."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Flask, abort, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.errors import BadInput, SignInBusy, TooManyAttempts, VaultError
from app.extensions import registry
from app.mail_services.gate import switches_of_request
from app.runtime import runtime
from app.users import service, totp
from app.users.browsers import browser_name
from app.users.forms import ChangePasswordForm, PreferencesForm, ProfileForm, SecondFactorForm, TurnOffForm
from app.users.sessions import ask_to_sign_in, hash_token
from app.users.views import browser, busy_words, start_browser, wait_words
from app.web.forms import text_of
from app.web.sections import Entry, Section

bp = Blueprint("settings", __name__, url_prefix="/settings")

PENDING = "totp"
"""Session key of a second factor that is being set up: its secret, sealed."""


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.add_template_filter(browser_name)


@bp.before_request
def require_sign_in() -> ResponseReturnValue | None:
    """Every page here is somebody's own."""
    return None if current_user.is_authenticated else ask_to_sign_in()


@bp.context_processor
def side() -> dict[str, Any]:
    return {"sections": sections()}


def sections() -> Sequence[Section]:
    """The side navigation of the Settings activity; mail accounts stand in it where the mode has them."""
    accounts = (
        [Entry(request.script_root + "/mail/accounts", _("Accounts"), "mail")] if switches_of_request().external else []
    )
    reading = Entry(url_for("settings.preferences"), _("Reading and list"), "settings")
    you = [
        Entry(url_for("settings.profile"), _("Profile"), "user"),
        Entry(url_for("settings.security"), _("Sign-in and security"), "lock"),
    ]
    hosting = [found for entry in registry().settings_entries if (found := entry()) is not None]
    return [Section(_("Mail"), [*accounts, *hosting, reading]), Section(_("You"), you)]


@bp.route("", methods=["GET", "POST"])
def preferences() -> ResponseReturnValue:
    form = PreferencesForm(obj=current_user)
    if not form.validate_on_submit():
        return render_template("settings/preferences.html", form=form), 422 if form.is_submitted() else 200
    service.save_settings(g.db, current_user, form)
    flash(_("Saved."), "ok")
    return redirect(url_for(".preferences"), 303)


@bp.post("/theme")
def theme() -> ResponseReturnValue:
    """Light or dark, from the button that stands on every page."""
    chosen = request.form.get("theme", "")
    if chosen not in ("light", "dark"):
        abort(422)
    service.save_theme(g.db, current_user, chosen)
    return {}


@bp.route("/profile", methods=["GET", "POST"])
def profile() -> ResponseReturnValue:
    form = ProfileForm(obj=current_user)
    if not form.validate_on_submit():
        return render_template("settings/profile.html", form=form), 422 if form.is_submitted() else 200
    service.save_settings(g.db, current_user, form)
    flash(_("Saved."), "ok")
    return redirect(url_for(".profile"), 303)


@bp.get("/security")
def security() -> ResponseReturnValue:
    return _security_page()


def _security_page(status: int = 200, **forms: Any) -> ResponseReturnValue:
    """The page, with the form that was refused in place of its empty one."""
    page = {"password_form": ChangePasswordForm(formdata=None), "off_form": TurnOffForm(formdata=None), **forms}
    return render_template(
        "settings/security.html",
        sessions=service.list_sessions(g.db, current_user.id, runtime().clock.now()),
        own_session=hash_token(current_user.session_token),
        has_totp=current_user.sealed_totp is not None,
        **page,
    ), status


@bp.post("/security/password")
def change_password() -> ResponseReturnValue:
    """A new password signs every other browser out, and this one in anew."""
    form = ChangePasswordForm()
    if not form.validate_on_submit() or not _knows_password(form):
        return _security_page(422, password_form=form)
    user = current_user._get_current_object()
    service.set_password(g.db, user, text_of(form.password))
    stay = session.permanent
    start_browser(service.sign_in(g.db, user, browser(), runtime().clock.now(), stay=stay), stay=stay)
    flash(_("The password is changed. Other browsers were signed out."), "ok")
    return redirect(url_for(".security"), 303)


def _knows_password(form: ChangePasswordForm | SecondFactorForm | TurnOffForm) -> bool:
    """Was the current password typed right?  Puts the words on the field if not."""
    try:
        service.require_password(g.db, current_user, text_of(form.current), browser(), runtime().clock.now())
    except BadInput:
        form.current.errors = [_("That is not your current password.")]
    except TooManyAttempts as error:
        form.current.errors = [wait_words(error)]
    except SignInBusy:
        form.current.errors = [busy_words()]
    return not form.current.errors


@bp.post("/security/sessions/<int:session_id>/end")
def end_session(session_id: int) -> ResponseReturnValue:
    service.end_session(g.db, current_user.id, session_id)
    flash(_("That browser is signed out."), "ok")
    return redirect(url_for(".security"), 303)


@bp.post("/security/sessions/end")
def end_all_sessions() -> ResponseReturnValue:
    """Sign out everywhere, here too."""
    service.end_all_sessions(g.db, current_user.id)
    session.clear()
    flash(_("You are signed out everywhere."), "ok")
    return redirect(url_for("users.sign_in"), 303)


@bp.route("/security/second-step", methods=["GET", "POST"])
def second_step() -> ResponseReturnValue:
    """Set up the authenticator app: a picture to scan, and its first code as proof."""
    if current_user.sealed_totp is not None:
        return redirect(url_for(".security"), 303)
    form, secret = SecondFactorForm(), _pending_secret()
    if not form.validate_on_submit() or not _knows_password(form) or not _turn_on(form, secret):
        return _second_step_page(form, secret)
    session.pop(PENDING)
    flash(_("From now on a sign-in asks for a code from your app."), "ok")
    return redirect(url_for(".security"), 303)


def _second_step_page(form: SecondFactorForm, secret: str) -> ResponseReturnValue:
    uri = totp.provisioning_uri(secret, current_user.email, request.host)
    page = render_template(
        "settings/second-step.html", form=form, picture=totp.picture(uri), secret=totp.in_groups(secret)
    )
    return page, 422 if form.is_submitted() else 200


def _turn_on(form: SecondFactorForm, secret: str) -> bool:
    parts = runtime()
    try:
        service.turn_on_totp(g.db, parts.vault, current_user, secret, text_of(form.code), parts.clock.now())
    except BadInput:
        form.code.errors = [_("That code does not fit. Check that the clock of your phone is right.")]
    return not form.code.errors


def _pending_secret() -> str:
    """The secret being set up, kept sealed in the cookie until its first code comes back."""
    vault, name = runtime().vault, f"user.pending_totp:{current_user.uuid}"
    try:
        return vault.open_text(name, base64.b64decode(session[PENDING]))
    except (KeyError, TypeError, binascii.Error, VaultError):  # none yet, or of another key
        secret = totp.new_secret()
        session[PENDING] = base64.b64encode(vault.seal(name, secret)).decode()
        return secret


@bp.post("/security/second-step/off")
def second_step_off() -> ResponseReturnValue:
    form = TurnOffForm()
    if not form.validate_on_submit() or not _knows_password(form):
        return _security_page(422, off_form=form)
    service.turn_off_totp(g.db, current_user)
    flash(_("The second step is off."), "ok")
    return redirect(url_for(".security"), 303)
