"""Forms of the Administration's mail pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, PasswordField, RadioField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from app.web.forms import tidy


class MailServicesForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    mode = RadioField(_("Mode"), validators=[DataRequired(_("Choose a mode."))])
    private_hosts = TextAreaField(_("Private hosts"), [Length(max=20_000)])
    cleartext_hosts = TextAreaField(_("Hosts without encryption"), [Length(max=20_000)])
    confirmed = HiddenField()
    stop_hosted = BooleanField(_("Stop them now"))


class OAuthClientForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    client_id = StringField(_("Client ID"), [Length(max=300)], filters=[tidy])
    client_secret = PasswordField(_("Client secret"), [Length(max=1000)], filters=[tidy])
