"""Pages outside the shell: sign in and out, register, the links that work once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint, Flask, abort, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.bus import Bell, Topic
from app.errors import BadInput, LoginRefused, SignInBusy, TooManyAttempts
from app.extensions import why_no_hosting
from app.mail_services.gate import open_modes
from app.mail_services.models import RegistrationPolicy
from app.mail_services.modes import Mode
from app.notices.background import background
from app.notices.service import load_registration
from app.runtime import runtime
from app.users import links, mails, service, throttle
from app.users.forms import (
    ActivationForm,
    CodeForm,
    NewPasswordForm,
    RegisterForm,
    ResetForm,
    SetupForm,
    SignInForm,
)
from app.users.models import LinkPurpose, User, UserState
from app.users.queries import count_admins
from app.web.forms import choices, text_of

bp = Blueprint("users", __name__)

HALF_WAY = "second_factor"
"""Session key of a sign-in whose code is still missing: user id, when, what was asked for."""
HALF_WAY_LIMIT = timedelta(minutes=5)
LONGEST_TARGET = 2_000  # it may have to travel in a cookie


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


def browser() -> service.Browser:
    """Where this request comes from."""
    return service.Browser(request.remote_addr or "", request.user_agent.string)


def safe_next(target: str) -> str:
    """`target` if it is a path of ours, else the start: no redirect leaves this site."""
    is_ours = target.startswith("/") and not target.startswith("//") and len(target) <= LONGEST_TARGET
    return target if is_ours and target.isprintable() and "\\" not in target else "/"


@bp.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(safe_next(request.args.get("next", "/")), 303)
    form = SignInForm(next=request.args.get("next", ""))
    if not form.validate_on_submit():
        return _sign_in_page(form, 422 if form.is_submitted() else 200)
    now = runtime().clock.now()
    try:
        user = service.check_sign_in(g.db, text_of(form.email), text_of(form.password), browser(), now)
    except (LoginRefused, SignInBusy, TooManyAttempts) as error:
        return _refuse(form, error)
    if user.sealed_totp is None:
        return _enter(user, stay=form.stay.data, target=text_of(form.next))
    session[HALF_WAY] = [user.id, now.timestamp(), form.stay.data, safe_next(text_of(form.next))]
    return redirect(url_for("users.sign_in_code"), 303)


def _sign_in_page(form: SignInForm, status: int) -> ResponseReturnValue:
    settings = load_registration(g.db)
    return render_template(
        "users/sign-in.html",
        form=form,
        can_register=settings.policy != RegistrationPolicy.OFF,
        needs_setup=not count_admins(g.db),
    ), status


def _refuse(form: SignInForm, error: LoginRefused | SignInBusy | TooManyAttempts) -> ResponseReturnValue:
    """The page again: the name stays, the password does not."""
    if isinstance(error, TooManyAttempts):
        flash(wait_words(error), "warn")
        return _sign_in_page(form, 429)
    if isinstance(error, SignInBusy):
        flash(busy_words(), "warn")
        return _sign_in_page(form, 503)
    form.password.errors = [_refusal(error.detail)]
    return _sign_in_page(form, 422)


def wait_words(error: TooManyAttempts) -> str:
    minutes = -(-error.retry_after_s // 60)
    words: str = _("Too many attempts. Try again in %(minutes)d min.", minutes=minutes)
    return words


def busy_words() -> str:
    return str(_("Too many people sign in at this moment. Try again in a minute."))


def _refusal(state: str) -> str:
    words: dict[UserState, str] = {
        UserState.UNCONFIRMED: _("This account is not confirmed yet. Follow the link in the mail you got."),
        UserState.WAITING: _("An admin has not approved this account yet."),
        UserState.DISABLED: _("An admin has disabled this account."),
    }
    return words[UserState(state)] if state else str(_("That address and password do not match."))


@bp.route("/sign-in/code", methods=["GET", "POST"])
def sign_in_code() -> ResponseReturnValue:
    """The second step: a code from the authenticator app."""
    found = _half_way()
    if found is None:
        return redirect(url_for("users.sign_in"))
    user, stay, target = found
    form = CodeForm()
    if not form.validate_on_submit():
        return render_template("users/code.html", form=form), 422 if form.is_submitted() else 200
    parts = runtime()
    try:
        service.check_code(g.db, parts.vault, user, text_of(form.code), browser(), parts.clock.now())
    except LoginRefused:
        form.code.errors = [_("That code does not fit. Codes change every 30 seconds, and each works once.")]
        return render_template("users/code.html", form=form), 422
    except TooManyAttempts as error:
        form.code.errors = [wait_words(error)]
        return render_template("users/code.html", form=form), 429
    return _enter(user, stay=stay, target=target)


def _half_way() -> tuple[User, bool, str] | None:
    """Who has given the right password a moment ago, what they asked for; None if nobody has."""
    user_id, at, stay, target = session.get(HALF_WAY) or (0, 0, False, "")
    age = runtime().clock.now() - datetime.fromtimestamp(at, UTC)
    user = g.db.get(User, user_id) if age <= HALF_WAY_LIMIT else None
    return (user, stay, target) if user is not None else None


def _enter(user: User, *, stay: bool, target: str) -> ResponseReturnValue:
    token = service.sign_in(g.db, user, browser(), runtime().clock.now(), stay=stay)
    start_browser(token, stay=stay)
    return redirect(safe_next(target), 303)


def start_browser(token: str, *, stay: bool) -> None:
    """A new cookie for a new session: nothing of the one before is kept, its CSRF token neither."""
    session.clear()
    session["_user_id"] = token
    session["_fresh"] = True
    session.permanent = stay


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    if current_user.is_authenticated:
        service.sign_out(g.db, current_user.session_token)
    session.clear()
    return redirect(url_for("users.sign_in"), 303)


@bp.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    """Ask for an account.  The answer is the same whether the address has one already."""
    policy = load_registration(g.db).policy
    if policy == RegistrationPolicy.OFF:
        abort(404)
    form = ActivationForm() if policy == RegistrationPolicy.ACTIVATION else RegisterForm()
    if not form.validate_on_submit():
        return render_template("users/register.html", form=form), 422 if form.is_submitted() else 200
    parts, email, name = runtime(), text_of(form.email), text_of(form.name)
    password = text_of(form.password) if isinstance(form, RegisterForm) else ""
    throttle.count_attempt(g.db, throttle.mail_limits(email, request.remote_addr), parts.clock.now())
    background().run(lambda: mails.register(parts, policy, email, name, password))
    return render_template("users/registered.html", policy=policy.value, email=email)


@bp.route("/reset", methods=["GET", "POST"])
def reset() -> ResponseReturnValue:
    """Ask for a new password by mail.  The answer is the same whether the address has an account."""
    form = ResetForm()
    if not mails.sends_mail(g.db):
        return render_template("users/reset-by-admin.html")
    if not form.validate_on_submit():
        return render_template("users/reset.html", form=form), 422 if form.is_submitted() else 200
    parts, email = runtime(), text_of(form.email)
    throttle.count_attempt(g.db, throttle.mail_limits(email, request.remote_addr), parts.clock.now())
    background().run(lambda: mails.mail_reset(parts, email))
    return render_template("users/reset-sent.html", email=email)


@bp.route("/invite/<token>", methods=["GET", "POST"], defaults={"purpose": LinkPurpose.INVITE})
@bp.route("/activate/<token>", methods=["GET", "POST"], defaults={"purpose": LinkPurpose.ACTIVATE})
@bp.route("/reset/<token>", methods=["GET", "POST"], defaults={"purpose": LinkPurpose.RESET})
def take_link(purpose: LinkPurpose, token: str) -> ResponseReturnValue:
    """Choose a password behind a link.  Looking at the page does not use the link up: mail scanners look too."""
    now = runtime().clock.now()
    link = links.get_link(g.db, purpose, token, now)
    form = NewPasswordForm()
    if not form.validate_on_submit():
        email = g.db.get_one(User, link.user_id).email
        page = render_template("users/new-password.html", form=form, purpose=purpose.value, email=email)
        return page, 422 if form.is_submitted() else 200
    service.take_link(g.db, purpose, token, text_of(form.password), now)
    session.clear()
    flash(_("The password is set. Sign in with it."), "ok")
    return redirect(url_for("users.sign_in"), 303)


@bp.route("/setup/<token>", methods=["GET", "POST"])
def setup(token: str) -> ResponseReturnValue:
    """The first admin, by the link from the terminal."""
    now = runtime().clock.now()
    links.get_link(g.db, LinkPurpose.SETUP, token, now)
    form = SetupForm()
    form.mode.choices = choices(*((mode.value, mode.value) for mode in open_modes()))
    if not form.validate_on_submit():
        return _setup_page(form)
    mode = Mode(form.mode.data)
    try:
        user = service.set_up(g.db, token, text_of(form.email), text_of(form.name), text_of(form.password), mode, now)
    except BadInput:
        form.email.errors = [_("This address has an account already.")]
        return _setup_page(form)
    runtime().bus.ring(Bell(Topic.SETTINGS))
    return _enter(user, stay=False, target="/")


def _setup_page(form: SetupForm) -> ResponseReturnValue:
    page = render_template("users/setup.html", form=form, hosting_absent=why_no_hosting())
    return page, 422 if form.is_submitted() else 200
