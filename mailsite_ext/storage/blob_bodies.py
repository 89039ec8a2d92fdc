"""A message's body → blobs and back: kept whole, or in segments where it has parts that may recur elsewhere (O2).

Its location is the digest of its one blob; or, where it was cut, "+" and the digest of the whole: then
`mailsite_segment` says from which blobs it is put together.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mailsite_ext.protocol.mime_scan import Octets
from mailsite_ext.storage.blobs import BlobStore, Segment, Span, digest_of, pieces_of, spans_of
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.facts import Facts, mapped, read_facts
from mailsite_ext.storage.files import disk_faults

CUT = "+"


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A body whose blobs are written; those in `new_blobs` are durable once their folders are."""

    facts: Facts
    size_octets: int
    location: str
    segments: Sequence[Segment]
    new_blobs: Sequence[str]


def store_body(blobs: BlobStore, body: bytes | Path) -> StoredBody:
    with _octets(body) as data:
        facts = read_facts(data)
        spans = spans_of(facts.part_table, len(data))
        if any(span.is_shared for span in spans):
            return _store_cut(blobs, data, facts, spans)
        digest = facts.digest.hex()
        is_new = blobs.put(digest, pieces_of(data, spans), len(data), body if isinstance(body, Path) else None)
        return StoredBody(facts, len(data), digest, (), [digest] if is_new else [])


@contextlib.contextmanager
def _octets(body: bytes | Path) -> Iterator[Octets]:
    """A spool file is mapped, not read: memory stays flat."""
    if isinstance(body, bytes):
        yield body
        return
    with disk_faults(), body.open("rb") as file:
        yield mapped(file.fileno(), os.fstat(file.fileno()).st_size)


def _store_cut(blobs: BlobStore, data: Octets, facts: Facts, spans: Sequence[Span]) -> StoredBody:
    shared = [_store(blobs, data, [span]) for span in spans if span.is_shared]
    rest = _store(blobs, data, [span for span in spans if not span.is_shared])
    segments = _segments(spans, rest[0], iter([blob for blob, _is_new in shared]))
    new = [blob for blob, is_new in [*shared, rest] if is_new]
    return StoredBody(facts, len(data), CUT + facts.digest.hex(), segments, new)


def _store(blobs: BlobStore, data: Octets, spans: Sequence[Span]) -> tuple[str, bool]:
    digest = digest_of(pieces_of(data, spans))
    return digest, blobs.put(digest, pieces_of(data, spans), sum(span.end - span.at for span in spans))


def _segments(spans: Iterable[Span], rest_blob: str, shared: Iterator[str]) -> list[Segment]:
    segments, at = [], 0
    for span in spans:
        octets = span.end - span.at
        if span.is_shared:
            segments.append(Segment(next(shared), 0, octets))
        else:
            segments.append(Segment(rest_blob, at, octets))
            at += octets
    return segments


# In the database
def enter_segments(link: Link, bodies: Iterable[StoredBody]) -> None:
    """Those of cut bodies, always in one order: two processes with the same attachments never wait for each other."""
    rows = {
        (body.location, position): (segment.blob, segment.offset, segment.octets)
        for body in bodies
        for position, segment in enumerate(body.segments)
    }
    link.run_many(
        "INSERT INTO mailsite_segment (location, position, blob, blob_offset, octets) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        [(*key, *rows[key]) for key in sorted(rows)],
    )


def segments_of(link: Link, location: str, size_octets: int) -> list[Segment]:
    """Where the body of `size_octets` at a location lies."""
    if not location.startswith(CUT):
        return [Segment(location, 0, size_octets)] if size_octets else []
    rows = link.rows(
        "SELECT blob, blob_offset, octets FROM mailsite_segment WHERE location = ? ORDER BY position", [location]
    )
    return [Segment(*row) for row in rows]
