"""Which network addresses a person may make Satchel connect to (E4).  Pure: no socket, no look-up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import idna

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_HOST_OCTETS = 253  # RFC 1035 §2.3.4, in text
MAX_LISTED = 200  # entries of an admin's list that count

NEVER_A_SERVER: tuple[Network, ...] = tuple(
    ip_network(text) for text in ("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8")
)
"""Unspecified, multicast, broadcast: nothing a list could mean."""

NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",  # RFC 1918, with the next but three
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata services of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation, RFC 5737, with the next but three
        "192.88.99.0/24",  # 6to4 relays, withdrawn by RFC 7526
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "::/8",  # loopback; IPv4-compatible and -mapped are unwrapped first
        "64:ff9b:1::/48",  # NAT64 into a network of one's own, RFC 8215
        "100::/64",  # discard-only, RFC 6666
        "2001::/23",  # IETF protocol assignments; Teredo is unwrapped first
        "2001:db8::/32",
        "3fff::/20",  # documentation, RFC 9637
        "5f00::/16",  # segment routing, RFC 9602
        "fc00::/7",  # unique local, RFC 4193; among them a cloud's fd00:ec2::254
        "fe80::/10",
        "fec0::/10",  # site-local, deprecated
    )
)
"""IANA's special-purpose registries, and what was once in them."""

EMBEDDING: tuple[tuple[IPv6Network, int], ...] = (
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped, RFC 4291 §2.5.5.2
    (IPv6Network("::ffff:0:0:0/96"), 0),  # IPv4-translated, RFC 7915
    (IPv6Network("::/96"), 0),  # IPv4-compatible, RFC 4291 §2.5.5.1
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64, RFC 6052 §2.1
    (IPv6Network("2002::/16"), 80),  # 6to4, RFC 3056 §2
)
"""IPv6 networks whose addresses carry an IPv4 one, and how many bits stand to the right of it."""

TEREDO = IPv6Network("2001::/32")  # the client's IPv4 address is the last 32 bits, inverted: RFC 4380 §4
NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """Which addresses are allowed: all public ones, and what the admin lists.

    `names` are hosts as they may be typed, `networks` addresses and networks, `cleartext` hosts that may be spoken
    to without TLS (E3).
    """

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    cleartext: frozenset[str] = frozenset()

    @classmethod
    def of(cls, private_hosts: str, cleartext_hosts: str) -> GuardPolicy:
        """The policy of an admin's two lists, one entry a line; entries that are neither host nor network are void."""
        entries = [line.strip() for line in private_hosts.splitlines() if line.strip()][:MAX_LISTED]
        networks = [network for entry in entries if (network := find_network(entry)) is not None]
        names = {_listed_name(entry) for entry in entries if find_network(entry) is None}
        cleartext = {_listed_name(line.strip()) for line in cleartext_hosts.splitlines()[:MAX_LISTED]}
        return cls(frozenset(names - {""}), tuple(networks), frozenset(cleartext - {""}))

    def allows(self, host: str, address: Address) -> bool:
        """May we connect to `address`, reached through the canonical name `host`?"""
        inner = unwrap(address)
        if _is_in(inner, NEVER_A_SERVER) or _is_in(address, NEVER_A_SERVER):
            return False
        if host in self.names or _is_in(address, self.networks) or _is_in(inner, self.networks):
            return True
        return not _is_in(inner, NOT_PUBLIC)

    def allows_cleartext(self, host: str) -> bool:
        """May passwords and mail cross the network to `host` unprotected?"""
        return _listed_name(host) in self.cleartext


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def find_network(text: str) -> Network | None:
    """An address or network in an admin's list; host bits are ignored."""
    try:
        return ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


def _listed_name(entry: str) -> str:
    try:
        return canonical_host(entry)
    except ValueError:
        return ""


def unwrap(address: Address) -> Address:
    """The address packets will really go to: the IPv4 one an IPv6 address embeds, else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in TEREDO:
        return IPv4Address(~int(address) & 0xFFFFFFFF)
    for network, bits_after in EMBEDDING:
        if address in network and int(address) > 1:  # :: and ::1 are themselves
            return IPv4Address(int(address) >> bits_after & 0xFFFFFFFF)
    return address


def canonical_host(host: str) -> str:
    """`host` as it is looked up and compared: lower-case A-labels, or an address in its one spelling.

    `127.1`, `0x7f.1`, `2130706433` and `[::1]` come out as the address the system would make of them (inet_aton), so
    that no spelling walks past the guard.  Raises ValueError: empty, too long, or not a host.
    """
    text = host.strip()
    if not text or len(text) > MAX_HOST_OCTETS or not text.isprintable():
        raise ValueError("not a host name")
    if ":" in text or text.startswith("["):
        return _canonical_v6(text)
    name = _a_labels(text.removesuffix("."))
    labels = name.split(".")
    if NUMBER.fullmatch(labels[-1]):  # WHATWG URL §3.5: a name ends in a number only if it is an address
        return str(_loose_v4(labels))
    return name


def _canonical_v6(text: str) -> str:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if "%" in bare:
        raise ValueError("a zone has no meaning here")
    return str(ip_address(bare))


def _a_labels(name: str) -> str:
    """Also folds what only looks like ASCII: full-width digits and dots."""
    try:
        folded = name.lower() if name.isascii() else idna.encode(name, uts46=True, transitional=False).decode()
    except UnicodeError:
        raise ValueError("not a host name") from None
    if not all(re.fullmatch(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", label) for label in folded.split(".")):
        raise ValueError("not a host name")
    return folded


def _loose_v4(parts: list[str]) -> IPv4Address:
    """One to four numbers, decimal, octal or hexadecimal, the last filling what is left (inet_aton)."""
    if len(parts) > 4 or not all(NUMBER.fullmatch(part) for part in parts):
        raise ValueError("not an address")
    *first, last = (_number(part) for part in parts)
    room = 8 * (4 - len(first))
    if any(number > 255 for number in first) or last >> room:
        raise ValueError("not an address")
    value = sum(number << 8 * (3 - place) for place, number in enumerate(first))
    return IPv4Address(value | last)


def _number(text: str) -> int:
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if text.startswith("0") else 10)
