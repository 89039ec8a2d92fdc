"""Deciding where an address's mail is (E1), from answers others fetched: presets, SRV, autoconfig, MX, guesses.

Pure: no look-up happens here.  For each half (reading, sending) the first source that knows wins: what the provider
is known for, what the domain's owner published (RFC 6186, RFC 8314), where its mail goes, and guesses that answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.accounts.addresses import canonical_host
from app.accounts.autoconfig import ClientConfig, Server
from app.accounts.endpoint import Endpoint, Tls
from app.accounts.presets import Preset, find_by_host

SRV_SERVICES = {
    "_imaps._tcp": Tls.IMPLICIT,
    "_imap._tcp": Tls.STARTTLS,
    "_submissions._tcp": Tls.IMPLICIT,
    "_submission._tcp": Tls.STARTTLS,
}
READING = ("_imaps._tcp", "_imap._tcp")
SENDING = ("_submissions._tcp", "_submission._tcp")
MAX_RECORDS = 20


class Origin(StrEnum):
    """Which source a half of the settings came from."""

    PRESET = "preset"
    SRV = "srv"
    AUTOCONFIG = "autoconfig"
    MX = "mx"
    GUESS = "guess"


@dataclass(frozen=True, slots=True)
class Half:
    """A server for reading or for sending, and the login name it takes."""

    endpoint: Endpoint
    username: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Found:
    """What discovery came to; a half nobody knows is None."""

    address: str
    imap: Half | None = None
    smtp: Half | None = None
    preset: Preset | None = None

    @property
    def is_whole(self) -> bool:
        return self.imap is not None and self.smtp is not None

    @property
    def needs_a_look(self) -> bool:
        """Did DNS alone name a server of somebody else?  Then a person confirms it before a password goes there
        (RFC 6186 §6): DNS can be forged, and the certificate of a forger's host is valid for that host."""
        halves = [half for half in (self.imap, self.smtp) if half is not None and half.origin is Origin.SRV]
        return any(not _is_at_home(half.endpoint.host, self.address) for half in halves)


@dataclass(frozen=True, slots=True)
class Service:
    """What SRV records say of one service; `refused`: the only target is ".", the service is not offered."""

    endpoints: tuple[Endpoint, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was learnt; every part may be missing."""

    preset: Preset | None = None
    services: Mapping[str, Service] = field(default_factory=dict)
    configs: Sequence[ClientConfig] = ()
    mx_preset: Preset | None = None
    guesses: Sequence[Endpoint] = ()  # those that answered, best first
    smtp_guesses: Sequence[Endpoint] = ()


def _is_at_home(host: str, address: str) -> bool:
    return f".{host}".endswith(f".{domain_of(address)}") or find_by_host(host) is not None


def decide(address: str, evidence: Evidence) -> Found:
    """The settings for `address`."""
    imap = _first(_imap_halves(address, evidence))
    smtp = _first(_smtp_halves(address, evidence))
    return Found(address, imap, smtp, _provider(evidence, imap))


def _first(halves: Iterable[Half | None]) -> Half | None:
    return next((half for half in halves if half is not None), None)


def _imap_halves(address: str, evidence: Evidence) -> Iterable[Half | None]:
    yield _of_preset(evidence.preset, address, Origin.PRESET, reading=True)
    yield _of_services(evidence.services, READING, address)
    yield from (_of_server(config.imap, Origin.AUTOCONFIG) for config in evidence.configs)
    yield _of_preset(evidence.mx_preset, address, Origin.MX, reading=True)
    if not _is_refused(evidence.services, READING):
        yield from (Half(endpoint, address, Origin.GUESS) for endpoint in evidence.guesses)


def _smtp_halves(address: str, evidence: Evidence) -> Iterable[Half | None]:
    yield _of_preset(evidence.preset, address, Origin.PRESET, reading=False)
    yield _of_services(evidence.services, SENDING, address)
    yield from (_of_server(config.smtp, Origin.AUTOCONFIG) for config in evidence.configs)
    yield _of_preset(evidence.mx_preset, address, Origin.MX, reading=False)
    if not _is_refused(evidence.services, SENDING):
        yield from (Half(endpoint, address, Origin.GUESS) for endpoint in evidence.smtp_guesses)


def _of_preset(preset: Preset | None, address: str, origin: Origin, *, reading: bool) -> Half | None:
    if preset is None:
        return None
    return Half(preset.imap if reading else preset.smtp, preset.username(address), origin)


def _of_server(server: Server | None, origin: Origin) -> Half | None:
    return Half(server.endpoint, server.username, origin) if server else None


def _of_services(services: Mapping[str, Service], names: Sequence[str], address: str) -> Half | None:
    """The best SRV target; TLS from the start before STARTTLS (RFC 8314 §5.1)."""
    for name in names:
        endpoints = services.get(name, Service()).endpoints
        if endpoints:
            return Half(endpoints[0], _login_at(endpoints[0], address), Origin.SRV)
    return None


def _login_at(endpoint: Endpoint, address: str) -> str:
    """The whole address (RFC 6186 §4), unless the server belongs to a provider with another habit."""
    preset = find_by_host(endpoint.host)
    return preset.username(address) if preset else address


def _is_refused(services: Mapping[str, Service], names: Sequence[str]) -> bool:
    """Did the domain say that none of these is offered?  Then nothing is guessed."""
    known = [services[name] for name in names if name in services]
    return any(service.refused for service in known) and not any(service.endpoints for service in known)


def _provider(evidence: Evidence, imap: Half | None) -> Preset | None:
    """Whose rules apply: the provider that the chosen server belongs to.

    Outlook.com and Microsoft 365 share a server; the domain or its MX says which of the two it is.
    """
    known = [preset for preset in (evidence.preset, evidence.mx_preset) if preset is not None]
    if imap is None:
        return known[0] if known else None
    for preset in known:
        if preset.imap == imap.endpoint:
            return preset
    return find_by_host(imap.endpoint.host)


def read_srv(service: str, records: Sequence[str]) -> Service:
    """SRV records of one service, best first: lowest priority, then highest weight (RFC 2782).

    Weighted chance is for spreading load; a setting that is stored should be the same each time it is looked up.
    """
    tls, targets, refused = SRV_SERVICES[service], [], False
    for record in records[:MAX_RECORDS]:
        parsed = _srv_fields(record)
        if parsed is None:
            continue
        priority, weight, port, target = parsed
        if target == ".":
            refused = True  # RFC 6186 §3.4
        elif (host := _host(target)) and 0 < port < 65_536:
            targets.append((priority, -weight, host, port))
    return Service(tuple(Endpoint(host, port, tls) for _, _, host, port in sorted(targets)), refused)


def _srv_fields(record: str) -> tuple[int, int, int, str] | None:
    parts = record.split()
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts[:3]):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2]), parts[3]


def _host(target: str) -> str:
    try:
        return canonical_host(target)
    except ValueError:
        return ""


def read_mx(records: Sequence[str]) -> Sequence[str]:
    """MX hosts by preference, canonical; a null MX (RFC 7505) is none."""
    found = []
    for record in records[:MAX_RECORDS]:
        preference, _, target = record.partition(" ")
        if preference.isascii() and preference.isdigit() and len(preference) < 6 and (host := _host(target.strip())):
            found.append((int(preference), host))
    return [host for _, host in sorted(found)]


def guesses(domain: str) -> tuple[Sequence[Endpoint], Sequence[Endpoint]]:
    """Servers worth trying where nobody published any, best first: for reading, and for sending (RFC 8314 §3)."""
    imap = [Endpoint(f"imap.{domain}", 993), Endpoint(f"mail.{domain}", 993), Endpoint(domain, 993)]
    imap.append(Endpoint(f"mail.{domain}", 143, Tls.STARTTLS))
    smtp = [Endpoint(f"smtp.{domain}", 465), Endpoint(f"mail.{domain}", 465)]
    smtp += [Endpoint(f"smtp.{domain}", 587, Tls.STARTTLS), Endpoint(f"mail.{domain}", 587, Tls.STARTTLS)]
    return imap, smtp


def domain_of(address: str) -> str:
    """The domain of an address as A-labels.  Raises ValueError."""
    local, _, domain = address.rpartition("@")
    if not local or not address.isprintable() or " " in address:
        raise ValueError("not an address")
    return canonical_host(domain)
