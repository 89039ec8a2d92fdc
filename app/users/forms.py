"""Forms of sign-in, registration and settings."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, HiddenField, PasswordField, RadioField, SelectField, StringField
from wtforms.validators import DataRequired, Length, ValidationError

from app.mail_services.modes import Mode
from app.users import passwords
from app.users.addresses import as_typed_or_canonical, canonical_address
from app.users.models import UserRole
from app.web.forms import choices, text_of, tidy


def is_address(_form: FlaskForm, field: Field) -> None:
    """An address to sign in with; comes out in its one spelling."""
    try:
        field.data = canonical_address(text_of(field))
    except ValueError:
        raise ValidationError(_("This is not a mail address. Write it as name@example.org.")) from None


ADDRESS = (DataRequired(_("Type a mail address.")), Length(max=254), is_address)
NEW_PASSWORD = (
    DataRequired(_("Type a password.")),
    Length(
        passwords.SHORTEST,
        passwords.LONGEST,
        _("Use between %(min)d and %(max)d characters.", min=passwords.SHORTEST, max=passwords.LONGEST),
    ),
)


def name_field() -> StringField:
    return StringField(_("Your name"), [Length(max=200)], filters=[tidy])


def address_field() -> StringField:
    return StringField(_("Mail address"), ADDRESS, filters=[tidy])


def new_password_field() -> PasswordField:
    return PasswordField(_("Password"), NEW_PASSWORD)


def find_spelling(value: Any) -> Any:
    """A WTForms filter: the spelling an account is stored under; longer ones are left to the length check."""
    return as_typed_or_canonical(value) if isinstance(value, str) and len(value) <= 254 else value


class SignInForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    email = StringField(
        _("Mail address"), [DataRequired(_("Type your mail address.")), Length(max=254)], filters=[find_spelling]
    )
    password = PasswordField(_("Password"), [DataRequired(_("Type your password.")), Length(max=1000)])
    stay = BooleanField(_("Stay signed in on this device"))
    next = HiddenField()


class CodeForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    code = StringField(_("Code"), [DataRequired(_("Type the code.")), Length(max=10)], filters=[tidy])


class RegisterForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    name = name_field()
    email = address_field()
    password = new_password_field()


class ActivationForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    """Registering where a mail confirms the address: the password is chosen behind the link."""

    name = name_field()
    email = address_field()


class ResetForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    email = address_field()


class NewPasswordForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    password = new_password_field()


class SetupForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    name = name_field()
    email = address_field()
    password = new_password_field()
    mode = RadioField(default=Mode.EXTERNAL.value)


class ChangePasswordForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    current = PasswordField(_("Current password"), [DataRequired(_("Type your current password.")), Length(max=1000)])
    password = PasswordField(_("New password"), NEW_PASSWORD)


class SecondFactorForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    current = PasswordField(_("Current password"), [DataRequired(_("Type your current password.")), Length(max=1000)])
    code = StringField(_("Code from the app"), [DataRequired(_("Type the code.")), Length(max=10)], filters=[tidy])


class TurnOffForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    current = PasswordField(_("Current password"), [DataRequired(_("Type your current password.")), Length(max=1000)])


class InviteForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    name = StringField(_("Name"), [Length(max=200)], filters=[tidy])
    email = address_field()
    role = SelectField(
        _("Role"), choices=choices((UserRole.USER.value, _("User")), (UserRole.ADMIN.value, _("Admin"))), default="user"
    )


class ProfileForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    name = name_field()
    timezone = SelectField(
        _("Time zone"),
        choices=choices(("", _("Like the browser")), *((zone, zone) for zone in sorted(available_timezones()))),
    )


class PreferencesForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    theme = RadioField(
        _("Theme"), choices=choices(("auto", _("Like the system")), ("light", _("Light")), ("dark", _("Dark")))
    )
    density = RadioField(
        _("Density"), choices=choices(("compact", _("Compact")), ("normal", _("Normal")), ("relaxed", _("Relaxed")))
    )
    layout = RadioField(
        _("Message"), choices=choices(("panes", _("Beside the list")), ("bottom", _("Below")), ("list", _("Own page")))
    )
    conversations = BooleanField(_("Group by conversation"))
    mark_read_after_s = RadioField(
        _("Mark as read"), coerce=int, choices=choices((0, _("At once")), (2, _("After 2 s")), (-1, _("Never")))
    )
    single_keys = BooleanField(_("Single-key shortcuts"))
    undo_s = SelectField(
        _("Time to undo sending"),
        coerce=int,
        choices=choices((5, _("5 seconds")), (10, _("10 seconds")), (30, _("30 seconds"))),
    )
