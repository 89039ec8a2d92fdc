"""A DKIM-Signature field, read and checked for what it says of itself (RFC 6376 §3.5, §6.1.1).  Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailsite_ext.authentication.canonical import Form, canonical_field
from mailsite_ext.authentication.raw_message import RawField
from mailsite_ext.authentication.tag_list import BadTagList, listed, octets_of, parse_tags, without_folds
from mailsite_ext.errors import BadDomain
from mailsite_ext.protocol.smtp_address import canonical_domain

LONGEST_FIELD = 16 * 1024
MOST_SIGNED_NAMES = 256

_B_TAG = re.compile(rb"((?:^|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*?(?=;|\r\n\Z|\Z)")
_SELECTOR = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*")
_NUMBER = re.compile(r"[0-9]{1,12}")  # seconds: twelve digits reach past the year 30,000


class BadSignature(ValueError):
    """A signature that can never be verified (PERMFAIL of §6.1); says why."""


@dataclass(frozen=True, slots=True)
class Signature:
    field: RawField
    algorithm: str  # "rsa-sha256"
    domain: str  # d=, A-labels
    selector: str
    identity: str  # i=
    header_form: Form
    body_form: Form
    names: tuple[str, ...]  # h=, lower case
    body_hash: bytes
    value: bytes  # b=
    has_length: bool  # l= is there
    signed_at: int | None = None  # t=, Unix seconds
    expires_at: int | None = None  # x=

    @property
    def start(self) -> str:
        """The first characters of b=, which tell this signature from others (RFC 6008)."""
        return base64.b64encode(self.value[:6]).decode()

    @property
    def identity_domain(self) -> str:
        """Raises BadSignature."""
        return domain_of(self.identity.rpartition("@")[2])

    def signed_octets(self, fields: Sequence[RawField]) -> bytes:
        """What was signed of the header (§3.7): the fields of h= from the bottom up, then this one without its b=."""
        own = canonical_field(without_b(self.field), self.header_form)
        others = [field for field in fields if field is not self.field]
        return picked(others, self.names, self.header_form) + own.removesuffix(b"\r\n")


def read_signature(field: RawField) -> Signature:
    """Raises BadSignature."""
    if len(field.octets) > LONGEST_FIELD:
        raise BadSignature("signature too long")
    try:
        tags = parse_tags(field.text)
        missing = {"v", "a", "b", "bh", "d", "h", "s"} - set(tags)
        if missing:
            raise BadSignature(f"{min(missing)}= is missing")
        if tags["v"] != "1":
            raise BadSignature("not of version 1")
        return _checked(signature_of(field, tags))
    except BadTagList as bad:
        raise BadSignature(str(bad)) from None


def signature_of(field: RawField, tags: Mapping[str, str]) -> Signature:
    """The values of the tags a message signature has.  Raises BadSignature, BadTagList."""
    if "dns/txt" not in listed(tags.get("q", "dns/txt")):
        raise BadSignature("no query method known")
    domain = domain_of(tags["d"])
    header_form, body_form = _forms(tags.get("c", "simple/simple"))
    return Signature(
        field,
        tags["a"].lower(),
        domain,
        selector_of(tags["s"]),
        without_folds(tags.get("i", f"@{domain}")),
        header_form,
        body_form,
        _names(tags["h"]),
        octets_of(tags["bh"]),
        octets_of(tags["b"]),
        "l" in tags,
        _seconds(tags, "t"),
        _seconds(tags, "x"),
    )


def _checked(signature: Signature) -> Signature:
    if "from" not in signature.names:
        raise BadSignature("From is not signed")  # §5.4
    if len(signature.body_hash) != hashlib.sha256().digest_size and signature.algorithm.endswith("sha256"):
        raise BadSignature("bh= is no hash")
    if not _is_within(signature.identity_domain, signature.domain):
        raise BadSignature("i= is not of d=")
    if signature.signed_at is not None and (signature.expires_at or signature.signed_at + 1) <= signature.signed_at:
        raise BadSignature("expires before it was made")
    return signature


def _names(text: str) -> tuple[str, ...]:
    """An empty item names no field, and no field is called so."""
    names = listed(text)
    if len(names) > MOST_SIGNED_NAMES:
        raise BadSignature("h= is too long")
    return names


def _forms(text: str) -> tuple[Form, Form]:
    """§3.5 c=: the body's is simple where only the header's is named."""
    header, _, body = without_folds(text).lower().partition("/")
    try:
        return Form(header), Form(body or "simple")
    except ValueError:
        raise BadSignature("c= names no known form") from None


def domain_of(text: str) -> str:
    """RFC 8616 §3 lets U-labels stand there.  A single label is a top-level domain: nobody signs for all of it."""
    try:
        domain = canonical_domain(without_folds(text))
    except BadDomain:
        raise BadSignature("d= or i= names no domain") from None
    if "." not in domain or domain.startswith("["):
        raise BadSignature("d= or i= names no domain")
    return domain


def selector_of(text: str) -> str:
    """Raises BadSignature."""
    if not _SELECTOR.fullmatch(text):
        raise BadSignature("s= is no selector")
    return text.lower()


def _seconds(tags: Mapping[str, str], name: str) -> int | None:
    if name not in tags:
        return None
    if not _NUMBER.fullmatch(tags[name]):
        raise BadSignature(f"{name}= is no time")
    return int(tags[name])


def _is_within(host: str, domain: str) -> bool:
    return f".{host}".endswith(f".{domain}")


def without_b(field: RawField) -> RawField:
    """The field with the value of its b= and the spaces around it deleted, all else octet for octet (§3.7)."""
    name, _, value = field.octets.partition(b":")
    return RawField(field.name, name + b":" + _B_TAG.sub(rb"\1", value, count=1))


def picked(fields: Sequence[RawField], names: Sequence[str], form: Form) -> bytes:
    """Fields by name, each taken once, the lowest first; one named too often stands for its absence (§5.4.2)."""
    left: dict[str, list[RawField]] = {}
    for field in fields:
        left.setdefault(field.name, []).append(field)
    return b"".join(canonical_field(left[name].pop(), form) for name in names if left.get(name))
