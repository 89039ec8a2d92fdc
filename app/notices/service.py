"""Sending the site's own mails with the settings of the Account Registration page (N3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from uuid import uuid4

from sqlalchemy.orm import Session

from app.accounts.endpoint import Endpoint, Tls
from app.accounts.guard import GuardPolicy, connect
from app.accounts.tls import client_context
from app.errors import ServerUnreachable, SubmissionRefused
from app.mail_services.models import AccountRegistration, NoticeTransport, RegistrationPolicy
from app.notices.notice import Notice, as_message
from app.notices.sendmail import send_by_sendmail
from app.outbox.smtp import Login, SmtpSubmitter
from app.outbox.submitter import Envelope
from app.runtime import Runtime
from app.vault.secretbox import Vault

CHECK_LIMIT_S = 15.0
ANYWHERE = GuardPolicy(networks=(IPv4Network("0.0.0.0/0"), IPv6Network("::/0")))
"""An admin names this server, so it may be in the site's own network."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the admin typed; an empty password means: the stored one."""

    policy: RegistrationPolicy
    transport: NoticeTransport
    from_address: str
    endpoint: Endpoint
    username: str
    password: str = field(default="", repr=False)


def load_registration(db: Session) -> AccountRegistration:
    """The one row of settings; a fresh installation registers nobody and sends nothing."""
    return db.get(AccountRegistration, 1) or AccountRegistration(
        id=1,
        uuid=str(uuid4()),
        policy=RegistrationPolicy.OFF,
        transport=NoticeTransport.NONE,
        from_address="",
        smtp_host="",
        smtp_port=465,
        smtp_tls=Tls.IMPLICIT,
        smtp_username="",
    )


def save_registration(db: Session, vault: Vault, wanted: Wanted) -> AccountRegistration:
    """Store the settings.  The stored password never goes to another server or name than it was typed for."""
    row = load_registration(db)
    if (row.smtp_host, row.smtp_username) != (wanted.endpoint.host, wanted.username):
        row.sealed_smtp_password = None
    row.policy, row.transport, row.from_address = wanted.policy, wanted.transport, wanted.from_address
    row.smtp_host, row.smtp_port, row.smtp_tls = wanted.endpoint.host, wanted.endpoint.port, wanted.endpoint.tls
    row.smtp_username = wanted.username
    if wanted.password:
        row.sealed_smtp_password = vault.seal(password_seal(row), wanted.password)
    db.add(row)
    db.commit()
    return row


def password_seal(row: AccountRegistration) -> str:
    """The name the SMTP password is sealed under (C1)."""
    return f"account_registration.smtp_password:{row.uuid}"


def send(parts: Runtime, notice: Notice) -> None:
    """Send one mail and wait until it is accepted.  No database session is open while it goes out.

    Raises what `MailSubmitter.submit` raises, SubmissionRefused too where the only recipient is refused.
    """
    with parts.public.session() as db:
        row = load_registration(db)
    if row.transport == NoticeTransport.NONE:
        raise ServerUnreachable("No way to send mail is set.")
    message = as_message(notice, row.from_address, parts.clock.now())
    if row.transport == NoticeTransport.SENDMAIL:
        send_by_sendmail(message)
        return
    envelope = Envelope(str(uuid4()), row.from_address, (notice.to,))
    refused = _submitter(parts, row).submit(envelope, message.as_bytes())
    for reply in refused.values():
        raise SubmissionRefused(str(reply))


def check(parts: Runtime) -> None:
    """Does the server let us in?  At most 15 s.  Raises what `send` raises before the mail itself."""
    with parts.public.session() as db:
        row = load_registration(db)
    if row.transport == NoticeTransport.SMTP:
        _submitter(parts, row).check_login(CHECK_LIMIT_S)


def _submitter(parts: Runtime, row: AccountRegistration) -> SmtpSubmitter:
    sealed = row.sealed_smtp_password
    password = parts.vault.open_text(password_seal(row), sealed) if sealed else ""
    return SmtpSubmitter(
        Endpoint(row.smtp_host, row.smtp_port, row.smtp_tls),
        Login(row.smtp_username, password),
        connect=partial(connect, ANYWHERE, parts.resolver),
        tls=client_context(parts.config.tls_ca_file),
    )
