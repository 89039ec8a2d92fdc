"""Where a mail server is and how to speak to it."""

from __future__ import annotations

from dataclasses import dataclass
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
