"""DNS block lists: is the peer's address on one, and what does the list say of it (RFC 5782)?  Pure, DNS passed in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, ip_address

from app.extension_api import Answer, Outcome, Resolver

LISTED = IPv4Network("127.0.0.0/8")
FAULTS = IPv4Network("127.255.255.0/24")
"""How lists say that they do not answer us, for too many questions or by a public resolver."""
LONGEST_WORDS = 200  # of the list, in a reply of ours: a line of SMTP has 512 octets
_NOT_PLAIN = re.compile(r"[^ -~]+")


@dataclass(frozen=True, slots=True)
class Listing:
    zone: str
    words: str  # the list's own: plain ASCII in one line, or none


def find_listing(peer: str, zones: Sequence[str], dns: Resolver) -> Listing | None:
    """The first list that has the address.  One that does not answer lists nobody; nor are private addresses asked."""
    if ip_address(peer).is_global:
        for zone in zones:
            name = question(peer, zone)
            if _is_listed(dns.lookup(name, "A")):
                return Listing(zone, _words(dns.lookup(name, "TXT")))
    return None


def question(peer: str, zone: str) -> str:
    """The octets of an IPv4 address, or the nibbles of an IPv6 one, backwards (RFC 5782 §2.1, §2.4)."""
    address = ip_address(peer)
    plain = getattr(address, "ipv4_mapped", None) or address
    return f"{plain.reverse_pointer.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{zone}"


def _is_listed(answer: Answer) -> bool:
    return answer.outcome is Outcome.FOUND and any(_counts(record) for record in answer.records)


def _counts(record: str) -> bool:
    """Whatever is no 127.0.0.0/8 comes from a domain somebody else has by now."""
    try:
        address = IPv4Address(record)
    except AddressValueError:
        return False
    return address in LISTED and address not in FAULTS


def _words(answer: Answer) -> str:
    said = " ".join(answer.records) if answer.outcome is Outcome.FOUND else ""
    return " ".join(_NOT_PLAIN.sub(" ", said[: 4 * LONGEST_WORDS]).split())[:LONGEST_WORDS]
