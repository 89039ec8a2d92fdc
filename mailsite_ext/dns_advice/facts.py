"""What this installation knows of a hosted domain, read from its settings, keys and machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.extension_api import NotFound, Runtime, is_mail_elsewhere, running_addresses, this_machine
from mailsite_ext.authentication.key_states import Keys
from mailsite_ext.authentication.signing_keys import SigningKeys
from mailsite_ext.delivery.models import DeliveryAttempt
from mailsite_ext.dns_advice.records import Facts, Service, public_addresses
from mailsite_ext.domains.clients import server_for
from mailsite_ext.settings.certificate import load_certificate
from mailsite_ext.settings.mail_domains import is_full_domain
from mailsite_ext.settings.posture import Certificate, ListenerRole, TlsMode, listeners_wanted
from mailsite_ext.settings.service import load_settings
from mailsite_ext.settings.values import Settings
from mailsite_ext.transport_security.own_policy import RECEPTION, find_own_policy, mail_host

SERVICES = {ListenerRole.IMAP: "imap", ListenerRole.SUBMISSION: "submission"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last try to deliver something: could port 25 be connected?"""

    domain: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class Known:
    facts: Facts
    certificate: Certificate
    attempt: Attempt | None
    reaches_private: bool


def domains_of(settings: Settings) -> Sequence[str]:
    """The domains that can have records at all: no literal, no single label."""
    return [domain for domain in settings.domains if is_full_domain(domain)]


def get_known(parts: Runtime, db: Session, domain: str) -> Known:
    """Raises NotFound for a domain that is not hosted here."""
    settings = load_settings(db)
    if domain not in domains_of(settings):
        raise NotFound
    certificate = load_certificate(parts.config, parts.clock.now())
    host = mail_host(parts, certificate, domain)
    addresses = public_addresses(running_addresses(db, RECEPTION))
    facts = Facts(
        domain=domain,
        mail_host=host,
        web_host=urlsplit(parts.config.public_url).hostname or host,
        keys=find_keys(parts, db, domain),
        policy=find_own_policy(parts, db, domain),
        services=_services(settings, certificate, host),
        addresses=addresses,
        known_addresses=addresses,
    )
    return Known(facts, certificate, _last_attempt(db), settings.test_mode)


def find_keys(parts: Runtime, db: Session, domain: str) -> Keys | None:
    """None: they lie in another machine's work directory."""
    if is_mail_elsewhere(db, this_machine(parts.config).work_uuid):
        return None
    return SigningKeys(parts.config, parts.clock).keys(domain)


def _services(settings: Settings, certificate: Certificate, host: str) -> Sequence[Service]:
    """Each service with TLS from the start and with STARTTLS; what is not offered is said so (RFC 6186 §3.4)."""
    specs = listeners_wanted(settings, certificate)
    found = {role: server_for(role, specs, host) for role in SERVICES}
    if not any(server and server.reachable for server in found.values()):
        return []
    listed = []
    for role, name in SERVICES.items():
        server = found[role]
        for tls, ending in ((TlsMode.IMPLICIT, "s"), (TlsMode.STARTTLS, "")):
            is_offered = server is not None and server.reachable and server.tls is tls
            listed.append(Service(name=name + ending, port=server.port if server and is_offered else 0))
    return listed


def _last_attempt(db: Session) -> Attempt | None:
    columns = select(DeliveryAttempt.domain, DeliveryAttempt.port_25_blocked)
    row = db.execute(columns.order_by(DeliveryAttempt.id.desc()).limit(1)).first()
    return Attempt(row.domain, row.port_25_blocked) if row else None
