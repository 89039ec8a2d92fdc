"""The text of an SPF record, read into terms (RFC 7208 §4.6.1, §5, §6, §12).  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias

from mailsite_ext.authentication.spf_macros import BadSpfRecord, MacroString, parse_macros

Network: TypeAlias = IPv4Network | IPv6Network
LONGEST_RECORD = 16 * 1024

_VERSION = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)")
_DIRECTIVE = re.compile(r"([-+?~]?)([A-Za-z][A-Za-z0-9]*)(|[:/].*)")
_TOP_LABEL = re.compile(r"(?:^|\.)(?![0-9]+\.?$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?$")
_MACRO_END = re.compile(r"(?:%\{[^{}]*\}|%[%_-])$")
_HOSTS = re.compile(r"(?::(?P<spec>.+?))?(?:/(?P<four>[0-9]+))?(?://(?P<six>[0-9]+))?")
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")


class SpfResult(StrEnum):
    """RFC 7208 §2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - a word of RFC 7208
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


_QUALIFIERS = {
    "": SpfResult.PASS,
    "+": SpfResult.PASS,
    "-": SpfResult.FAIL,
    "~": SpfResult.SOFTFAIL,
    "?": SpfResult.NEUTRAL,
}


@dataclass(frozen=True, slots=True)
class Mechanism:
    kind: str  # all, include, a, mx, ptr, ip4, ip6, exists
    result: SpfResult = SpfResult.PASS  # when it matches
    text: str = ""  # as written
    target: MacroString | None = None  # None: the domain itself
    network: Network | None = None  # of ip4 and ip6
    prefix4: int = 32
    prefix6: int = 128


@dataclass(slots=True)
class SpfRecord:
    mechanisms: list[Mechanism] = field(default_factory=list)
    modifiers: dict[str, MacroString] = field(default_factory=dict)  # redirect and exp


def is_spf(text: str) -> bool:
    """Is this TXT record one of SPF (§4.5)?"""
    return _VERSION.match(text) is not None


def parse_record(text: str) -> SpfRecord:
    """All terms of a record, or none: an error anywhere ends the evaluation (§4.6).  Raises BadSpfRecord."""
    if not is_spf(text) or not text.isascii() or len(text) > LONGEST_RECORD:
        raise BadSpfRecord("not a record of version spf1, or not ASCII")
    record = SpfRecord()
    for term in filter(None, text.split(" ")[1:]):
        if modifier := _MODIFIER.fullmatch(term):
            _add_modifier(record, modifier[1].lower(), modifier[2])
        else:
            record.mechanisms.append(_mechanism(term))
    return record


def _add_modifier(record: SpfRecord, name: str, value: str) -> None:
    if name not in ("redirect", "exp"):
        parse_macros(value)  # §6: unknown ones are ignored, but must be well formed
    elif name in record.modifiers:
        raise BadSpfRecord(f"{name}= stands there twice")  # §6
    else:
        record.modifiers[name] = _domain_spec(value)


def _mechanism(term: str) -> Mechanism:
    found = _DIRECTIVE.fullmatch(term)
    if found is None or found[2].lower() not in _READERS:
        raise BadSpfRecord(f"{term!r} is no mechanism")
    kind = found[2].lower()
    return _READERS[kind](kind, _QUALIFIERS[found[1]], term, found[3])


def _read_all(kind: str, result: SpfResult, text: str, rest: str) -> Mechanism:
    if rest:
        raise BadSpfRecord(f"{text!r} says more than all")
    return Mechanism(kind, result, text)


def _read_target(kind: str, result: SpfResult, text: str, rest: str) -> Mechanism:
    """include, exists: a domain; ptr: a domain, or nothing."""
    if kind == "ptr" and not rest:
        return Mechanism(kind, result, text)
    return Mechanism(kind, result, text, _domain_spec(_after_colon(rest, text)))


def _read_hosts(kind: str, result: SpfResult, text: str, rest: str) -> Mechanism:
    """a, mx: [":" domain] ["/" prefix] ["//" prefix] (§5.3, §5.4)."""
    found = _HOSTS.fullmatch(rest)
    if found is None:
        raise BadSpfRecord(f"{text!r} cannot be read")
    target = _domain_spec(found["spec"]) if found["spec"] else None
    return Mechanism(
        kind, result, text, target, prefix4=_prefix(found["four"], 32, text), prefix6=_prefix(found["six"], 128, text)
    )


def _read_network(kind: str, result: SpfResult, text: str, rest: str) -> Mechanism:
    address, slash, prefix = _after_colon(rest, text).partition("/")
    longest = 32 if kind == "ip4" else 128
    bits = _prefix(prefix if slash else None, longest, text)
    try:
        network = ip_network(f"{address}/{bits}", strict=False)
    except ValueError:
        raise BadSpfRecord(f"{text!r} names no network") from None
    if "%" in address or network.max_prefixlen != longest:  # ipaddress takes zones, SPF does not
        raise BadSpfRecord(f"{text!r} names no network of its kind")
    return Mechanism(kind, result, text, network=network)


def _after_colon(rest: str, text: str) -> str:
    if not rest.startswith(":"):
        raise BadSpfRecord(f"{text!r} names nothing")
    return rest[1:]


def _prefix(digits: str | None, longest: int, text: str) -> int:
    if digits is None:
        return longest
    if not _PREFIX.fullmatch(digits) or int(digits) > longest:
        raise BadSpfRecord(f"{text!r} has no such prefix length")
    return int(digits)


def _domain_spec(text: str) -> MacroString:
    """§7.1: ends in a macro or in a top label that is not all digits.

    One label alone is let through here, for `single_label` to say so: no term that has one can ever match.
    """
    if not _TOP_LABEL.search(text) and not _MACRO_END.search(text):
        raise BadSpfRecord(f"{text!r} is no domain")
    return parse_macros(text)


def single_label(record: SpfRecord) -> str | None:
    """A target of one label, such as the "museum" of a:museum, which the grammar of §7.1 does not have."""
    targets = [mechanism.target for mechanism in record.mechanisms] + list(record.modifiers.values())
    plain = (target[0] for target in targets if target and len(target) == 1)
    return next((name for name in plain if isinstance(name, str) and "." not in name.rstrip(".")), None)


_Reader: TypeAlias = Callable[[str, SpfResult, str, str], Mechanism]
_READERS: Mapping[str, _Reader] = {
    "all": _read_all,
    "include": _read_target,
    "exists": _read_target,
    "ptr": _read_target,
    "a": _read_hosts,
    "mx": _read_hosts,
    "ip4": _read_network,
    "ip6": _read_network,
}
