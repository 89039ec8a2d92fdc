"""Adding an account (E1, E2): the address first, then what was found, then both logins; or all in one go."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import guard, oauth, service, words
from app.accounts.addresses import Address, GuardPolicy
from app.accounts.discovery import domain_of
from app.accounts.forms import AccountForm, StartForm
from app.accounts.lookup import Search, search
from app.accounts.oauth_providers import PROVIDERS
from app.accounts.pages import bp, failed
from app.accounts.presets import WITHOUT_IMAP, PasswordKind, Preset
from app.accounts.probe import NotVerified
from app.accounts.service import Settings
from app.runtime import runtime
from app.web.forms import text_of


@bp.get("/accounts/add")
def add() -> ResponseReturnValue:
    """The first page: an address, and a password for those who want it done in one go."""
    if request.args.get("by-hand"):
        return _settings_page(_blank(request.args.get("address", "")[:254]))
    is_first = not service.list_accounts(g.db, current_user.id)
    return render_template("accounts/start.html", form=StartForm(formdata=None), is_first=is_first)


@bp.post("/accounts/add")
def find() -> ResponseReturnValue:
    """Look for the settings; with a password and nothing left to ask, sign in at once."""
    form = StartForm()
    if not form.validate():
        return render_template("accounts/start.html", form=form, is_first=False), 422
    address = text_of(form.address)
    password = "" if request.form.get("do") == "look" else text_of(form.password)
    try:
        without = WITHOUT_IMAP.get(domain_of(address))
        policy = guard.load_policy(g.db)
        g.db.close()  # no session is held while others are asked
        found = None if without else search(runtime(), policy, address)
    except ValueError:
        form.address.errors = [_("This is not a mail address. Write it as name@example.org.")]
        return render_template("accounts/start.html", form=form, is_first=False), 422
    if found is None:
        return render_template("accounts/no-imap.html", provider=without, address=address), 422
    return _after_search(found, policy, password)


def _after_search(found: Search, policy: GuardPolicy, password: str) -> ResponseReturnValue:
    settings, preset = _filled(found), found.found.preset
    if preset is not None and preset.takes_only_oauth:
        return consent_page(preset, found.found.address)
    if preset is not None and preset.passwords is PasswordKind.BRIDGE and not _is_open(policy, preset):
        return render_template("accounts/no-bridge.html", preset=preset, address=found.found.address), 422
    if password and found.found.is_whole and not found.found.needs_a_look:
        return _sign_in(settings, settings.settings(), password, found)
    return _settings_page(settings, found=found)


def _is_open(policy: GuardPolicy, preset: Preset) -> bool:
    """Did an admin list this machine, where a bridge runs?"""
    addresses: list[Address] = list(guard.literal(preset.imap.host))
    return any(policy.allows(preset.imap.host, address) for address in addresses)


def _blank(address: str) -> AccountForm:
    form = AccountForm(formdata=None)
    form.address.data = form.label.data = address
    form.name.data = current_user.name
    return form


def _filled(found: Search) -> AccountForm:
    form = _blank(found.found.address)
    form.take_half("imap", found.found.imap)
    form.take_half("smtp", found.found.smtp)
    form.provider.data = found.found.preset.key if found.found.preset else ""
    return form


def _settings_page(
    form: AccountForm, status: int = 200, *, found: Search | None = None, **shown: Any
) -> ResponseReturnValue:
    preset = form.preset() or (found.found.preset if found else None)
    attempts = words.attempt_lines(found) if found else ()
    return render_template(
        "accounts/add.html",
        form=form,
        found=found,
        attempts=attempts,
        preset=shown.pop("preset", None) or preset,
        consent=_consent_url(preset, text_of(form.address)),
        **shown,
    ), status


@bp.post("/accounts/sign-in")
def sign_in_and_add() -> ResponseReturnValue:
    """Verify both logins with the settings of the form, and store the account."""
    form = AccountForm()
    if request.form.get("do") == "change":
        return _settings_page(form)
    if not form.validate() or not form.is_protected(guard.load_policy(g.db)):
        return _settings_page(form, 422)
    settings = form.settings()
    if settings.preset is not None and settings.preset.takes_only_oauth:
        return consent_page(settings.preset, settings.address)
    if not text_of(form.password):
        form.password.errors = [_("Type the password.")]
        return _settings_page(form, 422)
    return _sign_in(form, settings, text_of(form.password), None)


def _sign_in(form: AccountForm, settings: Settings, password: str, found: Search | None) -> ResponseReturnValue:
    form.password.data = password
    if len(service.list_accounts(g.db, current_user.id)) >= service.MAX_ACCOUNTS:
        form.address.errors = [_("There are too many accounts already. Remove one first.")]
        return _settings_page(form, 422, found=found)
    if service.has_account_for(g.db, current_user.id, settings):
        form.address.errors = [_("This mailbox is among your accounts already.")]
        return _settings_page(form, 422, found=found)
    given, name = form.credentials(), text_of(form.name)
    try:
        account = service.add_account(runtime(), g.db, current_user.id, settings, given, name=name)
    except NotVerified as error:
        return _refused_page(form, error, settings)
    flash(_("Added “%(label)s”. The newest mail comes first.", label=account.label), "ok")
    return redirect(url_for("shell.home"), 303)


def _refused_page(form: AccountForm, error: NotVerified, settings: Settings) -> ResponseReturnValue:
    """What failed, step by step.  The password is typed again (C5); everything else is kept."""
    shown = failed(error.report, settings.preset)
    if shown["trouble"].is_password:
        assert error.report.failed is not None
        form.password.errors = [_("Refused by %(host)s.", host=error.report.failed.endpoint.host)]
    consent = _consent_url(settings.preset, settings.address)
    return render_template("accounts/refused.html", form=form, consent=consent, **shown), 422


# Providers that ask for consent


def _consent_url(preset: Preset | None, address: str) -> str:
    """Where consent begins, if the provider knows that way and an admin registered us."""
    if preset is None or not preset.oauth or oauth.find_client(runtime(), g.db, preset.oauth) is None:
        return ""
    return url_for(".oauth_start", provider=preset.oauth, preset=preset.key, address=address)


def consent_page(preset: Preset, address: str) -> ResponseReturnValue:
    """Go on to the provider, or say that an admin must register with it first (E1).

    A form's answer may not redirect to another site (form-action of our policy), so the page moves on by itself.
    """
    target = _consent_url(preset, address)
    page = render_template(
        "accounts/consent.html", preset=preset, provider=PROVIDERS[preset.oauth], address=address, target=target
    )
    response: Response = make_response(page, 200 if target else 422)
    if target:
        response.headers["Refresh"] = f"0; url={target}"
    return response
