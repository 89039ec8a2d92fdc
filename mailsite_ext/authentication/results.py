"""Authentication-Results: what was found out, written for readers, and forged ones taken away (RFC 8601).  Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mailsite_ext.authentication.dkim import DkimVerdict
from mailsite_ext.authentication.dmarc import DmarcVerdict, Why
from mailsite_ext.authentication.raw_message import RawField, field_spans
from mailsite_ext.authentication.spf import SpfVerdict
from mailsite_ext.errors import BadDomain
from mailsite_ext.protocol.smtp_address import canonical_domain

LINE_OCTETS = 76
LONGEST_REASON = 200
LONGEST_VALUE = 320
OUR_FIELDS = "x-satchel-"
"""Nobody else has cause to write one."""

DMARC_REASONS = {
    Why.ALIGNED: "",
    Why.NOT_ALIGNED: "neither DKIM nor SPF passed for the author's domain",
    Why.NO_POLICY: "",
    Why.BAD_RECORD: "the record of the author's domain cannot be read",
    Why.NO_ANSWER: "no answer from DNS",
    Why.NO_AUTHOR: "From names no domain",
    Why.TOO_MANY_AUTHORS: "From names too many domains",
    Why.TRUSTED_FORWARDER: "a trusted forwarder says that it passed",
}

_PLAIN = re.compile(r"(?:[A-Za-z0-9._+-]*@)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s;()"]+)', re.DOTALL)
_COMMENT_PART = re.compile(r"\\.|[()]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """One method and what came of it; a DKIM signature is one each."""

    method: str  # of IANA's table: spf, dkim, dmarc, arc
    result: str
    reason: str = ""
    properties: tuple[tuple[str, str], ...] = ()  # "smtp.mailfrom" → its value; those without value are left out


def spf_finding(verdict: SpfVerdict) -> Finding:
    """§2.7.2."""
    return Finding("spf", verdict.result, verdict.reason, ((f"smtp.{verdict.identity}", verdict.domain),))


def dkim_findings(verdicts: Sequence[DkimVerdict]) -> Sequence[Finding]:
    """§2.7.1; one that says "none" where nothing is signed."""
    return [_dkim_finding(verdict) for verdict in verdicts] or [Finding("dkim", "none")]


def _dkim_finding(verdict: DkimVerdict) -> Finding:
    properties = {
        "header.d": verdict.domain,
        "header.i": verdict.identity,
        "header.s": verdict.selector,
        "header.a": verdict.algorithm,
        "header.b": verdict.start,  # RFC 6008 §4
    }
    return Finding("dkim", verdict.result, verdict.reason, tuple(properties.items()))


def dmarc_finding(verdict: DmarcVerdict) -> Finding:
    """RFC 9989 §9.3: the author's domain, and what its policy asks for of mail that fails."""
    properties = {"header.from": verdict.domain, "policy.dmarc": verdict.requested if verdict.record else ""}
    return Finding("dmarc", verdict.result, DMARC_REASONS[verdict.why], tuple(properties.items()))


def results_field(authserv_id: str, findings: Sequence[Finding]) -> bytes:
    """The field with its CRLF: ASCII, folded, each method on a line of its own (§2.2)."""
    lines = [f"Authentication-Results: {_value(authserv_id)}"]
    for finding in findings:
        lines[-1] += ";"
        lines += _folded(_pieces(finding))
    if not findings:
        lines[-1] += "; none"
    return "\r\n\t".join(lines).encode("ascii") + b"\r\n"


def _pieces(finding: Finding) -> list[str]:
    reason = [f"reason={_quoted(finding.reason[:LONGEST_REASON])}"] if finding.reason else []
    properties = [f"{name}={_value(value[:LONGEST_VALUE])}" for name, value in finding.properties if value]
    return [f"{finding.method}={finding.result}", *reason, *properties]


def _folded(pieces: Sequence[str]) -> list[str]:
    lines = [pieces[0]]
    for piece in pieces[1:]:
        if len(lines[-1]) + len(piece) + 1 > LINE_OCTETS:
            lines.append(piece)
        else:
            lines[-1] += f" {piece}"
    return lines


def _value(text: str) -> str:
    """pvalue of §2.2."""
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    """Whatever a stranger wrote stays within the quotes, on one line."""
    plain = "".join(char if " " <= char <= "~" else "?" for char in text)
    return '"' + re.sub(r'(["\\])', r"\\\1", plain) + '"'


def without_forged(header: bytes, authserv_ids: Collection[str]) -> bytes:
    """`header` without the results, and all else, that claim to be ours and cannot be: it comes from outside (§5).

    `authserv_ids`: every name we write, in lower case.  Where none is taken away it is the same object.
    """
    kept, at = bytearray(), 0
    for begin, end, field in field_spans(header):
        if is_ours(field, authserv_ids):
            kept += header[at:begin]
            at = end
    return bytes(kept) + header[at:] if at else header


def is_ours(field: RawField, authserv_ids: Collection[str]) -> bool:
    """Does it say it is one of these servers' results?  One that cannot be read is taken to."""
    if field.name.startswith(OUR_FIELDS):
        return True
    if field.name != "authentication-results":
        return False
    named = authserv_id_of(field.text)
    return named is None or named in authserv_ids


def authserv_id_of(value: str) -> str | None:
    """The name at the beginning, as domains are compared; None where it cannot be read."""
    at = after_comments(value, 0)
    found = _WORD.match(value, at) if at is not None else None
    if found is None:
        return None
    name = found["plain"] or unquoted(found["quoted"])
    try:
        return canonical_domain(name.strip().rstrip("."))
    except BadDomain:
        return name.strip().lower()


def unquoted(inside: str) -> str:
    """Of a quoted string, what stands between the quotes."""
    return re.sub(r"\\(.)", r"\1", inside, flags=re.DOTALL)


def after_comments(value: str, at: int) -> int | None:
    """Where the [CFWS] at `at` ends; None where a comment does not (RFC 5322 §3.2.2: they nest)."""
    at = _skip_space(value, at)
    while value.startswith("(", at):
        depth = 0
        for part in _COMMENT_PART.finditer(value, at):
            depth += {"(": 1, ")": -1}.get(part[0], 0)
            if not depth:
                at = _skip_space(value, part.end())
                break
        else:
            return None
    return at


def _skip_space(value: str, at: int) -> int:
    found = _SPACE.match(value, at)
    return found.end() if found else at
