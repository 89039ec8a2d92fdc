"""What an admin decides about hosting (O1-O16): one frozen value.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LOCALHOST = "localhost"
DOMAIN_LISTS = ("domains", "trusted_forwarders", "blocklists")
"""Settings that are several domains."""


class StorageKind(StrEnum):
    FILES = "files"  # O1
    SQL = "sql"  # O2


class Posture(StrEnum):
    """Delivery Security (O12)."""

    ALLOW = "allow"  # T3
    SPAM = "spam"  # T4
    REQUIRE = "require"  # T5


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The MailSite sub-options as stored: intent.  What counts with the certificate there is, `posture.py` decides."""

    storage_engine: StorageKind = StorageKind.FILES
    domains: tuple[str, ...] = ()  # O3, A-labels; empty: localhost alone
    smtp_port: int = 25
    smtps_port: int = 465
    imap_port: int = 143
    imaps_port: int = 993
    starttls: bool = False  # O9
    expose: bool = False  # O10
    enforce_dmarc: bool = False  # O11
    trusted_forwarders: tuple[str, ...] = ()  # A-labels: whose ARC seals may spare mail from DMARC
    greylisting: bool = False
    blocklists: tuple[str, ...] = ()  # zones of DNS block lists; whom one of them has is refused
    send_reports: bool = True  # to domains that ask what became of mail in their name, and of mail to them
    posture: Posture = Posture.ALLOW
    log_mail: bool = False  # O14
    test_mode: bool = False  # O15
    fallback_port: int = 2525  # O16
    listener_processes: int = 1  # of SMTP, and as many of IMAP

    @property
    def hosted_domains(self) -> tuple[str, ...]:
        """The domains mail is taken for, the first of them the one new addresses are shown with."""
        return self.domains or (LOCALHOST,)
