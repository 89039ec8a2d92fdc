"""The policies of the domains hosted here: what is published now, and what was remembered of it (T1, T2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.extension_api import Running, Runtime, row_count, running_services
from mailsite_ext.domains.clients import host_name
from mailsite_ext.settings.certificate import load_certificate
from mailsite_ext.settings.posture import Certificate, effective_posture
from mailsite_ext.settings.running import certificate_of, settings_of
from mailsite_ext.settings.service import load_settings
from mailsite_ext.settings.values import Posture, Settings
from mailsite_ext.transport_security.models import PublishedPolicy
from mailsite_ext.transport_security.mta_sts import Mode, Policy
from mailsite_ext.transport_security.publishing import Published, mode_to_publish, policy_to_serve, published

RECEPTION = "smtp"  # the kind of service that takes mail from other servers
AHEAD = timedelta(hours=1)  # remembered a little longer than true, so that not every request writes


def find_own_policy(parts: Runtime, db: Session, domain: str, *, remember: bool = False) -> Policy | None:
    """What senders are told of a hosted `domain` now; None: there is none (T1).

    `remember` that somebody was told, and commit.
    """
    settings, now = load_settings(db), parts.clock.now()
    if domain not in settings.domains:
        return None
    certificate = load_certificate(parts.config, now)
    last = _last(db, domain)
    saved = effective_posture(settings, certificate)
    mode = mode_to_publish(saved, _running(db, certificate), last.mode if last else Mode.NONE)
    policy = policy_to_serve(mode, mail_host(parts, certificate, domain), last, now)
    if remember and policy is not None:
        _remember(db, domain, last, published(mode, last, now + AHEAD))
    return policy


def mail_host(parts: Runtime, certificate: Certificate, domain: str) -> str:
    """The server that takes a domain's mail: a name its certificate covers, or senders refuse it (RFC 8461 §4.2)."""
    return host_name(certificate, urlsplit(parts.config.public_url).hostname or "", domain)


def _running(db: Session, certificate: Certificate) -> Sequence[Posture]:
    """The posture of each reception listener that runs."""
    return [served_posture(each, certificate) for each in running_services(db, RECEPTION)]


def served_posture(running: Running, certificate: Certificate) -> Posture:
    """What a listener keeps to; one that does not say may keep to nothing."""
    settings = settings_of(Settings(posture=Posture.ALLOW), running.settings)
    return effective_posture(settings, certificate_of(settings, running.ports, certificate))


def _last(db: Session, domain: str) -> Published | None:
    row = db.get(PublishedPolicy, domain)
    return Published(row.mode, row.until) if row else None


def _remember(db: Session, domain: str, last: Published | None, told: Published | None) -> None:
    """Write what was told, unless what is written still covers it."""
    if told is None or (last is not None and last.mode is told.mode and told.until - last.until < AHEAD):
        return
    values = {"mode": told.mode, "until": told.until}
    if not row_count(db.execute(update(PublishedPolicy).where(PublishedPolicy.domain == domain).values(values))):
        db.add(PublishedPolicy(domain=domain, **values))
    try:
        db.commit()
    except IntegrityError:  # another process told somebody in the same moment, and wrote it
        db.rollback()
