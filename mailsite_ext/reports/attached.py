"""The report in a mail: which part it is, out of its wrapping (RFC 9990 §3.4, RFC 8460 §5).  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from app.extension_api import decode
from mailsite_ext.protocol.mime_scan import Entity, numbered, scan
from mailsite_ext.reports.faults import BadReport, Fault
from mailsite_ext.reports.unpack import MOST_PACKED_OCTETS, unpack

MOST_MAIL_OCTETS = MOST_PACKED_OCTETS * 3 // 2  # with what base64 and the rest of the mail add
MOST_TRIED = 5
FOR_READERS = (b"plain", b"html")
MARK = b"\xef\xbb\xbf"  # of UTF-8, before some reports


class Kind(StrEnum):
    DMARC = "dmarc"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Attached:
    kind: Kind
    octets: bytes  # XML or JSON


def is_bounce(mail: bytes) -> bool:
    """A notice of a report we sent, or of anything else: nobody reads those here (RFC 3464 §2)."""
    return any(part.type == b"message" and part.subtype.endswith(b"delivery-status") for part in _leaves(mail))


def find_attached(mail: bytes) -> Attached:
    """The first part that is a report by its content, whatever it calls itself.  Raises BadReport."""
    if len(mail) > MOST_MAIL_OCTETS:
        raise BadReport(Fault.TOO_LARGE)
    fault = BadReport(Fault.NOT_A_REPORT)
    for part in _candidates(mail):
        try:
            octets = unpack(_decoded(mail, part))
        except BadReport as error:
            fault = error
            continue
        kind = _kind(octets)
        if kind is not None:
            return Attached(kind, octets)
    raise fault


def _decoded(mail: bytes, part: Entity) -> bytes:
    return decode.transfer(mail[part.body_at : part.body_end], part.encoding.decode("ascii", "replace"))


def _kind(octets: bytes) -> Kind | None:
    first = octets[:200].removeprefix(MARK).lstrip()[:1]
    return {b"<": Kind.DMARC, b"{": Kind.TLS}.get(first)


def _candidates(mail: bytes) -> Iterable[Entity]:
    return [part for part in _leaves(mail) if not (part.type == b"text" and part.subtype in FOR_READERS)][:MOST_TRIED]


def _leaves(mail: bytes) -> Iterator[Entity]:
    """Parts that have no others in them; the mail itself stands for its only one."""
    for section, part in numbered(scan(mail)):
        if section and not part.children:
            yield part
