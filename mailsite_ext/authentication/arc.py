"""ARC: what those who passed a message on had found out before they changed it (RFC 8617).  Pure but for the DNS.

A chain that passes says who sealed it, not that they tell the truth: it counts for forwarders an admin trusts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.canonical import Form, canonical_field
from mailsite_ext.authentication.dkim import ALGORITHMS, NoAnswer, body_hashes, get_key_record
from mailsite_ext.authentication.dkim_key import BadKey, is_signed, usable_key
from mailsite_ext.authentication.dkim_signature import (
    BadSignature,
    Signature,
    domain_of,
    selector_of,
    signature_of,
    without_b,
)
from mailsite_ext.authentication.raw_message import RawField, read_message
from mailsite_ext.authentication.tag_list import BadTagList, octets_of, parse_tags

MOST_SETS = 50  # §4.2.1

_RESULTS, _SIGNATURE, _SEAL = "arc-authentication-results", "arc-message-signature", "arc-seal"
_ORDER = (_RESULTS, _SIGNATURE, _SEAL)  # §5.1.1: sealed in this order
_NUMBER = re.compile(r"[1-9][0-9]?")
_INSTANCE = re.compile(r"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,3})[ \t\r\n]*;")
_SEAL_TAGS = frozenset({"i", "a", "b", "d", "s", "cv"})
_SIGNATURE_TAGS = frozenset({"i", "a", "b", "bh", "d", "h", "s"})


class ArcResult(StrEnum):
    """§4.4; and what may be known later."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - a word of RFC 8617
    FAIL = "fail"
    TEMPERROR = "temperror"


@dataclass(frozen=True, slots=True)
class Sealed:
    """One who passed the message on."""

    domain: str  # of the seal
    results: str  # what it had found out: its ARC-Authentication-Results, without the instance


@dataclass(frozen=True, slots=True)
class ArcVerdict:
    result: ArcResult
    reason: str = ""
    seals: Sequence[Sealed] = ()  # from the first to the last; only of a chain that passes


class BadChain(ValueError):
    """The chain fails; says why."""


_Set = Mapping[str, RawField]


@dataclass(frozen=True, slots=True)
class _Seal:
    field: RawField
    algorithm: str
    domain: str
    selector: str
    value: bytes


def verify_chain(message: Iterable[bytes], dns: DnsBudget) -> ArcVerdict:
    """§5.2.  `message` in blocks as it came, with CRLF.  Raises HeaderTooLarge."""
    fields, body = read_message(message)
    try:
        sets = _sets(fields)
        if not sets:
            return ArcVerdict(ArcResult.NONE)
        seals = [_read_seal(one, number) for number, one in enumerate(sets, 1)]
        _check_message(_read_signature(sets[-1]), fields, body, dns)
        _check_seals(seals, sets, dns)
    except (BadChain, BadSignature, BadTagList, BadKey) as bad:
        return ArcVerdict(ArcResult.FAIL, str(bad))
    except NoAnswer:
        return ArcVerdict(ArcResult.TEMPERROR, "no answer for a key, or several")
    return ArcVerdict(ArcResult.PASS, "", [_sealed(seal, one) for seal, one in zip(seals, sets, strict=True)])


def _sets(fields: Sequence[RawField]) -> Sequence[_Set]:
    """Set 1, 2 and so on, each whole, none missing (§5.2 steps 1 to 3).  Raises BadChain."""
    found: dict[int, dict[str, RawField]] = {}
    for field in fields:
        if field.name in _ORDER:
            one = found.setdefault(_instance(field), {})
            if field.name in one:
                raise BadChain("a field of a set is doubled")
            one[field.name] = field
    if len(found) > MOST_SETS or sorted(found) != list(range(1, len(found) + 1)):
        raise BadChain("a set is missing, or there are too many")
    if any(len(one) < len(_ORDER) for one in found.values()):
        raise BadChain("a set is not whole")
    return [found[number] for number in sorted(found)]


def _instance(field: RawField) -> int:
    """i= of §4.2.1; ARC-Authentication-Results begins with it, the others have it anywhere."""
    if field.name == _RESULTS:
        found = _INSTANCE.match(field.text)
        number = found[1] if found else ""
    else:
        number = parse_tags(field.text).get("i", "")
    if not _NUMBER.fullmatch(number):
        raise BadChain("an instance cannot be read")
    return int(number)


def _read_seal(one: _Set, number: int) -> _Seal:
    """§4.1.3: the first says there was no chain, each later one that it held.  Raises BadChain and its kin."""
    tags = parse_tags(one[_SEAL].text)
    if not set(tags) >= _SEAL_TAGS or {"h", "bh"} & set(tags):
        raise BadChain("a seal has not the tags of one")
    if tags["cv"].lower() != ("none" if number == 1 else "pass"):
        raise BadChain(f"seal {number} says cv={tags['cv'][:20]}")
    algorithm = _trusted(tags["a"])
    return _Seal(one[_SEAL], algorithm, domain_of(tags["d"]), selector_of(tags["s"]), octets_of(tags["b"]))


def _read_signature(one: _Set) -> Signature:
    """§4.1.2.  Raises BadChain, BadSignature, BadTagList."""
    tags = parse_tags(one[_SIGNATURE].text)
    if not set(tags) >= _SIGNATURE_TAGS:
        raise BadChain("a message signature has not the tags of one")
    signature = signature_of(one[_SIGNATURE], tags)
    if _SEAL in signature.names or "from" not in signature.names or signature.has_length:
        raise BadChain("a message signature signs what it must not, or not what it must")
    _trusted(signature.algorithm)
    return signature


def _trusted(algorithm: str) -> str:
    if algorithm.lower() not in ALGORITHMS:
        raise BadChain("signed with an algorithm that is not trusted")
    return algorithm.lower()


def _check_message(signature: Signature, fields: Sequence[RawField], body: Iterable[bytes], dns: DnsBudget) -> None:
    """Only the last: its seal stands for what was before (§5.2 step 4).  Raises BadChain, BadKey, NoAnswer."""
    key = usable_key(get_key_record(signature.domain, signature.selector, dns), signature.algorithm)
    if body_hashes(body, {signature.body_form})[signature.body_form] != signature.body_hash:
        raise BadChain("the body was changed after the last seal")
    if not is_signed(signature.signed_octets(fields), signature.value, key):
        raise BadChain("the header was changed after the last seal")


def _check_seals(seals: Sequence[_Seal], sets: Sequence[_Set], dns: DnsBudget) -> None:
    """§5.2 step 6: each seal covers all sets up to its own.  Raises BadChain, BadKey, NoAnswer."""
    before = b""
    for number, (seal, one) in enumerate(zip(seals, sets, strict=True), 1):
        key = usable_key(get_key_record(seal.domain, seal.selector, dns), seal.algorithm)
        inside = b"".join(canonical_field(one[name], Form.RELAXED) for name in (_RESULTS, _SIGNATURE))
        own = canonical_field(without_b(seal.field), Form.RELAXED).removesuffix(b"\r\n")
        if not is_signed(before + inside + own, seal.value, key):
            raise BadChain(f"seal {number} is broken")
        before += inside + canonical_field(seal.field, Form.RELAXED)


def _sealed(seal: _Seal, one: _Set) -> Sealed:
    return Sealed(seal.domain, one[_RESULTS].text.partition(";")[2].strip())
