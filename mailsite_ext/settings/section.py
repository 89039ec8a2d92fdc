"""The MailSite part of the Mail Services form (O1-O16)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from flask import render_template, request, url_for
from flask_babel import gettext as _
from markupsafe import Markup
from sqlalchemy.orm import Session

from app.extension_api import SWITCHES, BadInput, Mode, current_mode, runtime, text_of
from mailsite_ext.domains.newcomers import make_mailboxes
from mailsite_ext.domains.service import follow_domains
from mailsite_ext.errors import DomainNotAllowed
from mailsite_ext.settings.certificate import load_certificate
from mailsite_ext.settings.checks import default_ports, equal_ports
from mailsite_ext.settings.forms import PREFIX, SECURE, SettingsForm, stored_values, typed_values
from mailsite_ext.settings.mail_domains import parse_blocklists, parse_domains, parse_forwarders
from mailsite_ext.settings.posture import effective_posture, is_local_only, needs_second_look
from mailsite_ext.settings.service import load_settings, store_settings
from mailsite_ext.settings.values import Settings

EXPIRES_SOON = timedelta(days=14)


class MailsiteSection:
    """One for a request; see SettingsSection.  `use=default-ports` is the button that fills the ports (O8)."""

    def load(self, db: Session) -> None:
        parts = runtime()
        self._now = parts.clock.now()
        self._certificate = load_certificate(parts.config, self._now)
        self._stored = load_settings(db)
        self._hosting = SWITCHES[current_mode(db)].hosting
        sent = any(name.startswith(f"{PREFIX}-") for name in request.form)
        self._form = SettingsForm(request.form if sent else None, data=stored_values(self._stored), prefix=PREFIX)
        self._settings = self._stored
        self._asks_twice = False
        if not self._certificate.is_configured:
            for name in SECURE:
                del self._form[name]  # what is stored of them stays (O13)
        if request.form.get("use") == "default-ports":
            self._fill_ports()

    def _fill_ports(self) -> None:
        starttls = self._form.starttls.data if "starttls" in self._form else False
        for name, port in default_ports(starttls=starttls).items():
            if name in self._form:
                self._form[name].data = str(port)

    def validate(self, mode: Mode) -> bool:
        if not SWITCHES[mode].hosting:
            return True
        if not self._form.validate():
            return False
        typed: dict[str, Any] = {**typed_values(self._form), **self._domain_lists()}
        self._settings = replace(self._stored, **typed)
        self._check_ports(self._settings)
        self._check_twice(self._settings)
        return not self._form.errors

    def _domain_lists(self) -> dict[str, tuple[str, ...]]:
        here = partial(parse_domains, test_mode=bool(self._form.test_mode.data))
        one = _("“%(domain)s” is not a full domain name. Only Test Mail Mode takes such a one.")
        shared = _(
            "“%(domain)s” is shared by many. Name the domain of the forwarder itself, such as lists.example.org."
        )
        part = _("“%(domain)s” is not the full name of a block list. Write it as list.example.org.")
        return {
            "domains": self._names_in("domains", here, one),
            "trusted_forwarders": self._names_in("trusted_forwarders", parse_forwarders, shared),
            "blocklists": self._names_in("blocklists", parse_blocklists, part),
        }

    def _names_in(self, name: str, parse: Callable[[str], tuple[str, ...]], not_allowed: str) -> tuple[str, ...]:
        """What was typed into a field of domains; what is wrong is said there."""
        field = self._form[name]
        try:
            return parse(text_of(field))
        except DomainNotAllowed as error:
            field.errors = [not_allowed % {"domain": error.detail}]
        except BadInput as error:
            field.errors = [_("“%(domain)s” is not a domain. Write it as example.org.", domain=error.detail)]
        return ()

    def _check_ports(self, settings: Settings) -> None:
        """Say which ports are the same, at a field that is shown."""
        for name, other in equal_ports(settings).items():
            field, named = (name, other) if name in self._form else (other, name)
            if field in self._form:
                label = SettingsForm(prefix=PREFIX)[named].label.text
                self._form[field].errors = [_("This is the %(port)s too. Choose different ones.", port=label)]

    def _check_twice(self, settings: Settings) -> None:
        """Logins in the clear from anywhere are asked about once more, when they begin (O10)."""
        was = self._hosting and needs_second_look(self._stored, self._certificate)
        self._asks_twice = needs_second_look(settings, self._certificate) and not was
        if self._asks_twice and not self._form.expose_anyway.data:
            self._form.expose_anyway.errors = [_("Tick this, or do not expose mail.")]

    def render(self, mode: Mode) -> Markup:
        certificate = self._certificate
        soon = certificate.expires_at is not None and certificate.expires_at - self._now < EXPIRES_SOON
        page = render_template(
            "mailsite/settings.html",
            form=self._form,
            certificate=certificate,
            expires_soon=soon,
            posture=effective_posture(self._stored, certificate),
            asks_twice=self._asks_twice,
            is_exposed=self._hosting and needs_second_look(self._stored, certificate),
            is_local_only=is_local_only(self._stored),
            log_url=url_for("admin.machine_log", kind="mail"),
            defaults={
                "data-implicit": _ports(starttls=False),
                "data-starttls": _ports(starttls=True),
            },
        )
        return Markup(page)  # noqa: S704  a template of ours, escaped where it was rendered

    def save(self, db: Session) -> None:
        store_settings(db, self._settings)
        follow_domains(db, self._settings.hosted_domains)

    def follow(self) -> None:
        make_mailboxes(runtime())


def _ports(*, starttls: bool) -> str:
    return " ".join(str(port) for port in default_ports(starttls=starttls).values())
