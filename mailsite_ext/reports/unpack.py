"""Reports out of their gzip or zip, and no further than they may grow (RFC 9990, RFC 8460 §5.2).  Pure.

A zip is read from its front, file by file as it was written: its directory at the end may name a million others.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from mailsite_ext.reports.faults import BadReport, Fault

MOST_PACKED_OCTETS = 10 * 1024 * 1024
MOST_OCTETS = 64 * 1024 * 1024
MOST_TIMES = 100  # larger than it was packed
FREE_OCTETS = 1024 * 1024  # a small report may repeat itself more than that

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
ZIP_DIRECTORY = b"PK\x01\x02"
_ZIP_HEADER = struct.Struct("<4s2xHH8xI4xHH")  # signature, flags, method, packed octets, lengths of name and extra
_ENCRYPTED, _SIZE_COMES_LATER = 0x1, 0x8
_STORED, _DEFLATED = 0, 8
_LONGEST_DESCRIPTOR = 24  # between a file and what follows it, with sizes of 64 bits


class _Entry(NamedTuple):
    """A file in a zip: how it is packed, and where it begins; `octets` is only known of a stored one."""

    method: int
    at: int
    octets: int


def unpack(octets: bytes) -> bytes:
    """What was packed; anything that is neither gzip nor zip is given back as it is.

    Raises BadReport: TOO_LARGE, BOMB, BADLY_PACKED, SEVERAL_FILES.
    """
    if len(octets) > MOST_PACKED_OCTETS:
        raise BadReport(Fault.TOO_LARGE)
    if octets.startswith(GZIP):
        return _inflated(octets, 0, zlib.MAX_WBITS | 16)[0]
    if octets.startswith(ZIP):
        return _of_zip(octets)
    return octets


def _of_zip(octets: bytes) -> bytes:
    entry = _entry(octets)
    if entry.method == _STORED:
        end = entry.at + entry.octets
        found, rest = octets[entry.at : end], octets[end : end + _LONGEST_DESCRIPTOR]
    else:
        found, rest = _inflated(octets, entry.at, -zlib.MAX_WBITS)
    if ZIP in rest[: _LONGEST_DESCRIPTOR + len(ZIP)]:
        raise BadReport(Fault.SEVERAL_FILES)
    if ZIP_DIRECTORY not in rest[: _LONGEST_DESCRIPTOR + len(ZIP_DIRECTORY)]:
        raise BadReport(Fault.BADLY_PACKED)
    return found


def _entry(octets: bytes) -> _Entry:
    if len(octets) < _ZIP_HEADER.size:
        raise BadReport(Fault.BADLY_PACKED)
    _, flags, method, packed, name, extra = _ZIP_HEADER.unpack_from(octets)
    is_endless = method == _STORED and flags & _SIZE_COMES_LATER
    if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED) or is_endless:
        raise BadReport(Fault.BADLY_PACKED)
    return _Entry(method, _ZIP_HEADER.size + name + extra, packed)


def _inflated(octets: bytes, at: int, window_bits: int) -> tuple[bytes, bytes]:
    """What the stream that begins at `at` says, and the beginning of what comes after it."""
    most = min(MOST_OCTETS, max(FREE_OCTETS, MOST_TIMES * len(octets)))
    stream = zlib.decompressobj(window_bits)
    try:
        found = stream.decompress(memoryview(octets)[at:], most + 1)
    except zlib.error:
        raise BadReport(Fault.BADLY_PACKED) from None
    if len(found) > most:
        raise BadReport(Fault.BOMB)
    if not stream.eof:
        raise BadReport(Fault.BADLY_PACKED)
    return found, stream.unused_data[: _LONGEST_DESCRIPTOR + len(ZIP)]
