"""Mail Domains (O3), trusted forwarders and block lists: reading what was typed.  Pure."""

from __future__ import annotations

import re
from ipaddress import ip_address

import idna

from app.extension_api import BadInput
from mailsite_ext.authentication.public_suffixes import is_public_suffix
from mailsite_ext.errors import DomainNotAllowed

LONGEST_OCTETS = 253  # RFC 1035 §2.3.4, in text
MAX_DOMAINS = 500
MAX_FORWARDERS = 100
MAX_BLOCKLISTS = 10
LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")  # RFC 1123 §2.1: letters, digits, hyphens inside


def parse_domains(text: str, *, test_mode: bool) -> tuple[str, ...]:
    """Domains separated by commas or white space, as A-labels in lower case, each once.

    Raises BadInput on `domains` naming the one that is none, or the one that is too many; DomainNotAllowed naming a
    single label or an IP literal outside `test_mode` (O15).
    """
    found = _domains_in(text, MAX_DOMAINS)
    for domain in found:
        if not test_mode and not is_full_domain(domain):
            raise DomainNotAllowed(domain)
    return found


def parse_forwarders(text: str) -> tuple[str, ...]:
    """The same for trusted forwarders.

    Raises BadInput naming the one that is none or too many; DomainNotAllowed naming one that no forwarder has alone.
    """
    found = _domains_in(text, MAX_FORWARDERS)
    for domain in found:
        if not is_full_domain(domain) or is_public_suffix(domain):
            raise DomainNotAllowed(domain)
    return found


def parse_blocklists(text: str) -> tuple[str, ...]:
    """The same for the zones of DNS block lists.

    Raises BadInput naming the one that is none or too many; DomainNotAllowed naming one that is no full name.
    """
    found = _domains_in(text, MAX_BLOCKLISTS)
    for zone in found:
        if not is_full_domain(zone):
            raise DomainNotAllowed(zone)
    return found


def _domains_in(text: str, most: int) -> tuple[str, ...]:
    typed = re.split(r"[,;\s]+", text)
    found = tuple(dict.fromkeys(canonical_domain(name) for name in typed if name))
    if len(found) > most:
        raise BadInput("domains", found[most])
    return found


def is_full_domain(domain: str) -> bool:
    """False for a single label and for a literal: names that only Test Mail Mode takes."""
    return "." in domain and not domain.startswith("[")


def canonical_domain(typed: str) -> str:
    """A-labels in lower case (RFC 5891 §4), or a literal (RFC 5321 §4.1.3).  Raises BadInput on `domains`."""
    literal = _literal(typed)
    if literal:
        return literal
    try:
        name = _a_labels(typed.rstrip("."))
    except (idna.IDNAError, UnicodeError):
        raise BadInput("domains", typed[:100]) from None
    labels = name.split(".")
    if len(name) > LONGEST_OCTETS or labels[-1].isdecimal() or not all(LABEL.fullmatch(label) for label in labels):
        raise BadInput("domains", typed[:100])
    return name


def _a_labels(name: str) -> str:
    if name.isascii() and "xn--" not in name.lower():
        return name.lower()
    return idna.encode(name, uts46=True).decode()


def _literal(typed: str) -> str:
    """[192.0.2.1] or [IPv6:2001:db8::1], with or without brackets and tag; empty: not a literal."""
    bare = typed.removeprefix("[").removesuffix("]")
    bare = bare[5:] if bare[:5].lower() == "ipv6:" else bare
    try:
        address = ip_address(bare)
    except ValueError:
        return ""
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
