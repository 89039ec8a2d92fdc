"""What only we write, taken off what others send (RFC 8601 §5).  Pure."""

from __future__ import annotations

from collections.abc import Collection

from mailsite_ext.authentication.results import OUR_FIELDS, without_forged

_CLAIMS = (b"authentication-results", OUR_FIELDS.encode())


def without_claims(first: bytes, hosts: Collection[str]) -> bytes:
    """The beginning of a message, without what its header says in the name of `hosts` (lower case).

    Where nothing is taken away it is the same object.  A header that does not end in `first` is left: delivery takes
    none such (delivery.header.read_header).
    """
    end = 0 if first.startswith(b"\r\n") else first.find(b"\r\n\r\n") + 2
    header = first[:end] if end > 1 else b""
    lowered = header.lower()
    if not any(claim in lowered for claim in _CLAIMS):
        return first
    return without_forged(header, hosts) + first[end:]
