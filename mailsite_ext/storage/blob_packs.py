"""Small bodies that arrive together share a blob, a pack: one file and one fsync for all, each a segment of it (O2).

A pack whose bodies died in part is written anew without them, so that nobody's deleted mail outlives it in a
neighbour's file; the old one goes after its grace time like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from mailsite_ext.storage.blobs import BlobStore, Segment
from mailsite_ext.storage.catalogue_messages import note_unused
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.catalogue_step import Step

PACKED_OCTETS = 16 * 1024
"""A longer body is a file of its own: what one fsync less saves is little beside its writing."""
PACK_OCTETS = 1024 * 1024  # what is read at once when one is written anew


@dataclass(frozen=True, slots=True)
class Packs:
    """`blobs`: to be stored, by digest; `segments`: where each body lies, by its digest."""

    blobs: Mapping[str, bytes]
    segments: Mapping[str, Segment]


def pack(bodies: Mapping[str, bytes]) -> Packs:
    """Bodies by digest, at most PACKED_OCTETS each → packs of at most PACK_OCTETS.  Pure."""
    packs, segments = {}, {}
    for group in _groups(bodies):
        data = b"".join(bodies[digest] for digest in group)
        name, at = sha256(data).hexdigest(), 0
        packs[name] = data
        for digest in group:
            segments[digest] = Segment(name, at, len(bodies[digest]))
            at += len(bodies[digest])
    return Packs(packs, segments)


def _groups(bodies: Mapping[str, bytes]) -> Iterator[list[str]]:
    group: list[str] = []
    octets = 0
    for digest, data in bodies.items():
        if group and octets + len(data) > PACK_OCTETS:
            yield group
            group, octets = [], 0
        group.append(digest)
        octets += len(data)
    if group:
        yield group


# Without the dead
@dataclass(frozen=True, slots=True)
class Rewritten:
    """A pack whose living stretches are in another now, which is durable; `moves`: offset there, offset before."""

    old: str
    new: str
    moves: Sequence[tuple[int, int]]


def living_stretches(link: Link, blobs: Collection[str], dead: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
    """Offset and octets of what of each blob messages other than the dead have, ascending."""
    stretches: dict[str, list[tuple[int, int]]] = {blob: [] for blob in blobs}
    rows = link.rows(
        f"SELECT DISTINCT blob, blob_offset, octets FROM mailsite_segment WHERE blob {link.in_list} "
        f"AND NOT location {link.in_list} ORDER BY blob, blob_offset",
        [link.listed(blobs), link.listed(dead)],
    )
    for blob, offset, octets in rows:
        stretches[blob].append((offset, octets))
    return stretches


def rewrite(blobs: BlobStore, blob: str, stretches: Sequence[tuple[int, int]]) -> Rewritten | None:
    """None: all of it lives, it is no pack, or it is damaged, which is for `verify` to say.

    Only for whoever is `alone`; the rows follow by `enter_rewritten`.
    """
    living = sum(octets for _offset, octets in stretches)
    data = _read(blobs, blob, living)
    if data is None:
        return None
    pieces = [data[offset : offset + octets] for offset, octets in stretches]
    new = sha256(b"".join(pieces)).hexdigest()
    blobs.put(new, pieces, living)
    blobs.sync([new])
    starts = [sum(octets for _offset, octets in stretches[:count]) for count in range(len(stretches))]
    return Rewritten(blob, new, [(start, offset) for start, (offset, _octets) in zip(starts, stretches, strict=True)])


def _read(blobs: BlobStore, blob: str, living: int) -> bytes | None:
    """A whole pack with more in it than what lives."""
    try:
        path = blobs.path(blob)
        if not living < path.stat().st_size <= PACK_OCTETS:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    return data if sha256(data).hexdigest() == blob else None


def enter_rewritten(step: Step, packs: Sequence[Rewritten]) -> None:
    step.link.run_many(
        "UPDATE mailsite_segment SET blob = ?, blob_offset = ? WHERE blob = ? AND blob_offset = ?",
        [(pack.new, start, pack.old, before) for pack in packs for start, before in pack.moves],
    )
    note_unused(step, [pack.old for pack in packs])
