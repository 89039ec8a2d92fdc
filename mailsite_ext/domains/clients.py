"""What a person types into a mail client: pure, from the listeners that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailsite_ext.settings.posture import Certificate, ListenerRole, ListenerSpec, TlsMode

BEST_FIRST = (TlsMode.IMPLICIT, TlsMode.STARTTLS, TlsMode.NONE)  # RFC 8314 §3


@dataclass(frozen=True, slots=True)
class ClientServer:
    """One server of a mail client's form: `reachable` from other machines, or from this one alone."""

    host: str
    port: int
    tls: TlsMode
    reachable: bool


def server_for(role: ListenerRole, specs: Sequence[ListenerSpec], host: str) -> ClientServer | None:
    """The best listener that somebody can sign in on for `role`; None: there is none."""
    fitting = [spec for spec in specs if role in spec.roles]
    if not fitting:
        return None
    best = min(fitting, key=lambda spec: (not _is_open(spec), BEST_FIRST.index(spec.tls)))
    return ClientServer(host if _is_open(best) else "localhost", best.port, best.tls, _is_open(best))


def _is_open(spec: ListenerSpec) -> bool:
    return spec.is_public and spec.offers_sign_in(from_loopback=False, over_tls=spec.tls is not TlsMode.NONE)


def host_name(certificate: Certificate, public_host: str, domain: str) -> str:
    """The name to connect to: one the certificate covers, best that of the web pages, else that of the domain."""
    names = [name for name in certificate.names if not name.startswith("*.")]
    if public_host in names or not names:
        return public_host or domain
    return names[0]
