"""Sending the site's own mails with the settings of the Account Registration page (N3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy.orm import Session

from app.accounts.endpoint import Endpoint, Tls
from app.accounts.tls import client_context
from app.errors import ServerUnreachable
from app.mail_services.models import AccountRegistration, NoticeTransport, RegistrationPolicy
from app.notices.notice import Notice, as_message
from app.notices.transport import SmtpRoute, deliver
from app.runtime import Runtime
from app.vault.secretbox import Vault


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

    Raises ServerUnreachable and its kinds, LoginRefused, SubmissionRefused or VaultError.
    """
    with parts.public.session() as db:
        row = load_registration(db)
    if row.transport == NoticeTransport.NONE:
        raise ServerUnreachable("no way to send mail is set")
    message = as_message(notice, row.from_address, parts.clock.now())
    deliver(_route(parts.vault, row), message, client_context(parts.config.tls_ca_file))


def _route(vault: Vault, row: AccountRegistration) -> SmtpRoute | None:
    if row.transport == NoticeTransport.SENDMAIL:
        return None
    sealed = row.sealed_smtp_password
    password = vault.open_text(password_seal(row), sealed) if sealed else ""
    return SmtpRoute(Endpoint(row.smtp_host, row.smtp_port, row.smtp_tls), row.smtp_username, password)
