"""May this host send mail in the name of that domain?  check_host() of RFC 7208.  Pure but for the DNS passed in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

from app.extension_api import Outcome
from mailsite_ext.authentication.budget import LONGEST_NAME, DnsBudget, is_askable
from mailsite_ext.authentication.spf_macros import (
    EXPLANATION_LETTERS,
    BadSpfRecord,
    MacroString,
    expand,
    letters_in,
    parse_macros,
)
from mailsite_ext.authentication.spf_record import (
    Mechanism,
    SpfRecord,
    SpfResult,
    is_spf,
    parse_record,
    single_label,
)
from mailsite_ext.protocol.smtp_address import Address

IpAddress: TypeAlias = IPv4Address | IPv6Address

MOST_TERMS = 10  # that ask DNS, over the whole evaluation; RFC 7208 §4.6.4, as all that follow
MOST_VOID = 2  # terms that find nothing
MOST_HOSTS = 10  # of one mx, or of one ptr
LONGEST_EXPLANATION = 500


@dataclass(frozen=True, slots=True)
class Sending:
    """What is asked about."""

    peer: IpAddress
    hello: str  # as the peer said it
    local: str
    domain: str
    received_by: str  # our host's name
    at: datetime

    @property
    def sender(self) -> str:
        return f"{self.local}@{self.domain}"


@dataclass(frozen=True, slots=True)
class SpfVerdict:
    result: SpfResult
    domain: str  # that was judged
    identity: str  # "mailfrom" or "helo" (RFC 8601 §2.7.2)
    reason: str = ""  # the term that matched, or what is wrong: our words, with the domain's in quotes
    explanation: str = ""  # the domain's own words, printable ASCII; never to be shown without saying so


@dataclass(frozen=True, slots=True)
class _Found:
    """What check_host() returns, and the record that decided: its exp= explains a fail."""

    result: SpfResult
    domain: str
    reason: str
    record: SpfRecord


class _Ended(Exception):
    """§2.6.6 and §2.6.7 end the evaluation, however deep it is."""

    def __init__(self, result: SpfResult, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


def check_sender(
    peer: str, hello: str, sender: Address | None, dns: DnsBudget, *, received_by: str, at: datetime
) -> SpfVerdict:
    """The verdict on MAIL FROM; on postmaster at the HELO name where that is empty (§2.4).

    `peer` is an IP address; an IPv4 one mapped into IPv6 counts as IPv4 (§5).
    """
    identity, domain = ("mailfrom", sender.domain) if sender and sender.domain else ("helo", hello)
    local = (sender.local if sender and sender.domain else "") or "postmaster"  # §4.3
    address = ip_address(peer)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    found, explanation = _Check(Sending(address, hello, local, domain, received_by, at), dns).verdict()
    return SpfVerdict(found.result, domain, identity, found.reason, explanation)


class _Check:
    """One evaluation and what it has used up."""

    def __init__(self, sending: Sending, dns: DnsBudget) -> None:
        self._sending = sending
        self._dns = dns
        self._terms = 0
        self._voids = 0

    def verdict(self) -> tuple[_Found, str]:
        domain = self._sending.domain
        try:
            found = self._check_host(domain)
        except _Ended as ended:
            return _Found(ended.result, domain, ended.reason, SpfRecord()), ""
        return found, self._explanation(found) if found.result is SpfResult.FAIL else ""

    def _check_host(self, domain: str) -> _Found:
        is_domain = is_askable(domain) and not domain.startswith("[")  # §4.3; an address is none
        texts = [text for text in self._ask(domain, "TXT") if is_spf(text)] if is_domain else []
        if not texts:
            return _Found(SpfResult.NONE, domain, f"{_plain(domain)} publishes no SPF record", SpfRecord())
        if len(texts) > 1:
            raise _Ended(SpfResult.PERMERROR, f"{domain} publishes several SPF records")  # §4.5
        record = _read(texts[0], domain)
        for mechanism in record.mechanisms:
            if self._matches(mechanism, domain):
                return _Found(mechanism.result, domain, f"{mechanism.text} of {domain}", record)
        if "redirect" in record.modifiers:
            return self._redirected(record.modifiers["redirect"], domain)
        return _Found(SpfResult.NEUTRAL, domain, f"nothing in the record of {domain} matches", record)  # §4.7

    def _redirected(self, target: MacroString, domain: str) -> _Found:
        """§6.1."""
        self._count_term()
        found = self._check_host(self._domain(target, domain) or "")
        if found.result is SpfResult.NONE:
            raise _Ended(SpfResult.PERMERROR, f"redirect of {domain}: {found.reason}")
        return found

    def _matches(self, mechanism: Mechanism, domain: str) -> bool:
        if mechanism.kind == "all":
            return True
        if mechanism.network is not None:
            return self._sending.peer in mechanism.network
        self._count_term()
        target = self._domain(mechanism.target, domain)
        match mechanism.kind:
            case "include":
                return target is not None and self._includes(target, mechanism)
            case "a":
                return target is not None and self._is_among(self._hosts_of_a(target), mechanism)
            case "mx":
                return target is not None and self._is_among(self._hosts_of_mx(target), mechanism)
            case "exists":
                return target is not None and bool(self._counted(self._ask(target, "A")))  # A for IPv6 too (§5.7)
        return target is not None and any(_is_within(name, target) for name in self._peer_names())

    def _includes(self, target: str, mechanism: Mechanism) -> bool:
        """§5.2, its table."""
        found = self._check_host(target)
        if found.result is SpfResult.NONE:
            raise _Ended(SpfResult.PERMERROR, f"{mechanism.text}: {found.reason}")
        return found.result is SpfResult.PASS

    def _hosts_of_a(self, name: str) -> Sequence[str]:
        return self._counted(self._addresses(name))

    def _hosts_of_mx(self, name: str) -> Sequence[str]:
        """Addresses of all MX hosts; never of the name itself (§5.4).  A term that finds none counts once as void."""
        hosts = [record.rpartition(" ")[2] for record in self._ask(name, "MX")]
        if len(hosts) > MOST_HOSTS:
            raise _Ended(SpfResult.PERMERROR, f"{name} has more than {MOST_HOSTS} MX hosts")
        return self._counted([address for host in hosts for address in self._addresses(host)])

    def _is_among(self, addresses: Sequence[str], mechanism: Mechanism) -> bool:
        prefix = mechanism.prefix4 if self._sending.peer.version == 4 else mechanism.prefix6
        return any(self._sending.peer in ip_network(f"{address}/{prefix}", strict=False) for address in addresses)

    def _addresses(self, name: str) -> Sequence[str]:
        return self._ask(name, "A" if self._sending.peer.version == 4 else "AAAA")

    def _peer_names(self) -> Iterator[str]:
        """Names of the peer that lead back to it (§5.5); a DNS error passes over a name, or finds none."""
        answer = self._dns.lookup(self._sending.peer.reverse_pointer, "PTR")
        for name in list(answer.records)[:MOST_HOSTS]:
            try:
                if any(ip_address(address) == self._sending.peer for address in self._addresses(name)):
                    yield name.rstrip(".").lower()
            except _Ended:
                continue

    def _ask(self, name: str, record_type: str) -> Sequence[str]:
        answer = self._dns.lookup(name, record_type)
        if answer.outcome is Outcome.NO_ANSWER:
            raise _Ended(SpfResult.TEMPERROR, f"no answer for {record_type} of {name}")
        return answer.records

    def _counted(self, records: Sequence[str]) -> Sequence[str]:
        self._voids += not records
        if self._voids > MOST_VOID:
            raise _Ended(SpfResult.PERMERROR, f"more than {MOST_VOID} terms find nothing in DNS")
        return records

    def _count_term(self) -> None:
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise _Ended(SpfResult.PERMERROR, f"more than {MOST_TERMS} terms ask DNS")

    def _domain(self, target: MacroString | None, domain: str) -> str | None:
        """<target-name> (§4.8), which may be a name that nothing has; None where the term matches nothing."""
        if target is None:
            return domain
        if not self._sending.local.isascii() and letters_in(target) & {"s", "l"}:
            return None  # RFC 8616 §4: such a term matches nothing
        name = expand(target, lambda letter: self._value(letter, domain)).rstrip(".")
        while len(name) > LONGEST_NAME and "." in name:  # §7.3
            name = name.partition(".")[2]
        return name

    def _value(self, letter: str, domain: str) -> str:
        """§7.2, §7.3."""
        sending = self._sending
        match letter:
            case "s":
                return sending.sender
            case "l":
                return sending.local
            case "o":
                return sending.domain
            case "d":
                return domain
            case "i":
                return _dotted(sending.peer)
            case "p":
                return self._peer_name(domain)
            case "v":
                return "in-addr" if sending.peer.version == 4 else "ip6"
            case "h":
                return sending.hello
            case "c":
                return str(sending.peer)
            case "r":
                return sending.received_by
        return str(int(sending.at.timestamp()))

    def _peer_name(self, domain: str) -> str:
        """%{p}: the domain itself, else a name below it, else any."""
        names = sorted(self._peer_names(), key=lambda name: (name != domain.lower(), not _is_within(name, domain)))
        return names[0] if names else "unknown"

    def _explanation(self, found: _Found) -> str:
        """§6.2: whatever is wrong with it, there is none."""
        try:
            name = self._domain(found.record.modifiers.get("exp", ("",)), found.domain)
            texts = self._ask(name, "TXT") if name else ()
            if len(texts) != 1 or not texts[0].isascii():
                return ""
            pieces = parse_macros(texts[0], EXPLANATION_LETTERS, spaces=True)
        except (_Ended, BadSpfRecord):
            return ""
        return _plain(expand(pieces, lambda letter: self._value(letter, found.domain)))


def _read(text: str, domain: str) -> SpfRecord:
    try:
        record = parse_record(text)
    except BadSpfRecord as bad:
        raise _Ended(SpfResult.PERMERROR, f"record of {domain}: {_plain(str(bad))}") from None
    if name := single_label(record):
        raise _Ended(SpfResult.PERMERROR, f"record of {domain}: {name!r} is no domain")
    return record


def _is_within(name: str, domain: str) -> bool:
    return f".{name}".lower().endswith(f".{domain}".lower())


def _dotted(address: IpAddress) -> str:
    """§7.3: nibbles for IPv6."""
    return str(address) if address.version == 4 else ".".join(f"{int(address):032x}")


def _plain(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text[:LONGEST_EXPLANATION])
