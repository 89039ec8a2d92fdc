"""What a mail client elsewhere can use of a domain now: the listeners that run, as they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.extension_api import Running, Runtime, running_services
from mailsite_ext.domains.clients import ClientServer, server_for
from mailsite_ext.settings.certificate import load_certificate
from mailsite_ext.settings.posture import (
    Certificate,
    CertificateState,
    ListenerRole,
    ListenerSpec,
    TlsMode,
    listeners_wanted,
)
from mailsite_ext.settings.running import certificate_of, settings_of
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
    found = {}
    for role, kind in KINDS.items():
        listening = [_specs(saved, each, certificate, parts.config.mail_bind) for each in running_services(db, kind)]
        found[role] = find_server(role, listening, certificate, host)
    imap = found[ListenerRole.IMAP]
    return Offer(domain, imap, found[ListenerRole.SUBMISSION]) if imap else None


def _specs(saved: Settings, running: Running, certificate: Certificate, mail_bind: str) -> Sequence[ListenerSpec]:
    """What a service listens with."""
    settings = settings_of(saved, running.settings)
    specs = listeners_wanted(settings, certificate_of(settings, running.ports, certificate), mail_bind)
    return [spec for spec in specs if spec.port in running.ports]


def find_server(
    role: ListenerRole, listening: Sequence[Sequence[ListenerSpec]], certificate: Certificate, host: str
) -> ClientServer | None:
    """The server to tell clients of: it listens, with TLS that proves its name, and is reached from elsewhere.

    No client is sent anywhere with a password in the clear; who wants that types it in (RFC 8314 §3).
    """
    if certificate.state is not CertificateState.VALID:
        return None
    servers = (server_for(role, specs, host) for specs in listening)
    return next((one for one in servers if one and one.reachable and one.tls is not TlsMode.NONE), None)
