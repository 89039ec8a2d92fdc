"""Which hosts take a domain's mail, in the order to try them (RFC 5321 §5.1, RFC 7505).  Pure but for the resolver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from app.extension_api import MailError, Outcome, Resolver
from mailsite_ext.replies import Reply

MOST_HOSTS = 5
MOST_ADDRESSES_OF_A_HOST = 4

Shuffle: TypeAlias = Callable[[Sequence[str]], Sequence[str]]


class NoRoute(MailError):
    """`reply` says why, as a server would: 4yz may be another time, 5yz will not."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.reply = Reply(code, words)


@dataclass(frozen=True, slots=True)
class Hop:
    """A host that takes the mail; `addresses` of both families, in the order to try."""

    host: str  # an A-label in lower case, without the last dot; the literal itself for "[192.0.2.1]"
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ourselves:
    """What this host is called and where it listens, so that it never delivers to itself in a loop."""

    names: frozenset[str]
    addresses: frozenset[str] = frozenset()
    reaches_private: bool = False  # Test Mail Mode (O15): loopback and private addresses are delivered to


def find_hops(
    domain: str, resolver: Resolver, ours: Ourselves, shuffle: Shuffle, *, ipv4_first: bool = False
) -> Sequence[Hop]:
    """The hosts of `domain`, at most MOST_HOSTS.  Raises NoRoute.

    `shuffle` mixes hosts of one preference; `ipv4_first` lets the caller change the family from one try to the next.
    """
    if domain.startswith("["):
        return [_literal(domain, ours)]
    hosts = _better_than_us(_mail_exchangers(domain, resolver), ours)
    found, unknown = [], False
    for host in _in_order(hosts, shuffle):
        addresses, all_known = _addresses(host, resolver, ours, ipv4_first=ipv4_first)
        unknown = unknown or not all_known
        if addresses:
            found.append(Hop(host, addresses))
        if len(found) == MOST_HOSTS:
            break
    if not found:
        raise (
            NoRoute(451, "4.4.3 DNS does not answer")
            if unknown
            else NoRoute(550, "5.4.4 no mail server has an address")
        )
    return found


def _literal(domain: str, ours: Ourselves) -> Hop:
    text = domain.strip("[]").removeprefix("IPv6:").removeprefix("ipv6:")
    if not _can_be_reached(text, ours):
        raise NoRoute(550, "5.1.2 mail is not delivered to this address")
    return Hop(domain, (text,))


def _mail_exchangers(domain: str, resolver: Resolver) -> Sequence[tuple[int, str]]:
    """(preference, host); the domain itself where it has no MX record at all, and only then (RFC 5321 §5.1)."""
    answer = resolver.lookup(domain, "MX")
    if answer.outcome is Outcome.NO_ANSWER:
        raise NoRoute(451, "4.4.3 DNS does not answer")
    if answer.outcome is Outcome.NO_NAME:
        raise NoRoute(550, "5.1.2 there is no such domain")
    if answer.outcome is Outcome.NO_RECORD:
        return [(0, domain)]
    found = [_exchanger(record) for record in answer.records]
    named = [(preference, host) for preference, host in found if host]
    if not named:
        raise NoRoute(556, "5.1.10 the domain takes no mail (RFC 7505)")
    return named


def _exchanger(record: str) -> tuple[int, str]:
    preference, _, host = record.partition(" ")
    return int(preference), host.strip().rstrip(".").lower()


def _better_than_us(hosts: Sequence[tuple[int, str]], ours: Ourselves) -> Sequence[tuple[int, str]]:
    """Without ourselves and whoever is no better: handing mail to those makes loops (RFC 5321 §5.1)."""
    limit = min((preference for preference, host in hosts if host in ours.names), default=None)
    if limit is None:
        return hosts
    better = [(preference, host) for preference, host in hosts if preference < limit]
    if not better:
        raise NoRoute(554, "5.4.6 DNS sends this domain's mail here, and it is not hosted here")
    return better


def _in_order(hosts: Iterable[tuple[int, str]], shuffle: Shuffle) -> Iterable[str]:
    seen: set[str] = set()
    for _, equal in groupby(sorted(hosts), key=itemgetter(0)):
        for host in shuffle([host for _, host in equal]):
            if host not in seen:
                seen.add(host)
                yield host


def _addresses(host: str, resolver: Resolver, ours: Ourselves, *, ipv4_first: bool) -> tuple[tuple[str, ...], bool]:
    """A host's addresses, and whether both questions were answered."""
    families = [resolver.lookup(host, "AAAA"), resolver.lookup(host, "A")]
    ordered = reversed(families) if ipv4_first else families
    found = [text for answer in ordered for text in answer.records if _can_be_reached(text, ours)]
    known = all(answer.outcome is not Outcome.NO_ANSWER for answer in families)
    return tuple(found[:MOST_ADDRESSES_OF_A_HOST]), known


def _can_be_reached(text: str, ours: Ourselves) -> bool:
    """Is `text` an address of somebody else in the world?"""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if ours.reaches_private:
        return not address.is_unspecified and not address.is_multicast
    return address.is_global and not address.is_multicast and str(address) not in ours.addresses
