"""Every column sealed by a master key, and the name each seal was made for: what a rotation has to visit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement

from app.accounts.models import MailAccount
from app.db import Base
from app.mail_services.models import AccountRegistration, OAuthClient
from app.users.models import User


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column; its seals are called `<name>:<value of owner>`, `owner` being a column of the same row."""

    model: type[Base]
    column: str
    name: str
    owner: str = "uuid"

    @property
    def sealed(self) -> ColumnElement[Any]:
        return self.model.__table__.c[self.column]

    @property
    def owner_column(self) -> ColumnElement[Any]:
        return self.model.__table__.c[self.owner]

    def seal_name(self, owner: str) -> str:
        return f"{self.name}:{owner}"


SEALED_COLUMNS = [
    SealedColumn(MailAccount, "sealed_imap_password", "mail_account.imap_password"),
    SealedColumn(MailAccount, "sealed_smtp_password", "mail_account.smtp_password"),
    SealedColumn(MailAccount, "sealed_oauth_tokens", "mail_account.oauth_tokens"),
    SealedColumn(MailAccount, "sealed_data_key", "mail_account.data_key"),
    SealedColumn(User, "sealed_totp", "user.totp"),
    SealedColumn(AccountRegistration, "sealed_smtp_password", "account_registration.smtp_password"),
    SealedColumn(OAuthClient, "sealed_client_secret", "oauth_client.client_secret", owner="provider"),
]
"""Those of extensions are added as they register.  Cached bodies are sealed by data keys, which are among them."""
