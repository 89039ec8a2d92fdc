"""Where reports are wanted: the URIs of rua=, and who agreed to get them (RFC 9990 §3.3, §4; RFC 8460 §3).  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from app.extension_api import MailError
from mailsite_ext.authentication.tag_list import BadTagList, has_version, parse_tags
from mailsite_ext.protocol.smtp_address import Address, parse_address

MOST_DESTINATIONS = 5
LONGEST_URI = 500
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_LIMITED = re.compile(r"(?P<uri>.*)!(?P<number>[0-9]{1,10})(?P<unit>[kmgt]?)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ByMail:
    address: Address
    most_octets: int | None = None  # as it is sent; None: it says nothing


@dataclass(frozen=True, slots=True)
class ByPost:
    url: str  # https, which only TLS reports may name


Destination = ByMail | ByPost


def dmarc_destinations(rua: str) -> Sequence[ByMail]:
    """Of rua= in a DMARC record, each once."""
    return [found for found in _destinations(rua) if isinstance(found, ByMail)]


def tls_destinations(records: Iterable[str]) -> Sequence[Destination]:
    """Of the TXT records at _smtp._tls.<domain>: none where there is not exactly one (RFC 8460 §3)."""
    own = [text for text in records if re.match(r"v=TLSRPTv1[ \t]*;", text)]
    if len(own) != 1:
        return []
    try:
        return _destinations(parse_tags(own[0]).get("rua", ""))
    except BadTagList:
        return []


def _destinations(rua: str) -> Sequence[Destination]:
    found = [_destination(uri.strip()) for uri in rua.split(",", MOST_DESTINATIONS)[:MOST_DESTINATIONS]]
    return list(dict.fromkeys(one for one in found if one is not None))


def _destination(uri: str) -> Destination | None:
    """None for what is not understood: others may be."""
    if len(uri) > LONGEST_URI:
        return None
    if uri.lower().startswith("https:"):
        return ByPost(uri) if _is_url(uri) else None
    limited = _LIMITED.fullmatch(uri)
    most = int(limited["number"]) * UNITS[limited["unit"].lower()] if limited else None
    address = _mail_address(limited["uri"] if limited else uri)
    return ByMail(address, most) if address else None


def _is_url(uri: str) -> bool:
    if not (uri.isascii() and uri.isprintable()) or " " in uri:
        return False
    try:
        return bool(urlsplit(uri).hostname)
    except ValueError:
        return False


def _mail_address(uri: str) -> Address | None:
    """Of a mailto: with one address; what it says of header fields is passed over (RFC 6068 §2)."""
    if not uri.lower().startswith("mailto:"):
        return None
    try:
        found = parse_address(unquote(uri[len("mailto:") :].partition("?")[0]), utf8=False)
    except MailError:
        return None
    return found if found.is_full_domain else None


def question_of_permission(policy_domain: str, destination: str) -> str:
    """The name whose TXT record says that `destination` takes reports about others' `policy_domain`."""
    return f"{policy_domain}._report._dmarc.{destination}"


def gives_permission(records: Iterable[str]) -> bool:
    """Is one of the TXT records a DMARC record, which needs no more than its version?"""
    return any(has_version(text, "DMARC1") for text in records)
