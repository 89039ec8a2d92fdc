"""What only we write, taken off what others send (RFC 8601 §5).  Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

from mailsite_ext.authentication.results import OUR_FIELDS, without_forged

_CONTINUED = re.compile(rb"(?:[ \t][^\n]*(?:\n|\Z))+")
_CLAIMS = (b"authentication-results", OUR_FIELDS.encode())


def without_claims(first: bytes, hosts: Collection[str]) -> bytes:
    """The beginning of a message, without what its header says in the name of `hosts` (lower case).

    Lines at its very top that begin with a space go too: below what we write they would be part of our Received.
    Where nothing is taken away it is the same object.  What has no end of a header in it is all header: if there is
    more, nobody takes it (delivery.header.read_header).
    """
    end = 0 if first.startswith(b"\r\n") else first.find(b"\r\n\r\n") + 2
    header = first[: end if end != 1 else len(first)]
    lowered = header.lower()
    begun = _CONTINUED.match(header)
    if begun is None and not any(claim in lowered for claim in _CLAIMS):
        return first
    kept = without_forged(header[begun.end() :] if begun else header, hosts)
    return kept + first[len(header) :]
