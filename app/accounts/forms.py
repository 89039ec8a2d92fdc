"""Forms of mail accounts.  No field may carry a line end or another control character; every length is bounded."""

from __future__ import annotations

import unicodedata
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, IntegerField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, NumberRange, Optional, ValidationError

from app.accounts.addresses import GuardPolicy, canonical_host
from app.accounts.discovery import Half
from app.accounts.endpoint import Credentials, Endpoint, Tls
from app.accounts.models import MailAccount
from app.accounts.presets import Preset, find_by_host, find_preset
from app.accounts.service import IdentityFields, Settings
from app.users.forms import is_address
from app.web.filters import AVATAR_HUES
from app.web.forms import choices, text_of, tidy

MAX_PASSWORD = 1_000
MAX_SIGNATURE = 10_000
PROTECTIONS = choices((Tls.IMPLICIT.value, "TLS"), (Tls.STARTTLS.value, "STARTTLS"), (Tls.NONE.value, _("None")))


def is_plain(_form: FlaskForm, field: Field) -> None:
    """One line without control characters: nothing that ends a command or a header."""
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") for char in text_of(field)):
        raise ValidationError(gettext("A line end or another control character has no place here."))


def is_host(_form: FlaskForm, field: Field) -> None:
    try:
        field.data = canonical_host(text_of(field))
    except ValueError:
        raise ValidationError(gettext("This is not a host name. Write it as mail.example.org.")) from None


def _line(label: str, most: int, *more: Any) -> StringField:
    return StringField(label, [*more, Length(max=most), is_plain], filters=[tidy])


def _address(label: str, *more: Any) -> StringField:
    return _line(label, 254, *more, is_address)


def _host(label: str) -> StringField:
    return _line(label, 253, DataRequired(_("Type the name of the server.")), is_host)


def _port(default: int) -> IntegerField:
    wrong = _("A port is a number from 1 to 65535.")
    return IntegerField(_("Port"), [DataRequired(wrong), NumberRange(1, 65_535, wrong)], default=default)


def _protection() -> SelectField:
    return SelectField(_("Security"), choices=PROTECTIONS, default=Tls.IMPLICIT.value)


def _password(label: str, *more: Any) -> PasswordField:
    return PasswordField(label, [*more, Length(max=MAX_PASSWORD), is_plain])


class StartForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    """The first step; with the password it is the only one where all is found."""

    address = _address(_("Mail address"), DataRequired(_("Type your mail address.")))
    password = _password(_("Password"))


class AccountForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    """All settings of an account."""

    address = _address(_("Mail address"), DataRequired(_("Type your mail address.")))
    password = _password(_("Password"))
    imap_host = _host(_("Incoming server (IMAP)"))
    imap_port = _port(993)
    imap_tls = _protection()
    smtp_host = _host(_("Outgoing server (SMTP)"))
    smtp_port = _port(465)
    smtp_tls = _protection()
    name = _line(_("Your name"), 200)
    label = _line(_("Name of the account"), 100)
    imap_username = _line(_("Login name"), 254)
    smtp_username = _line(_("Login name for sending"), 254)
    smtp_password = _password(_("Password for sending"))
    color = SelectField(_("Colour"), choices=choices(*((hue, hue) for hue in AVATAR_HUES)), default="lagoon")
    provider = HiddenField(validators=[Length(max=20)])

    def take_half(self, kind: str, half: Half | None) -> None:
        """Fill in a server that was found."""
        if half is None:
            return
        self[f"{kind}_host"].data, self[f"{kind}_port"].data = half.endpoint.host, half.endpoint.port
        self[f"{kind}_tls"].data, self[f"{kind}_username"].data = half.endpoint.tls.value, half.username

    def take_account(self, account: MailAccount) -> None:
        """Fill in what is stored; passwords never (C5)."""
        for field in self:
            if hasattr(account, field.short_name):
                field.data = getattr(account, field.short_name)

    def preset(self) -> Preset | None:
        """The provider of the server in the form."""
        return find_by_host(text_of(self.imap_host)) or find_preset(text_of(self.provider))

    def endpoint(self, kind: str) -> Endpoint:
        values = (self[f"{kind}_{part}"].data for part in ("host", "port", "tls"))
        host, port, tls = values
        return Endpoint(str(host), int(port), Tls(tls))

    def settings(self) -> Settings:
        address = text_of(self.address)
        return Settings(
            address=address,
            label=text_of(self.label) or address,
            color=text_of(self.color),
            imap=self.endpoint("imap"),
            smtp=self.endpoint("smtp"),
            imap_username=text_of(self.imap_username) or address,
            smtp_username=text_of(self.smtp_username) or text_of(self.imap_username) or address,
            provider=text_of(self.provider),
        )

    def credentials(self) -> Credentials:
        settings = self.settings()
        password = text_of(self.password)
        if settings.preset is not None and settings.preset.is_gmail:
            password = password.replace(" ", "")  # Google shows its app passwords in four groups
        own = text_of(self.smtp_password)
        return Credentials(settings.imap_username, settings.smtp_username, password, own or password)

    def is_protected(self, policy: GuardPolicy) -> bool:
        """Cleartext only to hosts an admin listed (E3); says so at the field."""
        is_good = True
        for kind in ("imap", "smtp"):
            endpoint = self.endpoint(kind)
            if endpoint.tls is Tls.NONE and not policy.allows_cleartext(endpoint.host):
                words = gettext("Not encrypted. An admin must allow that for this host.")
                self[f"{kind}_tls"].errors = [*self[f"{kind}_tls"].errors, words]
                is_good = False
        return is_good


class PasswordForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    """Signing in again, with everything else as it was."""

    password = _password(_("New password"), DataRequired(_("Type the password.")))


class LabelForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    """What can be changed of an account without asking its servers."""

    label = _line(_("Name of the account"), 100, DataRequired(_("Give the account a name.")))
    color = SelectField(_("Colour"), choices=choices(*((hue, hue) for hue in AVATAR_HUES)))


class IdentityForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    """A name and address to write from."""

    name = _line(_("Your name"), 200)
    address = _address(_("Mail address"), DataRequired(_("Type the address to write from.")))
    reply_to = _line(_("Answers go to"), 254, Optional(), is_address)
    signature = TextAreaField(_("Signature"), [Length(max=MAX_SIGNATURE)])

    def fields(self) -> IdentityFields:
        return IdentityFields(
            text_of(self.name), text_of(self.address), text_of(self.reply_to), text_of(self.signature)
        )
