"""DKIM: which domains answer for a message (RFC 6376, 8301, 8463).  Pure but for the DNS passed in.

Each signature is judged alone; one that passes is enough for whoever asks (§6.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice

from app.extension_api import Outcome
from mailsite_ext.authentication.authors import author_organizations
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.canonical import BodyHash, Form
from mailsite_ext.authentication.dkim_key import (
    BadKey,
    KeyRecord,
    WeakKey,
    bits_of,
    is_key_record,
    is_signed,
    parse_key_record,
    usable_key,
)
from mailsite_ext.authentication.dkim_sign import SigningKey, sign
from mailsite_ext.authentication.dkim_signature import BadSignature, Signature, read_signature
from mailsite_ext.authentication.public_suffixes import registrable_domain
from mailsite_ext.authentication.raw_message import RawField, read_message

__all__ = ["DkimResult", "DkimVerdict", "SigningKey", "sign", "verify"]

MOST_SIGNATURES = 8
"""Tried of one message, from the top; each costs a look-up and a verification (RFC 6376 §8.4)."""
ALGORITHMS = ("rsa-sha256", "ed25519-sha256")


class DkimResult(StrEnum):
    """RFC 8601 §2.7.1."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - a word of RFC 8601
    FAIL = "fail"
    POLICY = "policy"  # verifiable, but nothing to trust
    NEUTRAL = "neutral"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


@dataclass(frozen=True, slots=True)
class DkimVerdict:
    """On one signature; the domain is empty where it cannot be read."""

    result: DkimResult
    reason: str = ""
    domain: str = ""
    selector: str = ""
    identity: str = ""
    algorithm: str = ""
    start: str = ""  # of b= (RFC 6008)
    key_bits: int = 0  # 0: no key was read
    is_testing: bool = False  # the domain says t=y


class _Judged(Exception):
    """The verdict on a signature, from wherever it becomes clear."""

    def __init__(self, result: DkimResult, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


def verify(message: Iterable[bytes], dns: DnsBudget, now: datetime) -> Sequence[DkimVerdict]:
    """A verdict on each signature, from the top; none where there is no signature.

    `message` in blocks as it came, with CRLF.  Raises HeaderTooLarge.
    """
    fields, body = read_message(message)
    read = [_read(field) for field in islice(_signatures(fields), MOST_SIGNATURES)]
    hashes = body_hashes(body, {one.body_form for one in read if isinstance(one, Signature)})
    verdicts = {
        place: _judge(one, fields, hashes, dns, now) if isinstance(one, Signature) else one
        for place, one in _those_of_authors_first(read, fields)
    }
    return [verdicts[place] for place in range(len(read))]


def _signatures(fields: Iterable[RawField]) -> Iterator[RawField]:
    return (field for field in fields if field.name == "dkim-signature")


def _those_of_authors_first(
    read: Sequence[Signature | DkimVerdict], fields: Sequence[RawField]
) -> Sequence[tuple[int, Signature | DkimVerdict]]:
    """With their places: what strangers' slow DNS uses up of the budget must not be missing for the author's own."""
    placed = list(enumerate(read))
    if len(read) > 1:
        ours = author_organizations(fields)
        placed.sort(key=lambda item: registrable_domain(item[1].domain) not in ours)
    return placed


def _read(field: RawField) -> Signature | DkimVerdict:
    try:
        return read_signature(field)
    except BadSignature as bad:
        return DkimVerdict(DkimResult.PERMERROR, str(bad))


def body_hashes(body: Iterable[bytes], forms: set[Form]) -> Mapping[Form, bytes]:
    """Read the body once for all signatures."""
    hashes = {form: BodyHash(form) for form in forms}
    if hashes:
        for block in body:
            for one in hashes.values():
                one.feed(block)
    return {form: one.digest() for form, one in hashes.items()}


def _judge(
    signature: Signature, fields: Sequence[RawField], hashes: Mapping[Form, bytes], dns: DnsBudget, now: datetime
) -> DkimVerdict:
    result, reason, bits, testing = DkimResult.PASS, "", 0, False
    try:
        _check_trust(signature, fields, now)
        record = get_key_record(signature.domain, signature.selector, dns)
        testing = record.is_testing
        if record.is_strict and signature.identity_domain != signature.domain:
            raise _Judged(DkimResult.PERMERROR, "the key is only for the domain itself")  # §3.6.1 t=s
        bits = _check_octets(signature, fields, hashes[signature.body_form], record)
    except _Judged as judged:
        result, reason = judged.result, judged.reason
    except WeakKey as weak:
        result, reason = DkimResult.POLICY, str(weak)
    except BadKey as bad:
        result, reason = DkimResult.PERMERROR, str(bad)
    except NoAnswer:
        result, reason = DkimResult.TEMPERROR, "no answer for the key, or several"
    if testing and result is DkimResult.FAIL:
        result, reason = DkimResult.NEUTRAL, f"{reason}; the domain is testing"  # §3.6.1 t=y: as if it were not signed
    return DkimVerdict(
        result,
        reason,
        signature.domain,
        signature.selector,
        signature.identity,
        signature.algorithm,
        signature.start,
        bits,
        testing,
    )


def _check_trust(signature: Signature, fields: Sequence[RawField], now: datetime) -> None:
    """What no key can make good.  Raises _Judged."""
    if signature.algorithm not in ALGORITHMS:  # RFC 8301 §3.1: rsa-sha1 has failed for good
        raise _Judged(DkimResult.PERMERROR, "signed with an algorithm that is not trusted")
    if signature.has_length:
        raise _Judged(DkimResult.POLICY, "the end of the body may be anybody's (l=)")  # §8.2
    if signature.expires_at is not None and signature.expires_at <= now.timestamp():
        raise _Judged(DkimResult.FAIL, "expired")
    for name in ("from", "subject"):  # §8.15: a second one would be shown, and is nobody's
        if sum(field.name == name for field in fields) > signature.names.count(name):
            raise _Judged(DkimResult.POLICY, f"a {name.capitalize()} of the message is not signed")


class NoAnswer(Exception):
    """DNS does not say which key it is: later it may."""


def get_key_record(domain: str, selector: str, dns: DnsBudget) -> KeyRecord:
    """§3.6.2.  Raises BadKey, NoAnswer."""
    answer = dns.lookup(f"{selector}._domainkey.{domain}", "TXT")
    texts = [text for text in answer.records if is_key_record(text)]
    if answer.outcome is Outcome.NO_ANSWER or len(texts) > 1:
        raise NoAnswer
    if not texts:
        raise BadKey("no key published" if not answer.records else "key record cannot be read")
    return parse_key_record(texts[0])


def _check_octets(signature: Signature, fields: Sequence[RawField], body_hash: bytes, record: KeyRecord) -> int:
    """The size of the key.  Raises _Judged where something was changed, BadKey."""
    key = usable_key(record, signature.algorithm)
    if body_hash != signature.body_hash:
        raise _Judged(DkimResult.FAIL, "the body was changed")
    if not is_signed(signature.signed_octets(fields), signature.value, key):
        raise _Judged(DkimResult.FAIL, "the header was changed, or the key is another")
    return bits_of(key)
