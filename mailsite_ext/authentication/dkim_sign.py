"""Signing what leaves: RSA-2048, relaxed/relaxed, over the octets as sent (RFC 6376 §5, A2).  Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from mailsite_ext.authentication.canonical import BodyHash, Form, canonical_field
from mailsite_ext.authentication.dkim_signature import picked
from mailsite_ext.authentication.raw_message import RawField, read_message

ALWAYS = (
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
)
"""Named once more than they are there: a field that is added later breaks the signature (§5.4.2, §8.15)."""

IF_THERE = ("sender", "list-id", "list-unsubscribe", "list-unsubscribe-post", "autocrypt")
"""Oversigned too where the author wrote them (RFC 8058 §4); lists may add those that are not there."""

LINE_OCTETS = 76


@dataclass(frozen=True, slots=True)
class SigningKey:
    domain: str
    selector: str
    private: RSAPrivateKey


def sign(message: Iterable[bytes], key: SigningKey, now: datetime) -> bytes:
    """The DKIM-Signature field, with its CRLF, that goes on top of `message`.

    `message` in blocks, with CRLF, exactly as it will be sent.  Raises HeaderTooLarge.
    """
    fields, body = read_message(message)
    body_hash = BodyHash(Form.RELAXED)
    for block in body:
        body_hash.feed(block)
    names = names_to_sign([field.name for field in fields])
    unsigned = _field(key, names, body_hash.digest(), int(now.timestamp()))
    own = canonical_field(RawField("dkim-signature", unsigned), Form.RELAXED).removesuffix(b"\r\n")
    octets = picked(fields, names, Form.RELAXED) + own
    value = key.private.sign(octets, PKCS1v15(), hashes.SHA256())
    return unsigned.removesuffix(b"\r\n") + _base64_lines(value) + b"\r\n"


def names_to_sign(present: Sequence[str]) -> Sequence[str]:
    """h=: every name as often as it is there and once more."""
    oversigned = [*ALWAYS, *(name for name in IF_THERE if name in present)]
    return [name for name in oversigned for _ in range(present.count(name) + 1)]


def _field(key: SigningKey, names: Sequence[str], body_hash: bytes, at: int) -> bytes:
    """All but the value of b=, folded."""
    tags = [
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={key.domain};",
        f"s={key.selector}; t={at};",
        f"bh={base64.b64encode(body_hash).decode()};",
        *_folded_names(names),
        "b=",
    ]
    return "\r\n\t".join(tags).encode() + b"\r\n"


def _folded_names(names: Sequence[str]) -> Sequence[str]:
    text = "h=" + ":".join(names) + ";"
    return re.findall(rf".{{1,{LINE_OCTETS - 1}}}(?:[:;]|$)", text)


def _base64_lines(value: bytes) -> bytes:
    text = base64.b64encode(value)
    first = LINE_OCTETS - len("\tb=") - 1
    lines = [text[:first], *(text[at : at + LINE_OCTETS] for at in range(first, len(text), LINE_OCTETS))]
    return b"\r\n\t".join(lines)
