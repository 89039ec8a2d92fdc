"""What the settings come to with the certificate there is: the posture, and the listeners wanted.  Pure.

The one place that decides which port is bound where, with which TLS, and who may sign in on it (O4-O10, O12, O13).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailsite_ext.settings.values import Posture, Settings

LOOPBACK = ("127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  peers must reach port 25; the rest follows Expose Mail Externally


class CertificateState(StrEnum):
    NONE = "none"
    VALID = "valid"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is known of the certificate of the mail listeners; `certificate.py` reads it."""

    state: CertificateState = CertificateState.NONE
    names: tuple[str, ...] = ()  # DNS names it covers, in lower case
    expires_at: datetime | None = None
    error: str = ""  # why it is unreadable

    @property
    def is_configured(self) -> bool:
        """Also one that expired or cannot be read: it forces nothing, its listeners say what is wrong (O13)."""
        return self.state is not CertificateState.NONE


NO_CERTIFICATE = Certificate()


class ListenerRole(StrEnum):
    RECEPTION = "reception"  # mail from other servers, for local mailboxes only
    SUBMISSION = "submission"  # mail from people who signed in
    IMAP = "imap"


class TlsMode(StrEnum):
    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


class SignIn(StrEnum):
    """To whom a listener offers AUTH or LOGIN."""

    NOBODY = "nobody"
    LOOPBACK = "loopback"
    ANYBODY = "anybody"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSpec:
    """One port to listen on, and its rules; two specs that are equal need no restart."""

    roles: frozenset[ListenerRole]
    port: int
    tls: TlsMode
    addresses: tuple[str, ...]
    sign_in: SignIn
    sign_in_in_clear: bool  # AUTH and LOGIN also without TLS (T3)
    mail_needs_tls: bool = False  # reception answers mail without TLS by 530 (T5)
    fallback_port: int = 0  # where `port` cannot be bound (O16); 0: none

    @property
    def is_public(self) -> bool:
        return not set(self.addresses) <= set(LOOPBACK)

    def offers_sign_in(self, *, from_loopback: bool, over_tls: bool) -> bool:
        """May this peer sign in now?"""
        allowed = self.sign_in is SignIn.ANYBODY or (self.sign_in is SignIn.LOOPBACK and from_loopback)
        return allowed and (over_tls or self.sign_in_in_clear)


def effective_posture(settings: Settings, certificate: Certificate) -> Posture:
    """Delivery Security as it counts: without a certificate nothing can be secure (O13)."""
    return settings.posture if certificate.is_configured else Posture.ALLOW


def needs_second_look(settings: Settings, certificate: Certificate) -> bool:
    """Would passwords cross the internet in the clear?  (O10 together with Allow Insecure.)"""
    return settings.expose and effective_posture(settings, certificate) is Posture.ALLOW


def is_local_only(settings: Settings) -> bool:
    """Does every listener stay on this machine: test mode, or no domain of the internet?"""
    return settings.test_mode or not settings.domains


def listeners_wanted(settings: Settings, certificate: Certificate, mail_bind: str = "") -> Sequence[ListenerSpec]:
    """Every listener of the settings: reception, submission, IMAP, IMAPS.  `mail_bind`: see Config.mail_bind."""
    shared = settings.starttls and settings.smtps_port == settings.smtp_port
    specs = [_smtp(settings, certificate, mail_bind, shared=shared and certificate.is_configured)]
    if certificate.is_configured and not shared:
        specs.append(_secure({ListenerRole.SUBMISSION}, settings.smtps_port, settings, certificate, mail_bind))
    specs.append(_imap(settings, certificate, mail_bind))
    if certificate.is_configured:
        specs.append(_secure({ListenerRole.IMAP}, settings.imaps_port, settings, certificate, mail_bind))
    return specs


def _smtp(settings: Settings, certificate: Certificate, mail_bind: str, *, shared: bool) -> ListenerSpec:
    """Reception, always public: peers must reach it.  It offers AUTH only under Allow Insecure, or as `shared` port of
    submission, and to other machines only where mail is exposed (O4, O5)."""
    posture = effective_posture(settings, certificate)
    offers = shared or posture is Posture.ALLOW
    to = SignIn.ANYBODY if settings.expose else SignIn.LOOPBACK
    return ListenerSpec(
        roles=frozenset({ListenerRole.RECEPTION, *([ListenerRole.SUBMISSION] if offers else [])}),
        port=settings.smtp_port,
        tls=TlsMode.STARTTLS if certificate.is_configured else TlsMode.NONE,
        addresses=_addresses(settings, mail_bind, public=True),
        sign_in=to if offers else SignIn.NOBODY,
        sign_in_in_clear=posture is Posture.ALLOW,
        mail_needs_tls=posture is Posture.REQUIRE,
        fallback_port=settings.fallback_port if settings.test_mode else 0,
    )


def _imap(settings: Settings, certificate: Certificate, mail_bind: str) -> ListenerSpec:
    return ListenerSpec(
        roles=frozenset({ListenerRole.IMAP}),
        port=settings.imap_port,
        tls=TlsMode.STARTTLS if certificate.is_configured else TlsMode.NONE,
        addresses=_addresses(settings, mail_bind, public=settings.expose),
        sign_in=SignIn.ANYBODY,
        sign_in_in_clear=effective_posture(settings, certificate) is Posture.ALLOW,
    )


def _secure(
    roles: Iterable[ListenerRole], port: int, settings: Settings, certificate: Certificate, mail_bind: str
) -> ListenerSpec:
    """A secure port: TLS from the first octet (RFC 8314 §3), or by STARTTLS under O9."""
    return ListenerSpec(
        roles=frozenset(roles),
        port=port,
        tls=TlsMode.STARTTLS if settings.starttls else TlsMode.IMPLICIT,
        addresses=_addresses(settings, mail_bind, public=settings.expose),
        sign_in=SignIn.ANYBODY,
        sign_in_in_clear=settings.starttls and effective_posture(settings, certificate) is Posture.ALLOW,
    )


def _addresses(settings: Settings, mail_bind: str, *, public: bool) -> tuple[str, ...]:
    if not public or is_local_only(settings):
        return LOOPBACK
    return tuple(text.strip().strip("[]") for text in mail_bind.split(",") if text.strip()) or EVERYWHERE
