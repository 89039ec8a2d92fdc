"""Blobs nobody points at any more, and blobs that are not what they should be.

A blob goes only while nobody puts one (BlobStore.alone), after its grace time, and after the commit that took the last
row away; files first, then the rows that remember them: a crash in between is made good by the next run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from mailsite_ext.storage.blob_bodies import CUT
from mailsite_ext.storage.blob_packs import Rewritten, enter_rewritten, living_stretches, rewrite
from mailsite_ext.storage.blobs import BlobStore, digest_of
from mailsite_ext.storage.catalogue import Catalogue
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.values import Finding

AT_A_TIME = 200
READ_OCTETS = 1024 * 1024


# Garbage
def collect_garbage(catalogue: Catalogue, blobs: BlobStore, grace_s: int) -> int:
    """How many files went."""
    removed = 0
    while True:
        with blobs.alone():
            done, count = _collect_some(catalogue, blobs, grace_s)
        removed += count
        if done < AT_A_TIME:
            return removed


def _collect_some(catalogue: Catalogue, blobs: BlobStore, grace_s: int) -> tuple[int, int]:
    """How many locations were looked at, and how many files went."""
    before = int(catalogue.clock.now().timestamp()) - grace_s
    with catalogue.read() as link:
        unused = link.rows(
            "SELECT id, location FROM mailsite_unused WHERE unused_since <= ? ORDER BY id LIMIT ?", [before, AT_A_TIME]
        )
        dead = sorted({location for _id, location in unused} - _used(link, {location for _id, location in unused}))
        blobs_gone, in_part = _blobs_of(link, dead)
        stretches = living_stretches(link, in_part, dead)
    rewritten = [made for blob in in_part if (made := rewrite(blobs, blob, stretches[blob]))]
    for blob in blobs_gone:
        blobs.remove(blob)
    if unused:
        _forget(catalogue, dead, [unused_id for unused_id, _location in unused], rewritten)
    return len(unused), len(blobs_gone)


def _used(link: Link, locations: Iterable[str]) -> set[str]:
    query = f"SELECT DISTINCT location FROM mailsite_message WHERE location {link.in_list}"
    return {location for (location,) in link.rows(query, [link.listed(locations)])}


def _blobs_of(link: Link, dead: Iterable[str]) -> tuple[list[str], list[str]]:
    """The blobs that go with these locations, and those of which others have segments.

    One that is a message as it stands is among neither.
    """
    listed = link.listed(dead)
    cut = {blob for (blob,) in link.rows(f"SELECT blob FROM mailsite_segment WHERE location {link.in_list}", [listed])}
    candidates = cut | {location for location in dead if not location.startswith(CUT)}
    elsewhere = link.rows(
        f"SELECT DISTINCT blob FROM mailsite_segment WHERE blob {link.in_list} AND NOT location {link.in_list}",
        [link.listed(candidates), listed],
    )
    in_part = {blob for (blob,) in elsewhere}
    whole = _used(link, candidates)
    return sorted(candidates - in_part - whole), sorted(in_part - whole)


def _forget(
    catalogue: Catalogue, dead: Iterable[str], unused_ids: Iterable[int], rewritten: Sequence[Rewritten]
) -> None:
    with catalogue.write() as step:
        enter_rewritten(step, rewritten)
        link = step.link
        link.run(f"DELETE FROM mailsite_segment WHERE location {link.in_list}", [link.listed(dead)])
        link.run(f"DELETE FROM mailsite_unused WHERE id {link.in_list}", [link.listed(unused_ids)])


# Verify
def verify_blobs(catalogue: Catalogue, blobs: BlobStore, grace_s: int, *, fix: bool) -> Iterator[Finding]:
    """Every blob a row points at is there and is what its name says; files no row points at go where `fix`."""
    yield from _damaged(catalogue, blobs)
    with blobs.alone():
        yield from _strays(catalogue, blobs, grace_s, fix=fix)


def _damaged(catalogue: Catalogue, blobs: BlobStore) -> Iterator[Finding]:
    for blob in _pointed_at(catalogue):
        kind = _fault(blobs, blob)
        if kind:
            yield Finding(kind, blob)


def _pointed_at(catalogue: Catalogue) -> Iterator[str]:
    """Blobs in order, each once; a little at a time."""
    query = (
        "SELECT blob FROM (SELECT blob FROM mailsite_segment UNION "
        f"SELECT location FROM mailsite_message WHERE location NOT LIKE '{CUT}%') AS used "
        f"WHERE blob > ? ORDER BY blob LIMIT {AT_A_TIME}"
    )
    last = ""
    while True:
        with catalogue.read() as link:
            piece = link.rows(query, [last])
        yield from (blob for (blob,) in piece)
        if not piece:
            return
        last = piece[-1][0]


def _fault(blobs: BlobStore, blob: str) -> str:
    try:
        with blobs.path(blob).open("rb") as file:
            digest = digest_of(iter(lambda: file.read(READ_OCTETS), b""))
    except OSError:
        return "blob missing"
    return "" if digest == blob else "blob damaged"


def _strays(catalogue: Catalogue, blobs: BlobStore, grace_s: int, *, fix: bool) -> Iterator[Finding]:
    """Older than their grace time: what a crash or a refused delivery left behind."""
    before = catalogue.clock.now().timestamp() - grace_s
    old = blobs.older_than(before)
    while piece := list(islice(old, AT_A_TIME)):
        with catalogue.read() as link:
            strays = sorted(set(piece) - _known(link, piece))
        for blob in strays:
            if fix:
                blobs.remove(blob)
            yield Finding("blob of no message", blob, mended=fix)


def _known(link: Link, names: Iterable[str]) -> set[str]:
    """Those a message, a segment or the garbage collection knows."""
    listed = link.listed(names)
    tables = (("location", "mailsite_message"), ("blob", "mailsite_segment"), ("location", "mailsite_unused"))
    return {
        name
        for column, table in tables
        for (name,) in link.rows(f"SELECT DISTINCT {column} FROM {table} WHERE {column} {link.in_list}", [listed])
    }
