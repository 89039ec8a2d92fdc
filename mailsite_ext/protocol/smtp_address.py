"""Addresses as SMTP writes them: RFC 5321 §4.1.2, RFC 6531 §3.3.  Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import idna

from mailsite_ext.errors import AddressNeedsUtf8, AddressTooLong, BadAddress, BadDomain, RouteRefused

LONGEST_PATH_OCTETS = 254  # RFC 5321 §4.5.3.1.3 counts 256 with the brackets; VERP and SRS need all of it before the @
LONGEST_DOMAIN = 253

_BRACKETED = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^"<>])*)>(?: +|$)')
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]"
_ATOM = re.compile(rf"(?:{_ATEXT}|\.)+")  # dots anywhere: some carriers give out "a..b."
_DOT_STRING = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_QUOTED = re.compile(r'"((?:[\x20!#-\[\]-~\x80-\U0010ffff]|\\[\x20-~])*)"')
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: `local` unquoted and NFC, `domain` in lower-case A-labels, or a literal such as "[127.0.0.1]".

    Only <Postmaster> has an empty domain (RFC 5321 §4.5.1).
    """

    local: str
    domain: str

    def __str__(self) -> str:
        local = self.local if _DOT_STRING.fullmatch(self.local) else _quoted(self.local)
        return f"{local}@{self.domain}" if self.domain else local

    @property
    def is_ascii(self) -> bool:
        return self.local.isascii()

    @property
    def is_full_domain(self) -> bool:
        """False for single labels and literals, which only Test Mail Mode takes (O15)."""
        return "." in self.domain and not self.domain.startswith("[")


def _quoted(local: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'


def split_path(argument: str) -> tuple[str, str]:
    """The path of MAIL or RCPT without its brackets, and the parameters after it.

    A path without brackets is taken too: old clients write it so, and nothing else can be meant.  Raises BadAddress.
    """
    argument = argument.lstrip(" ")
    if not argument.startswith("<"):
        path, _, parameters = argument.partition(" ")
        if not path:
            raise BadAddress
        return path, parameters.strip(" ")
    found = _BRACKETED.match(argument)
    if found is None:
        raise BadAddress
    return found[1], argument[found.end() :].strip(" ")


def parse_address(path: str, *, utf8: bool) -> Address:
    """The address in `path`.

    Raises BadAddress, BadDomain, AddressTooLong, RouteRefused for a source route (RFC 5321 appendix F.2 lets a server
    decline it), AddressNeedsUtf8 where it is not ASCII and `utf8` (SMTPUTF8, RFC 6531 §3.4) was not said.
    """
    if not path.isascii() and not utf8:
        raise AddressNeedsUtf8
    if len(path.encode()) > LONGEST_PATH_OCTETS:
        raise AddressTooLong
    if path.startswith("@"):
        raise RouteRefused
    local, at, domain = path.rpartition("@")
    if not at:
        if domain.lower() == "postmaster":
            return Address("postmaster", "")
        raise BadAddress
    return Address(_local_part(local), canonical_domain(domain))


def _local_part(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    if quoted is None and not _ATOM.fullmatch(text):
        raise BadAddress
    local = unicodedata.normalize("NFC", re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text)
    if _CONTROL.search(local):
        raise BadAddress
    return local


def canonical_domain(text: str) -> str:
    """A domain as everything here compares it: A-labels in lower case (RFC 5891), or a literal.  Raises BadDomain."""
    if text.startswith("["):
        return _literal(text)
    is_plain = text.isascii() and "xn--" not in text.lower()
    domain = text.lower() if is_plain else _to_a_labels(text)
    if len(domain) > LONGEST_DOMAIN or not _HOST.fullmatch(domain):
        raise BadDomain
    return domain


def _to_a_labels(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise BadDomain from None


def _literal(text: str) -> str:
    """RFC 5321 §4.1.3: [192.0.2.1] or [IPv6:2001:db8::1]."""
    inside = text[1:-1]
    if not text.endswith("]"):
        raise BadDomain
    try:
        if inside[:5].lower() == "ipv6:":
            return f"[IPv6:{IPv6Address(inside[5:])}]"
        return f"[{IPv4Address(inside)}]"
    except ValueError:
        raise BadDomain from None
