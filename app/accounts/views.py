"""The pages of a person's mail accounts: adding, changing, checking, ordering, pausing, removing."""

from __future__ import annotations

from typing import Any

from flask import Flask, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import add_views, guard, oauth, oauth_views, service, words
from app.accounts.forms import AccountForm, IdentityForm, LabelForm, PasswordForm
from app.accounts.models import AccountState, Auth, MailAccount
from app.accounts.pages import bp, failed, own_account, own_external_account
from app.accounts.presets import find_preset
from app.accounts.probe import NotVerified, Report, examine
from app.accounts.service import IdentityFields, Settings
from app.errors import LoginRefused, ServerUnreachable
from app.runtime import runtime
from app.web.forms import text_of

PAGES = (add_views, oauth_views)  # importing them put theirs on the blueprint
STEPS = {"up": -1, "down": 1}


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.get("/accounts")
def index() -> ResponseReturnValue:
    accounts = service.list_accounts(g.db, current_user.id)
    notes = {account.id: stored_trouble(account) for account in accounts if account.error}
    return render_template("accounts/index.html", accounts=accounts, notes=notes)


def stored_trouble(account: MailAccount) -> words.Trouble:
    """What the engine noted about the account, in words."""
    preset = find_preset(account.provider)
    return words.stored_trouble(account.error, account.error_detail, account.imap_endpoint(), preset)


# Changing


@bp.route("/accounts/<int:account_id>", methods=["GET", "POST"])
def edit(account_id: int) -> ResponseReturnValue:
    account = own_external_account(account_id)
    if account.auth is Auth.OAUTH:
        return _edit_label(account)
    form = AccountForm()
    if not form.is_submitted():
        form.take_account(account)
        return _edit_page(account, form)
    if not form.validate() or not form.is_protected(guard.load_policy(g.db)):
        return _edit_page(account, form, 422)
    settings = form.settings()
    if not _touches_servers(account, settings, form):
        service.rename_account(runtime(), g.db, account, settings.label, settings.color)
        flash(_("Saved."), "ok")
        return redirect(url_for(".index"), 303)
    return _change(account, form, settings)


def _edit_page(account: MailAccount, form: AccountForm, status: int = 200, **shown: Any) -> ResponseReturnValue:
    return render_template("accounts/edit.html", account=account, form=form, **shown), status


def _touches_servers(account: MailAccount, settings: Settings, form: AccountForm) -> bool:
    stored = (account.address, account.imap_endpoint(), account.smtp_endpoint(), account.imap_username,
              account.smtp_username)  # fmt: skip
    wanted = (settings.address, settings.imap, settings.smtp, settings.imap_username, settings.smtp_username)
    return stored != wanted or bool(text_of(form.password) or text_of(form.smtp_password))


def _change(account: MailAccount, form: AccountForm, settings: Settings) -> ResponseReturnValue:
    """Other servers, another name or password: proven before they are kept.

    A stored password never goes to a server it was not typed for: who sits at another's unlocked screen could send it
    to a host of their own.
    """
    given = form.credentials()
    if not text_of(form.password):
        form.password.errors = [_("Type the password: it is not sent to other servers without you.")]
        return _edit_page(account, form, 422)
    if settings.preset is not None and settings.preset.takes_only_oauth:
        form.imap_host.errors = [_("%(name)s takes no passwords. Add it as a new account.", name=settings.preset.name)]
        return _edit_page(account, form, 422)
    try:
        service.change_account(runtime(), g.db, account, settings, given)
    except NotVerified as error:
        return _edit_page(account, form, 422, **failed(error.report, settings.preset))
    flash(_("Saved. Both logins work."), "ok")
    return redirect(url_for(".index"), 303)


def _edit_label(account: MailAccount) -> ResponseReturnValue:
    form = LabelForm(obj=account)
    if form.validate_on_submit():
        service.rename_account(runtime(), g.db, account, text_of(form.label), text_of(form.color))
        flash(_("Saved."), "ok")
        return redirect(url_for(".index"), 303)
    return render_template("accounts/label.html", account=account, form=form), 422 if form.is_submitted() else 200


@bp.post("/accounts/<int:account_id>/pause")
def pause(account_id: int) -> ResponseReturnValue:
    account = own_external_account(account_id)
    service.pause_account(runtime(), g.db, account, paused=request.form.get("paused") == "1")
    return redirect(url_for(".index"), 303)


@bp.post("/accounts/<int:account_id>/move")
def move(account_id: int) -> ResponseReturnValue:
    account = own_account(account_id)
    service.move_account(runtime(), g.db, account, STEPS.get(request.form.get("to", ""), 0))
    return redirect(url_for(".index"), 303)


@bp.route("/accounts/<int:account_id>/remove", methods=["GET", "POST"])
def remove(account_id: int) -> ResponseReturnValue:
    account = own_external_account(account_id)
    if request.method == "GET":
        return render_template("accounts/remove.html", account=account)
    service.remove_account(runtime(), g.db, account)
    flash(_("Removed “%(label)s”. Its mail stays on its server.", label=account.label), "ok")
    return redirect(url_for(".index"), 303)


# The account doctor


@bp.get("/accounts/<int:account_id>/doctor")
def doctor(account_id: int) -> ResponseReturnValue:
    account = own_external_account(account_id)
    trouble = stored_trouble(account) if account.error else None
    return _doctor_page(account, trouble=trouble, refused=account.state is AccountState.REFUSED)


@bp.post("/accounts/<int:account_id>/doctor")
def check(account_id: int) -> ResponseReturnValue:
    """Try both logins now, with what is stored."""
    account, parts = own_external_account(account_id), runtime()
    policy = guard.load_policy(g.db)
    g.db.close()  # no session is held while servers are asked
    try:
        given = service.credentials(parts.vault, account)
        if account.auth is Auth.OAUTH:
            given = given.with_token(oauth.access_token(parts, account.id))
    except (LoginRefused, ServerUnreachable) as error:
        trouble = words.login_trouble(error, account.label, find_preset(account.provider))
        return _doctor_page(account, trouble=trouble, refused=isinstance(error, LoginRefused))
    report = examine(parts, policy, account.imap_endpoint(), account.smtp_endpoint(), given)
    if report.works and account.error:
        service.note_recovery(parts, g.db, account)
    return _report_page(account, report)


@bp.post("/accounts/<int:account_id>/sign-in")
def sign_in(account_id: int) -> ResponseReturnValue:
    """A new password for an account whose login was refused (E14)."""
    account, form = own_external_account(account_id), PasswordForm()
    if account.auth is Auth.OAUTH or not form.validate_on_submit():
        return _doctor_page(account, form=form, refused=True, status=422)
    settings = Settings.of(account)
    try:
        service.change_account(runtime(), g.db, account, settings, settings.credentials(text_of(form.password)))
    except NotVerified as error:
        return _report_page(account, error.report, status=422)
    flash(_("“%(label)s” is connected again.", label=account.label), "ok")
    return redirect(url_for(".index"), 303)


def _report_page(account: MailAccount, report: Report, status: int = 200) -> ResponseReturnValue:
    now, failure = runtime().clock.now(), report.failure
    return _doctor_page(
        account,
        status=status,
        report=report,
        trouble=words.trouble(report, find_preset(account.provider)) if failure else None,
        refused=failure is not None and isinstance(failure.error, LoginRefused),
        reading=words.step_lines(report.imap, now),
        sending=words.step_lines(report.smtp, now),
        can=words.abilities(report.imap.extensions),
    )


def _doctor_page(
    account: MailAccount, *, form: PasswordForm | None = None, status: int = 200, **shown: Any
) -> ResponseReturnValue:
    return render_template(
        "accounts/doctor.html",
        account=account,
        form=form or PasswordForm(formdata=None),
        preset=find_preset(account.provider),
        **shown,
    ), status


# Identities


@bp.route("/accounts/<int:account_id>/identities", methods=["GET", "POST"])
def add_identity(account_id: int) -> ResponseReturnValue:
    account = own_account(account_id)
    form = IdentityForm()
    is_full = len(account.identities) >= service.MAX_IDENTITIES
    if not form.validate_on_submit() or is_full:
        return _identity_page(account, form, 0)
    service.save_identity(g.db, account, None, form.fields())
    flash(_("Saved."), "ok")
    return redirect(url_for(".add_identity", account_id=account.id), 303)


@bp.route("/accounts/<int:account_id>/identities/<int:identity_id>", methods=["GET", "POST"])
def edit_identity(account_id: int, identity_id: int) -> ResponseReturnValue:
    account = own_account(account_id)
    identity = service.get_identity(account, identity_id)
    form = IdentityForm(obj=IdentityFields.of(identity))
    if not form.validate_on_submit():
        return _identity_page(account, form, identity_id)
    service.save_identity(g.db, account, identity, form.fields())
    flash(_("Saved."), "ok")
    return redirect(url_for(".add_identity", account_id=account.id), 303)


@bp.post("/accounts/<int:account_id>/identities/<int:identity_id>/remove")
def remove_identity(account_id: int, identity_id: int) -> ResponseReturnValue:
    account = own_account(account_id)
    if not service.remove_identity(g.db, account, service.get_identity(account, identity_id)):
        flash(_("Not removed: an account needs one address to write from."), "warn")
    return redirect(url_for(".add_identity", account_id=account.id), 303)


def _identity_page(account: MailAccount, form: IdentityForm, identity_id: int) -> ResponseReturnValue:
    return render_template("accounts/identities.html", account=account, form=form, identity_id=identity_id), (
        422 if form.is_submitted() else 200
    )
