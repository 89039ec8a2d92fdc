"""What a mail domain publishes in DNS, in the order to do it (D0-D5).  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from mailsite_ext.authentication.key_states import Keys, KeyState, record_of
from mailsite_ext.domains.names import DMARC_REPORTS, TLS_REPORTS
from mailsite_ext.transport_security.mta_sts import Policy, record_text

TTL_S = 3600
LONGEST_PIECE = 255  # RFC 1035 §3.3.14


class Row(StrEnum):
    """The rows of the panel, in the order of its work."""

    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    MTA_STS = "mta-sts"
    MTA_STS_HOST = "mta-sts-host"
    MX = "mx"
    ADDRESS = "address"
    REVERSE = "reverse"
    TLS_RPT = "tls-rpt"
    SRV = "srv"
    AUTOCONFIG = "autoconfig"
    AUTODISCOVER = "autodiscover"


class Obstacle(StrEnum):
    """Why a record is not to be published yet."""

    NO_KEY = "no-key"
    KEYS_ELSEWHERE = "keys-elsewhere"  # they lie in another machine's work directory
    NO_POLICY = "no-policy"  # Allow Insecure, or listeners that still run with it
    NO_ADDRESS = "no-address"
    NOT_REACHABLE = "not-reachable"  # nobody outside can sign in


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record, or those of one name and kind; `values` in presentation form, TXT as one text."""

    row: Row
    name: str  # without the last dot
    kind: str
    values: tuple[str, ...] = ()
    obstacle: Obstacle | None = None
    selector: str = ""  # of a signing key
    key_state: KeyState | None = None

    @property
    def value(self) -> str:
        return self.values[0] if self.values else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One a mail client finds by SRV; `port` 0: it is not offered (RFC 6186 §3.4)."""

    name: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a domain here.  `keys` None: kept on another machine."""

    domain: str
    mail_host: str
    web_host: str
    keys: Keys | None
    policy: Policy | None
    services: Sequence[Service] = ()  # empty: nobody outside can sign in
    addresses: tuple[str, ...] = ()  # public ones of the mail host
    known_addresses: tuple[str, ...] = ()  # those of them that machines here have; the rest was found in DNS


def records_of(facts: Facts) -> Sequence[Record]:
    """Every record of the domain, in the order of the panel."""
    domain = facts.domain
    dmarc = f"v=DMARC1; p=none; rua=mailto:{DMARC_REPORTS}@{domain}"
    tls_rpt = f"v=TLSRPTv1; rua=mailto:{TLS_REPORTS}@{domain}"
    return [
        Record(row=Row.SPF, name=domain, kind="TXT", values=("v=spf1 mx ~all",)),
        *_keys(facts),
        Record(row=Row.DMARC, name=f"_dmarc.{domain}", kind="TXT", values=(dmarc,)),
        *_mta_sts(facts),
        Record(row=Row.MX, name=domain, kind="MX", values=(f"10 {facts.mail_host}.",)),
        *_addresses(facts),
        *_reverse(facts),
        Record(row=Row.TLS_RPT, name=f"_smtp._tls.{domain}", kind="TXT", values=(tls_rpt,)),
        *_services(facts),
        *(_client_host(facts, row) for row in (Row.AUTOCONFIG, Row.AUTODISCOVER)),
    ]


def _keys(facts: Facts) -> Iterable[Record]:
    """One for each key somebody may still verify with (RFC 6376 §3.6.1)."""
    live = [key for key in facts.keys or () if key.state is not KeyState.RETIRED]
    if not live:
        why = Obstacle.KEYS_ELSEWHERE if facts.keys is None else Obstacle.NO_KEY
        yield Record(row=Row.DKIM, name=f"<selector>._domainkey.{facts.domain}", kind="TXT", obstacle=why)
    for key in live:
        yield Record(
            row=Row.DKIM,
            name=f"{key.selector}._domainkey.{facts.domain}",
            kind="TXT",
            values=(record_of(key),),
            selector=key.selector,
            key_state=key.state,
        )


def _mta_sts(facts: Facts) -> Iterable[Record]:
    """The record of the policy as it is served, and the name it is served at (RFC 8461 §3.1, §3.3).

    A policy that is being withdrawn keeps both until nobody can hold the last one any more (§8.3).
    """
    why = None if facts.policy else Obstacle.NO_POLICY
    texts = (record_text(facts.policy),) if facts.policy else ()
    yield Record(row=Row.MTA_STS, name=f"_mta-sts.{facts.domain}", kind="TXT", values=texts, obstacle=why)
    web = (f"{facts.web_host}.",)
    yield Record(row=Row.MTA_STS_HOST, name=f"mta-sts.{facts.domain}", kind="CNAME", values=web, obstacle=why)


def _addresses(facts: Facts) -> Iterable[Record]:
    """Without an address of our own that is public, behind a router, any public one is right."""
    for kind, version in (("A", 4), ("AAAA", 6)):
        known = tuple(text for text in facts.known_addresses if ip_address(text).version == version)
        if known or (version == 4 and not facts.known_addresses):
            yield Record(row=Row.ADDRESS, name=facts.mail_host, kind=kind, values=known)


def _reverse(facts: Facts) -> Iterable[Record]:
    for text in facts.addresses:
        yield Record(
            row=Row.REVERSE, name=ip_address(text).reverse_pointer, kind="PTR", values=(f"{facts.mail_host}.",)
        )
    if not facts.addresses:
        yield Record(row=Row.REVERSE, name=facts.mail_host, kind="PTR", obstacle=Obstacle.NO_ADDRESS)


def _services(facts: Facts) -> Iterable[Record]:
    """RFC 6186 §3, RFC 8314 §5.1."""
    if not facts.services:
        name = f"_imaps._tcp.{facts.domain}"
        yield Record(row=Row.SRV, name=name, kind="SRV", obstacle=Obstacle.NOT_REACHABLE)
    for service in facts.services:
        value = f"0 1 {service.port} {facts.mail_host}." if service.port else "0 0 0 ."
        yield Record(row=Row.SRV, name=f"_{service.name}._tcp.{facts.domain}", kind="SRV", values=(value,))


def _client_host(facts: Facts, row: Row) -> Record:
    """A name at which mail programs ask how to connect: the web pages' host, which answers them."""
    why = None if facts.services else Obstacle.NOT_REACHABLE
    return Record(row=row, name=f"{row}.{facts.domain}", kind="CNAME", values=(f"{facts.web_host}.",), obstacle=why)


def public_addresses(texts: Iterable[str]) -> tuple[str, ...]:
    """Those of `texts` the world can reach, each once."""
    found = dict.fromkeys(text.strip() for text in texts)
    return tuple(text for text in found if _is_public(text))


def _is_public(text: str) -> bool:
    try:
        return ip_address(text).is_global
    except ValueError:
        return False


# How a record is written


def in_pieces(text: str) -> str:
    """A TXT value as quoted strings of at most 255 octets (RFC 1035 §3.3.14); whoever reads it joins them."""
    pieces = [text[start : start + LONGEST_PIECE] for start in range(0, len(text), LONGEST_PIECE)] or [""]
    return " ".join('"{}"'.format(piece.replace("\\", "\\\\").replace('"', '\\"')) for piece in pieces)


def zone_lines(record: Record) -> str:
    """As a zone file has it, one line for each value (RFC 1035 §5.1)."""
    return "\n".join(f"{record.name}. {TTL_S} IN {record.kind} {_data(record, value)}" for value in record.values)


def _data(record: Record, value: str) -> str:
    if record.kind != "TXT":
        return value
    pieces = in_pieces(value)
    return f"( {pieces} )" if '" "' in pieces else pieces


def zone_file(domain: str, records: Iterable[Record]) -> str:
    """All that can be published now (D7).  Reverse names are of another zone: they stand in comments."""
    lines = [f"; Suggested records of {domain}"]
    for record in records:
        if record.values and record.obstacle is None:
            lines += [f"; {record.row.value}"]
            lines += [f"; {line}" if record.row is Row.REVERSE else line for line in zone_lines(record).split("\n")]
    return "\n".join(lines) + "\n"
