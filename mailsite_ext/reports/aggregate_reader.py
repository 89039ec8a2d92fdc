"""Reading DMARC aggregate reports, which strangers write: no DTD, no entities, bounded.  Pure.

Both forms are read alike, with or without a name space (RFC 9990 §3, RFC 7489 Appendix C); what neither knows is passed
over.  Only what the report cannot be understood without must be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TypeAlias
from xml.parsers import expat

from mailsite_ext.reports.aggregate import (
    LATEST_S,
    MOST_MESSAGES,
    MOST_RECORDS,
    AggregateReport,
    Disposition,
    DkimSaid,
    Override,
    Published,
    Record,
    SpfSaid,
)
from mailsite_ext.reports.faults import BadReport, Fault

MAX_DEPTH = 12
MAX_ELEMENTS = 1_000_000
MAX_TEXT = 1_000  # characters of one element
MAX_RESULTS = 10  # of DKIM, SPF and overrides, of one record

Group: TypeAlias = Mapping[str, str]
"""Texts of the elements below one, by the path from it: "date_range/begin"."""

GROUPS = {
    "feedback/report_metadata": "metadata",
    "feedback/policy_published": "policy",
    "feedback/record": "record",
    "feedback/record/auth_results/dkim": "dkim",
    "feedback/record/auth_results/spf": "spf",
    "feedback/record/row/policy_evaluated/reason": "reason",
}
"""Elements whose texts belong together."""

KEPT = frozenset({
    "org_name", "email", "report_id", "date_range/begin", "date_range/end",
    "domain", "p", "sp", "np", "adkim", "aspf", "testing", "discovery_method",
    "row/source_ip", "row/count", "row/policy_evaluated/disposition", "row/policy_evaluated/dkim",
    "row/policy_evaluated/spf", "identifiers/header_from", "identifiers/envelope_from",
    "selector", "result", "type", "comment",
})  # fmt: skip
"""The texts that are; of what else a stranger writes nothing is held."""


@dataclass(slots=True)
class _Row:
    """A record as it is being read."""

    texts: Group = field(default_factory=dict)
    dkim: list[Group] = field(default_factory=list)
    spf: list[Group] = field(default_factory=list)
    reason: list[Group] = field(default_factory=list)


def read_aggregate(octets: bytes) -> AggregateReport:
    """Raises BadReport."""
    reader = _Reader()
    reader.read(octets)
    metadata, policy = reader.only("metadata"), reader.only("policy")
    begin, end = _seconds(metadata, "begin"), _seconds(metadata, "end")
    if end < begin:
        raise BadReport(Fault.BAD_VALUE, "date_range")
    return AggregateReport(
        org_name=_needed(metadata, "org_name"),
        email=metadata.get("email", ""),
        report_id=_needed(metadata, "report_id"),
        begin=begin,
        end=end,
        published=_published(policy),
        records=tuple(_record(row) for row in reader.rows),
    )


def _published(policy: Group) -> Published:
    return Published(
        domain=_domain(_needed(policy, "domain")),
        p=policy.get("p") or "none",
        sp=policy.get("sp", ""),
        np=policy.get("np", ""),
        adkim=policy.get("adkim", ""),
        aspf=policy.get("aspf", ""),
        testing=policy.get("testing", ""),
        discovery=policy.get("discovery_method", ""),
    )


def _record(row: _Row) -> Record:
    texts = row.texts
    evaluated = "row/policy_evaluated/"
    return Record(
        source_ip=_address(_needed(texts, "row/source_ip")),
        messages=_number(texts, "row/count", MOST_MESSAGES),
        disposition=_disposition(texts.get(f"{evaluated}disposition", "")),
        dkim=texts.get(f"{evaluated}dkim", "").lower() == "pass",
        spf=texts.get(f"{evaluated}spf", "").lower() == "pass",
        header_from=_domain(texts.get("identifiers/header_from", "")),
        envelope_from=_domain(texts.get("identifiers/envelope_from", "")),
        dkim_said=tuple(
            DkimSaid(_domain(said.get("domain", "")), said.get("selector", ""), said.get("result", "").lower())
            for said in row.dkim
        ),
        spf_said=tuple(SpfSaid(_domain(said.get("domain", "")), said.get("result", "").lower()) for said in row.spf),
        overrides=tuple(Override(said.get("type", ""), said.get("comment", "")) for said in row.reason),
    )


def _needed(texts: Group, name: str) -> str:
    if not texts.get(name):
        raise BadReport(Fault.MISSING, name)
    return texts[name]


def _number(texts: Group, name: str, most: int) -> int:
    text = _needed(texts, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= most):
        raise BadReport(Fault.BAD_VALUE, f"{name}: {text}")
    return int(text)


def _seconds(metadata: Group, name: str) -> int:
    return _number(metadata, f"date_range/{name}", LATEST_S)


def _address(text: str) -> str:
    """Without a zone, which means nothing elsewhere (RFC 4007 §6)."""
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        raise BadReport(Fault.BAD_VALUE, f"source_ip: {text}") from None


def _domain(text: str) -> str:
    return text.lower()[:255].rstrip(". ")


def _disposition(text: str) -> Disposition:
    """What is no word of the format was delivered: most who write one mean that."""
    try:
        return Disposition(text.lower())
    except ValueError:
        return Disposition.NONE


class _Reader:
    """Walks through the document and keeps the texts of the elements in GROUPS."""

    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self._found: dict[str, list[Group]] = {}
        self._path: list[str] = []
        self._open: list[tuple[int, dict[str, str]]] = []  # groups we are in: their depth, and their texts so far
        self._text: list[str] = []
        self._text_length = 0
        self._elements = 0

    def read(self, octets: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = _refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.buffer_text = True
        try:
            parser.Parse(octets, True)
        except (expat.ExpatError, LookupError, UnicodeError) as error:  # the last two: of the encoding it names
            raise BadReport(Fault.NOT_XML, str(error)) from None

    def only(self, group: str) -> Group:
        found = self._found.get(group, [])
        if not found:
            raise BadReport(Fault.MISSING, group)
        return found[0]

    def _start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        self._elements += 1
        self._path.append(tag.rpartition(":")[2])
        if len(self._path) > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise BadReport(Fault.TOO_MANY)
        if self._path[0] != "feedback":
            raise BadReport(Fault.NOT_A_REPORT)
        self._forget_text()
        group = GROUPS.get("/".join(self._path))
        if group == "record":
            self._begin_row()
        if group:
            self._open.append((len(self._path), {}))

    def _begin_row(self) -> None:
        if len(self.rows) >= MOST_RECORDS:
            raise BadReport(Fault.TOO_MANY)
        self.rows.append(_Row())

    def _end(self, _tag: str) -> None:
        group = GROUPS.get("/".join(self._path))
        if group:
            self._close(group, self._open.pop()[1])
        elif self._open:
            depth, texts = self._open[-1]
            name = "/".join(self._path[depth:])
            if name in KEPT:
                texts.setdefault(name, _plain("".join(self._text)))
        self._path.pop()
        self._forget_text()

    def _close(self, group: str, texts: Group) -> None:
        if group == "record":
            self.rows[-1].texts = texts
        elif group in ("dkim", "spf", "reason"):
            said: list[Group] = getattr(self.rows[-1], group)
            if len(said) < MAX_RESULTS:
                said.append(texts)
        else:
            self._found.setdefault(group, []).append(texts)

    def _characters(self, text: str) -> None:
        self._text_length += len(text)
        if self._text_length > MAX_TEXT:
            raise BadReport(Fault.BAD_VALUE, self._path[-1])
        self._text.append(text)

    def _forget_text(self) -> None:
        self._text.clear()
        self._text_length = 0


def _plain(text: str) -> str:
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return text.strip()


def _refuse(*_declared: object) -> None:
    raise BadReport(Fault.ENTITIES)
