"""What a mail client elsewhere can use of a domain now: the listeners that run, as they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.extension_api import Runtime, running_settings
from mailsite_ext.domains.clients import ClientServer, server_for
from mailsite_ext.settings.certificate import load_certificate
from mailsite_ext.settings.posture import Certificate, CertificateState, ListenerRole, TlsMode, listeners_wanted
from mailsite_ext.settings.running import settings_of
from mailsite_ext.settings.service import load_settings
from mailsite_ext.settings.values import Settings
from mailsite_ext.transport_security.own_policy import mail_host

KINDS = {ListenerRole.IMAP: "imap", ListenerRole.SUBMISSION: "smtp"}
"""Which kind of service has the listener."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The servers for reading and for sending; None: a client elsewhere cannot use it, or not safely."""

    domain: str
    imap: ClientServer | None
    smtp: ClientServer | None


def find_offer(parts: Runtime, db: Session, domain: str) -> Offer | None:
    """None: there is nothing to read mail by.  `domain` is hosted here."""
    certificate, saved = load_certificate(parts.config, parts.clock.now()), load_settings(db)
    host = mail_host(parts, certificate, domain)
    found = {
        role: find_server(role, [settings_of(saved, each) for each in running_settings(db, kind)], certificate, host)
        for role, kind in KINDS.items()
    }
    imap = found[ListenerRole.IMAP]
    return Offer(domain, imap, found[ListenerRole.SUBMISSION]) if imap else None


def find_server(
    role: ListenerRole, running: Sequence[Settings], certificate: Certificate, host: str
) -> ClientServer | None:
    """The server to tell clients of: with TLS that proves its name, and reached from elsewhere.

    No client is sent anywhere with a password in the clear; who wants that types it in (RFC 8314 §3).
    """
    if certificate.state is not CertificateState.VALID:
        return None
    servers = (server_for(role, listeners_wanted(settings, certificate), host) for settings in running)
    return next((one for one in servers if one and one.reachable and one.tls is not TlsMode.NONE), None)
