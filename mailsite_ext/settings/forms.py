"""The fields of the MailSite sub-options (O1-O16), with the words of what is wrong in them."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import BooleanField, Field, Form, RadioField, StringField
from wtforms.validators import Length, ValidationError

from app.extension_api import choices, text_of, tidy
from mailsite_ext.settings.values import DOMAIN_LISTS, Posture, Settings, StorageKind

PREFIX = "mailsite"
MAX_PROCESSES = 16
SECURE = ("smtps_port", "imaps_port", "starttls", "posture")
"""Fields that mean nothing without a certificate (O13)."""


def is_port(_form: Form, field: Field) -> None:
    typed = text_of(field)
    if not (typed.isascii() and typed.isdecimal() and len(typed) <= 5 and 0 < int(typed) < 65_536):
        raise ValidationError(_("“%(typed)s” is not a port. Write a number from 1 to 65535.", typed=typed[:20]))


def is_count(_form: Form, field: Field) -> None:
    typed = text_of(field)
    if not (typed.isascii() and typed.isdecimal() and len(typed) <= 2 and 0 < int(typed) <= MAX_PROCESSES):
        raise ValidationError(_("Write a number from 1 to %(most)s.", most=MAX_PROCESSES))


def port_field(label: str) -> StringField:
    return StringField(label, [is_port], filters=[tidy])


class SettingsForm(Form):
    domains = StringField(_("Mail domains"), [Length(max=20_000)], filters=[tidy])
    storage_engine = RadioField(_("Storage engine"), choices=choices(*((kind.value, "") for kind in StorageKind)))
    smtp_port = port_field(_("SMTP port"))
    smtps_port = port_field(_("SMTPS port"))
    imap_port = port_field(_("IMAP port"))
    imaps_port = port_field(_("IMAPS port"))
    starttls = BooleanField(_("Use STARTTLS"))
    expose = BooleanField(_("Expose mail externally"))
    expose_anyway = BooleanField(_("Passwords and mail may cross the internet unencrypted"))
    posture = RadioField(_("Delivery security"), choices=choices(*((posture.value, "") for posture in Posture)))
    enforce_dmarc = BooleanField(_("Enforce DMARC"))
    trusted_forwarders = StringField(_("Trusted forwarders"), [Length(max=5_000)], filters=[tidy])
    greylisting = BooleanField(_("Greylisting"))
    blocklists = StringField(_("Block lists"), [Length(max=5_000)], filters=[tidy])
    send_reports = BooleanField(_("Send reports to other domains"))
    log_mail = BooleanField(_("Log mail"))
    test_mode = BooleanField(_("Test mail mode"))
    fallback_port = port_field(_("Test mode fallback port"))
    listener_processes = StringField(_("Processes of each listener"), [is_count], filters=[tidy])


def is_number(name: str) -> bool:
    return name.endswith("_port") or name == "listener_processes"


def stored_values(settings: Settings) -> dict[str, Any]:
    """What the fields of a form show of stored settings."""
    values: dict[str, Any] = {name: getattr(settings, name) for name in Settings.__dataclass_fields__}
    numbers = {name: str(value) for name, value in values.items() if is_number(name)}
    return {**values, **numbers, **{name: ", ".join(values[name]) for name in DOMAIN_LISTS}}


def typed_values(form: SettingsForm) -> dict[str, Any]:
    """What the fields of a valid form come to, but for the domains."""
    values = {name: data for name, data in form.data.items() if name not in (*DOMAIN_LISTS, "expose_anyway")}
    numbers = {name: int(data) for name, data in values.items() if is_number(name)}
    kinds: dict[str, Any] = {"storage_engine": StorageKind(values["storage_engine"])}
    if "posture" in values:
        kinds["posture"] = Posture(values["posture"])
    return {**values, **numbers, **kinds}
