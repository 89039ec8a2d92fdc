"""A message's body → blobs and back: kept whole, or in segments where it has parts that may recur elsewhere (O2).

Its location is the digest of its one blob; or, where it was cut or packed with others, "+" and the digest of the whole:
then `mailsite_segment` says from which blobs it is put together.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from app.extension_api import MailError
from mailsite_ext.protocol.mime_scan import Octets
from mailsite_ext.storage.blob_packs import PACKED_OCTETS, Packs, pack
from mailsite_ext.storage.blobs import BlobStore, Segment, Span, digest_of, pieces_of, spans_of
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.facts import Facts, mapped, read_facts
from mailsite_ext.storage.files import disk_faults
from mailsite_ext.storage.group_commit import Threads

CUT = "+"


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A body whose blobs are written; those in `new_blobs` are durable once their folders are."""

    facts: Facts
    size_octets: int
    location: str
    segments: Sequence[Segment]
    new_blobs: Sequence[str]


@dataclass(frozen=True, slots=True)
class _CutBody:
    """A body in memory and the blobs it comes to, by digest, not written yet."""

    facts: Facts
    size_octets: int
    location: str
    segments: Sequence[Segment]
    blobs: Mapping[str, bytes]


Used = Callable[[Sequence[str]], set[str]]
"""Which of these locations rows know."""


def store_bodies(
    blobs: BlobStore, threads: Threads, bodies: Sequence[bytes | Path], used: Used
) -> list[StoredBody | MailError]:
    """As `store_body` each, small ones packed, in order, or why it could not be stored.

    What lies in files is read in threads; of what is in memory only the fsyncs are waited for there: to share Python's
    work between threads costs more than it brings.
    """
    large = iter(threads.run(partial(store_body, blobs), [body for body in bodies if isinstance(body, Path)]))
    cut = _packed(blobs, [_cut_body(body) if isinstance(body, bytes) else None for body in bodies], used)
    put = blobs.put_all({digest: data for one in cut if one for digest, data in one.blobs.items()}, threads)
    return [_stored(one, put) if one else next(large) for one in cut]


def _cut_body(data: bytes) -> _CutBody:
    facts = read_facts(data)
    spans = spans_of(facts.part_table, len(data))
    if not any(span.is_shared for span in spans):
        digest = facts.digest.hex()
        return _CutBody(facts, len(data), digest, (), {digest: data})
    shared = [data[span.at : span.end] for span in spans if span.is_shared]
    rest = b"".join(data[span.at : span.end] for span in spans if not span.is_shared)
    named = [(sha256(piece).hexdigest(), piece) for piece in [rest, *shared]]
    segments = _segments(spans, named[0][0], iter([digest for digest, _piece in named[1:]]))
    return _CutBody(facts, len(data), CUT + facts.digest.hex(), segments, dict(named))


def _packed(blobs: BlobStore, bodies: Sequence[_CutBody | None], used: Used) -> list[_CutBody | None]:
    """Small bodies nobody had yet, in packs.  Others are blobs of their own: then bytes that were lost come back."""
    small = {
        body.location: body.blobs[body.location]
        for body in bodies
        if body and not body.segments and 0 < body.size_octets <= PACKED_OCTETS
    }
    absent = [digest for digest, data in small.items() if not blobs.has(digest, len(data))]
    there = used([prefix + digest for digest in absent for prefix in ("", CUT)]) if len(absent) > 1 else set(absent)
    packs = pack({digest: small[digest] for digest in absent if there.isdisjoint((digest, CUT + digest))})
    return [body and _in_pack(body, packs) for body in bodies]


def _in_pack(body: _CutBody, packs: Packs) -> _CutBody:
    segment = packs.segments.get(body.location)
    if segment is None:
        return body
    blob = {segment.blob: packs.blobs[segment.blob]}
    return replace(body, location=CUT + body.location, segments=[segment], blobs=blob)


def _stored(body: _CutBody, put: Mapping[str, bool | MailError]) -> StoredBody | MailError:
    for digest in body.blobs:
        if isinstance(error := put[digest], MailError):
            return error
    new = [digest for digest in body.blobs if put[digest]]
    return StoredBody(body.facts, body.size_octets, body.location, body.segments, new)


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


def used_among(link: Link, locations: Sequence[str]) -> set[str]:
    """Those that a message has, or had until its bytes are collected, if it is made of segments."""
    query = (
        f"SELECT location FROM mailsite_segment WHERE location {link.in_list} "
        f"UNION SELECT location FROM mailsite_message WHERE location {link.in_list}"
    )
    listed = link.listed(locations)
    return {location for (location,) in link.rows(query, [listed, listed])}


def segments_of(link: Link, location: str, size_octets: int) -> list[Segment]:
    """Where the body of `size_octets` at a location lies."""
    if not location.startswith(CUT):
        return [Segment(location, 0, size_octets)] if size_octets else []
    rows = link.rows(
        "SELECT blob, blob_offset, octets FROM mailsite_segment WHERE location = ? ORDER BY position", [location]
    )
    return [Segment(*row) for row in rows]
