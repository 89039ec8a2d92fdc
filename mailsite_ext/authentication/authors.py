"""Of whom a message says it is: the domains of its From field.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from app.extension_api import shown_author
from mailsite_ext.authentication.public_suffixes import registrable_domain
from mailsite_ext.authentication.raw_message import RawField
from mailsite_ext.errors import BadDomain
from mailsite_ext.protocol.address_lists import parse_addresses
from mailsite_ext.protocol.smtp_address import canonical_domain

MOST_LOOKED_AT = 8
_AROUND = "\"'()[]<>,;:\\"


def author_domains(fields: Iterable[RawField]) -> Iterator[str]:
    """As written, one for each address that has one, of every From field: a reader may be shown any of them.

    Read as ENVELOPE is and as the webmail does, so that what is judged is what is shown: they differ on what is not
    well-formed (RFC 5322 §3.4), and the webmail takes Sender where From is empty.
    """
    named = [field for field in fields if field.name in ("from", "sender")]
    written = [one.host for field in named if field.name == "from" for one in parse_addresses(field.value) if one.host]
    domains = [host.decode("utf-8", "replace") for host in written]
    yield from domains
    _, at, shown = shown_author(b"".join(field.octets for field in named)).rpartition("@")
    shown = shown.strip(_AROUND)  # what was left of quotes and brackets without end makes a domain no other one
    if at and shown and comparable_domain(shown) not in map(comparable_domain, domains[:MOST_LOOKED_AT]):
        yield shown


def author_organizations(fields: Iterable[RawField]) -> Collection[str]:
    """What somebody registered of the domains of the first authors, by the list alone."""
    domains = islice(author_domains(fields), MOST_LOOKED_AT)
    return {found for written in domains if (found := organization(written))}


def organization(written: str) -> str | None:
    """What somebody registered of a domain; None for a public suffix, and for what is no domain name."""
    domain = comparable_domain(written)
    return registrable_domain(domain) if domain else None


def comparable_domain(written: str) -> str | None:
    """A-labels in lower case, without the root's dot; None for what is no domain name, such as an address literal."""
    try:
        domain = canonical_domain(written.strip().rstrip("."))
    except BadDomain:
        return None
    return None if domain.startswith("[") else domain
