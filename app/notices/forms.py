"""The form of the Account Registration page."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import IntegerField, PasswordField, RadioField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, ValidationError

from app.accounts.endpoint import Endpoint, Tls
from app.errors import BadInput
from app.mail_services.hosts import parse_hosts
from app.mail_services.models import NoticeTransport, RegistrationPolicy
from app.notices.service import Wanted
from app.users.forms import is_address
from app.web.forms import choices, text_of, tidy, tidy_lower


class RegistrationForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    policy = RadioField(choices=choices(*((policy.value, policy.value) for policy in RegistrationPolicy)))
    transport = RadioField(choices=choices(*((transport.value, transport.value) for transport in NoticeTransport)))
    from_address = StringField(_("Sender"), [Length(max=254)], filters=[tidy_lower])
    smtp_host = StringField(_("Server"), [Length(max=253)], filters=[tidy_lower])
    smtp_port = IntegerField(
        _("Port"), [InputRequired(_("Type a number.")), NumberRange(1, 65535, _("Between 1 and 65535."))]
    )
    smtp_tls = SelectField(
        _("Encryption"),
        choices=choices(
            (Tls.IMPLICIT.value, _("TLS from the start")), (Tls.STARTTLS.value, "STARTTLS"), (Tls.NONE.value, _("None"))
        ),
    )
    smtp_username = StringField(_("User name"), [Length(max=254)], filters=[tidy])
    smtp_password = PasswordField(_("Password"), [Length(max=1000)])

    def validate_from_address(self, field: StringField) -> None:
        if self.transport.data != NoticeTransport.NONE.value:
            is_address(self, field)

    def validate_smtp_host(self, field: StringField) -> None:
        if self.transport.data != NoticeTransport.SMTP.value:
            return
        try:
            hosts = parse_hosts(field.name, text_of(field), networks=False)
        except BadInput:
            hosts = ()
        if len(hosts) != 1:
            raise ValidationError(_("Type the name or address of an SMTP server."))

    def validate_policy(self, field: RadioField) -> None:
        needs_mail = field.data == RegistrationPolicy.ACTIVATION.value
        if needs_mail and self.transport.data == NoticeTransport.NONE.value:
            raise ValidationError(_("Activation by mail needs a way to send mail. Choose one below."))

    def wanted(self) -> Wanted:
        """What was typed, as values."""
        endpoint = Endpoint(text_of(self.smtp_host), self.smtp_port.data or 0, Tls(self.smtp_tls.data))
        return Wanted(
            policy=RegistrationPolicy(self.policy.data),
            transport=NoticeTransport(self.transport.data),
            from_address=text_of(self.from_address),
            endpoint=endpoint,
            username=text_of(self.smtp_username),
            password=text_of(self.smtp_password),
        )
