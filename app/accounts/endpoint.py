"""Where a mail server is, how to speak to it, and what opens it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum


class Tls(StrEnum):
    """How a connection is protected (RFC 8314 §3)."""

    IMPLICIT = "implicit"  # TLS from the first octet
    STARTTLS = "starttls"
    NONE = "none"  # only where an admin allows cleartext for the host (E3)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host (name or address as typed), a TCP port, and the protection."""

    host: str
    port: int
    tls: Tls = Tls.IMPLICIT


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens both servers of an account: passwords, or one access token for XOAUTH2.  Its repr shows neither."""

    imap_username: str
    smtp_username: str
    imap_password: str = field(default="", repr=False)
    smtp_password: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)

    @property
    def uses_token(self) -> bool:
        return bool(self.access_token)

    def with_token(self, access_token: str) -> Credentials:
        return replace(self, access_token=access_token)
