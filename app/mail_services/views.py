"""Administration: Mail Services, stored credentials, sign-in with providers."""

from __future__ import annotations

from collections.abc import Sequence

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.oauth import redirect_uri
from app.accounts.oauth_providers import PROVIDERS
from app.bus import Bell, Topic
from app.errors import BadInput
from app.extensions import registry, why_no_hosting
from app.machines import service as machines
from app.mail_services import credentials as stored
from app.mail_services import hosted, oauth_clients, service
from app.mail_services.consequences import Consequences, consequences
from app.mail_services.forms import MailServicesForm, OAuthClientForm
from app.mail_services.gate import open_modes
from app.mail_services.hosts import parse_hosts
from app.mail_services.modes import SWITCHES, Mode
from app.runtime import runtime
from app.web.admin import bp
from app.web.forms import choices, text_of
from app.web.settings_section import SettingsSection


@bp.route("/mail-services", methods=["GET", "POST"])
def mail_services() -> ResponseReturnValue:
    """The mode and what external accounts may reach; what would stop is said on a page of its own first."""
    settings = service.load_settings(g.db)
    form = MailServicesForm(obj=settings)
    form.mode.choices = choices(*((mode.value, mode.value) for mode in {*open_modes(), settings.mode}))
    sections = _load_sections()
    if not form.validate_on_submit() or not _tidy_hosts(form) or not _are_valid(sections, Mode(form.mode.data)):
        return _mail_services_page(form, settings.mode, sections)
    mode = Mode(form.mode.data)
    does = _consequences(settings.mode, mode)
    if does.stops and not form.confirmed.data:
        typed = [pair for pair in request.form.items(multi=True) if pair[0] not in ("csrf_token", "confirmed")]
        shown = {"does": does, "names": mode_names(), "mode": mode, "runs_on": _would_run_on(mode)}
        return render_template("admin/confirm-mode.html", typed=typed, **shown)
    for section in sections:
        section.save(g.db)
    service.save_settings(g.db, mode, text_of(form.private_hosts), text_of(form.cleartext_hosts))
    if form.stop_hosted.data:
        machines.stop(runtime(), g.db, [hosted.id for hosted in _would_run_on(mode)])
    for section in sections:
        section.follow()
    runtime().bus.ring(Bell(Topic.SETTINGS))
    flash(_("Saved. The mode is %(mode)s.", mode=mode_names()[mode]), "ok")
    return redirect(url_for("admin.mail_services"), 303)


def _would_run_on(mode: Mode) -> Sequence[machines.Hosted]:
    """Services of hosting that a mode without it does not stop by itself (M5)."""
    return machines.would_run_on(g.db, registry().services, SWITCHES[mode])


def _load_sections() -> Sequence[SettingsSection]:
    """What extensions add to the form."""
    sections = [make() for make in registry().settings_sections]
    for section in sections:
        section.load(g.db)
    return sections


def _are_valid(sections: Sequence[SettingsSection], mode: Mode) -> bool:
    """Can all be saved?  Every one is asked, so that all that is wrong is said at once.  A button named `use` fills
    fields: nothing is wrong, and nothing saved."""
    if "use" in request.form:
        return False
    verdicts = [section.validate(mode) for section in sections]
    return all(verdicts)


def _mail_services_page(form: MailServicesForm, mode: Mode, sections: Sequence[SettingsSection]) -> ResponseReturnValue:
    chosen = Mode(form.mode.data) if form.mode.data in list(Mode) else mode
    page = render_template(
        "admin/mail-services.html",
        form=form,
        out_of_date=hosted.out_of_date(g.db, registry().services),
        hosting_parts=[section.render(chosen) for section in sections],
        mode=mode,
        names=mode_names(),
        hosting_absent=why_no_hosting(),
        does={new: _consequences(mode, new) for new in Mode},
    )
    return page, 422 if form.is_submitted() and "use" not in request.form else 200


def _consequences(old: Mode, new: Mode) -> Consequences:
    return consequences(old, new, stored.accounts_in_use(g.db))


def mode_names() -> dict[Mode, str]:
    """What the modes are called."""
    return {
        Mode.DISABLED: _("Mail Disabled"),
        Mode.MAILSITE: _("MailSite"),
        Mode.EXTERNAL: _("External Mail Accounts"),
        Mode.BOTH: _("MailSite and External"),
    }


def _tidy_hosts(form: MailServicesForm) -> bool:
    """Read both lists; the words go to the field whose line is no host."""
    for field, networks in ((form.private_hosts, True), (form.cleartext_hosts, False)):
        try:
            field.data = "\n".join(parse_hosts(field.name, text_of(field), networks=networks))
        except BadInput as error:
            field.errors = [_("“%(line)s” is not a host. Write one name or address a line.", line=error.detail)]
    return not (form.private_hosts.errors or form.cleartext_hosts.errors)


@bp.get("/credentials")
def credentials() -> ResponseReturnValue:
    """Every stored credential, by owner; none of the secrets (C5)."""
    return render_template("admin/credentials.html", rows=stored.list_credentials(g.db))


@bp.post("/credentials/<int:account_id>/revoke")
def revoke_credential(account_id: int) -> ResponseReturnValue:
    address = stored.revoke(runtime(), g.db, account_id)
    flash(_("The credential for %(address)s is revoked and its copy of the mail removed.", address=address), "ok")
    return redirect(url_for("admin.credentials"), 303)


@bp.get("/oauth")
def oauth() -> ResponseReturnValue:
    return _oauth_page({})


def _oauth_page(refused: dict[str, OAuthClientForm]) -> ResponseReturnValue:
    """A form for each provider; `refused` holds the one that was sent and cannot be used."""
    clients = oauth_clients.load_clients(g.db)
    forms = {key: refused.get(key) or OAuthClientForm(formdata=None, obj=clients.get(key)) for key in PROVIDERS}
    has_secret = {key for key, client in clients.items() if client.sealed_client_secret}
    redirects = {key: redirect_uri(runtime(), key) for key in PROVIDERS}
    names = {key: provider.name for key, provider in PROVIDERS.items()}
    page = render_template("admin/oauth.html", forms=forms, names=names, has_secret=has_secret, redirects=redirects)
    return page, 422 if refused else 200


@bp.post("/oauth/<provider>")
def save_oauth(provider: str) -> ResponseReturnValue:
    if provider not in PROVIDERS:
        abort(404)
    form = OAuthClientForm()
    if not form.validate_on_submit():
        return _oauth_page({provider: form})
    parts = runtime()
    oauth_clients.save_client(g.db, parts.vault, provider, text_of(form.client_id), text_of(form.client_secret))
    flash(_("Saved the client for %(provider)s.", provider=PROVIDERS[provider].name), "ok")
    return redirect(url_for("admin.oauth"), 303)
