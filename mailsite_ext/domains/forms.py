"""Forms about mailboxes, addresses and app passwords."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, IntegerField, SelectField, StringField
from wtforms.validators import DataRequired, Length, NumberRange, Optional, ValidationError

from app.extension_api import text_of, tidy
from mailsite_ext.domains.names import LONGEST_OCTETS

LONGEST_TYPED = 4 * LONGEST_OCTETS
MOST_RECIPIENTS = 1_000_000  # a limit that is none
LARGEST_QUOTA_MIB = 100 * 1024 * 1024  # 100 TiB


def is_list_of_words(_form: FlaskForm, field: Field) -> None:
    """Names of capabilities: printable ASCII without spaces inside."""
    if not text_of(field).isascii() or not text_of(field).isprintable():
        raise ValidationError(_("Write names such as NOTIFY, with spaces between them."))


class NameForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    name = StringField(_("Name"), [DataRequired(_("Type a name.")), Length(max=LONGEST_TYPED)], filters=[tidy])


class AddressForm(FlaskForm):  # type: ignore[misc]
    local = StringField(_("Name"), [DataRequired(_("Type a name.")), Length(max=LONGEST_TYPED)], filters=[tidy])
    domain = SelectField(_("Domain"))


class LimitsForm(FlaskForm):  # type: ignore[misc]
    quota_mib = IntegerField(_("Quota in MiB"), [Optional()])
    hidden_capabilities = StringField(
        _("Hidden IMAP capabilities"), [Length(max=500), is_list_of_words], filters=[tidy]
    )

    may_forward = BooleanField(_("May forward their mail to an address elsewhere"))
    recipients_per_hour = IntegerField(_("Recipients an hour"), [Optional(), NumberRange(0, MOST_RECIPIENTS)])
    recipients_per_day = IntegerField(_("Recipients a day"), [Optional(), NumberRange(0, MOST_RECIPIENTS)])

    def validate_quota_mib(self, field: Field) -> None:
        if field.data is None or not 0 < field.data <= LARGEST_QUOTA_MIB:
            field.errors = []  # our words alone
            raise ValidationError(_("Write a whole number from 1, or nothing for no limit."))


class AppPasswordForm(FlaskForm):  # type: ignore[misc]
    label = StringField(
        _("For which program"),
        [DataRequired(_("Name the program, such as Thunderbird on the laptop.")), Length(max=100)],
        filters=[tidy],
    )
