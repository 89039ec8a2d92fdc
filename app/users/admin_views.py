"""Administration: Users (N6)."""

from __future__ import annotations

from flask import flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import Session

from app.bus import Bell, Topic
from app.errors import BadInput
from app.notices.background import background
from app.runtime import runtime
from app.users import admin_service, failures, mails
from app.users.forms import InviteForm
from app.users.models import LinkPurpose, User, UserRole, UserState
from app.users.welcome import farewells
from app.web.admin import bp
from app.web.forms import text_of


@bp.get("/users")
def users() -> ResponseReturnValue:
    return _page(InviteForm(formdata=None))


def _page(form: InviteForm) -> ResponseReturnValue:
    page = render_template("admin/users.html", rows=admin_service.list_users(g.db), form=form)
    return page, 422 if form.errors else 200


@bp.post("/users/invite")
def invite_user() -> ResponseReturnValue:
    form = InviteForm()
    if not form.validate_on_submit():
        return _page(form)
    now, role = runtime().clock.now(), UserRole(form.role.data)
    try:
        user, token = admin_service.invite(g.db, text_of(form.email), text_of(form.name), role, now)
    except BadInput:
        form.email.errors = [_("This address has an account already.")]
        return _page(form)
    return _link_page(user, LinkPurpose.INVITE, token)


@bp.post("/users/<int:user_id>/password-link")
def password_link(user_id: int) -> ResponseReturnValue:
    """A link to a new password, shown once to the admin and mailed where mail can be sent."""
    user, purpose, token = admin_service.make_password_link(g.db, user_id, runtime().clock.now())
    return _link_page(user, purpose, token)


def _link_page(user: User, purpose: LinkPurpose, token: str) -> ResponseReturnValue:
    parts, is_mailed = runtime(), mails.sends_mail(g.db)
    if is_mailed:
        background().run(lambda: mails.mail_link(parts, user, purpose, token))
    address = mails.link_address(parts.config, purpose, token)
    return render_template("admin/link.html", person=user, purpose=purpose.value, address=address, is_mailed=is_mailed)


def _done(words: str) -> ResponseReturnValue:
    flash(words, "ok")
    return redirect(url_for("admin.users"), 303)


@bp.post("/users/<int:user_id>/disable")
def disable_user(user_id: int) -> ResponseReturnValue:
    user = admin_service.disable(g.db, current_user, user_id)
    return _done(_("%(email)s can no longer sign in.", email=user.email))


@bp.post("/users/<int:user_id>/enable")
def enable_user(user_id: int) -> ResponseReturnValue:
    """Approve someone who waits, or let a disabled person back in."""
    was_waiting = admin_service.get_user(g.db, user_id).state == UserState.WAITING
    user = admin_service.enable(g.db, user_id, runtime().clock.now())
    if was_waiting and mails.sends_mail(g.db):
        parts = runtime()
        background().run(lambda: mails.mail_approved(parts, user))
    return _done(_("%(email)s can sign in.", email=user.email))


@bp.post("/users/<int:user_id>/role/<any(user, admin):role>")
def set_role(user_id: int, role: str) -> ResponseReturnValue:
    user = admin_service.set_role(g.db, current_user, user_id, UserRole(role), runtime().clock.now())
    words = _("%(email)s is an admin.") if user.role is UserRole.ADMIN else _("%(email)s is no admin any more.")
    return _done(words % {"email": user.email})


@bp.post("/users/<int:user_id>/second-step/reset")
def reset_second_step(user_id: int) -> ResponseReturnValue:
    user = admin_service.reset_totp(g.db, user_id)
    return _done(_("%(email)s signs in with the password alone, until a new second step is set up.", email=user.email))


@bp.get("/users/<int:user_id>/delete")
def confirm_delete(user_id: int) -> ResponseReturnValue:
    """Say what goes before it goes."""
    row = admin_service.get_row(g.db, current_user, user_id)
    return render_template("admin/delete-user.html", row=row, farewells=farewells(row.user))


@bp.post("/users/<int:user_id>/delete")
def delete_user(user_id: int) -> ResponseReturnValue:
    db: Session = g.db
    email = admin_service.get_other(db, current_user, user_id).email
    accounts = admin_service.delete_user(db, current_user, user_id)
    runtime().bus.ring(*(Bell(Topic.ACCOUNT, account) for account in accounts))
    return _done(_("%(email)s is deleted.", email=email))


@bp.get("/failed-sign-ins")
def failed_sign_ins() -> ResponseReturnValue:
    """Who was tried, from where and how often; nothing that was typed as a password, or as nobody's name."""
    names = {failures.Way.WEB: _("Web"), failures.Way.IMAP: "IMAP", failures.Way.SMTP: "SMTP"}
    rows, now = failures.list_failures(g.db), runtime().clock.now()
    return render_template("admin/failed-sign-ins.html", rows=rows, names=names, now=now, days=failures.KEPT.days)


@bp.post("/failed-sign-ins/<int:failure_id>/lift")
def lift_throttle(failure_id: int) -> ResponseReturnValue:
    failure = failures.lift(g.db, failure_id)
    flash(_("%(network)s can try again.", network=failure.network), "ok")
    return redirect(url_for("admin.failed_sign_ins"), 303)
