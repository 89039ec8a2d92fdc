"""Reports out of gzip and zip, and what strangers put there instead (RFC 9990 §3.4)."""

from __future__ import annotations

import gzip
import os
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.reports import unpack as module
from mailsite_ext.reports.faults import BadReport, Fault
from mailsite_ext.reports.unpack import MOST_PACKED_OCTETS, unpack
from tests.mailsite.reports.samples import OLD, streamed_zip, zipped

ZEROS = b"\0" * (3 << 20)


@pytest.mark.parametrize(
    "packed",
    [
        OLD,
        gzip.compress(OLD),
        gzip.compress(OLD) + b"\0\0padding",
        zipped(OLD),
        zipped(OLD, method=zipfile.ZIP_STORED),
        streamed_zip(OLD),
    ],
    ids=["plain", "gzip", "padded", "zip", "stored", "streamed"],
)
def test_what_was_packed_comes_out(packed):
    assert unpack(packed) == OLD


@pytest.mark.parametrize(
    ("packed", "fault"),
    [
        (gzip.compress(ZEROS), Fault.BOMB),
        (zipped(ZEROS), Fault.BOMB),
        (gzip.compress(gzip.compress(ZEROS))[:-9], Fault.BADLY_PACKED),
        (gzip.compress(OLD)[:-20], Fault.BADLY_PACKED),
        (b"\x1f\x8bnothing", Fault.BADLY_PACKED),
        (b"\x1f\x8b", Fault.BADLY_PACKED),
        (b"PK\x03\x04", Fault.BADLY_PACKED),
        (zipped(OLD)[:100], Fault.BADLY_PACKED),
        (zipped(OLD, OLD), Fault.SEVERAL_FILES),
        (zipped(OLD, b"", method=zipfile.ZIP_STORED), Fault.SEVERAL_FILES),
        (zipped(OLD, method=zipfile.ZIP_BZIP2), Fault.BADLY_PACKED),
        (zipped(OLD)[:6] + b"\x01\x00" + zipped(OLD)[8:], Fault.BADLY_PACKED),  # it says it is encrypted
        (b"x" * (MOST_PACKED_OCTETS + 1), Fault.TOO_LARGE),
    ],
)
def test_what_is_not_unpacked(packed, fault):
    with pytest.raises(BadReport) as raised:
        unpack(packed)
    assert raised.value.fault is fault


def test_a_large_report_that_says_something_is_taken(monkeypatch):
    monkeypatch.setattr(module, "FREE_OCTETS", 0)
    said = b"".join(b"<record>%b</record>" % os.urandom(4).hex().encode() for _ in range(1_000))
    assert unpack(gzip.compress(said)) == said


def test_the_largest_of_all_is_bounded_too(monkeypatch):
    monkeypatch.setattr(module, "MOST_OCTETS", 1_000)
    with pytest.raises(BadReport) as raised:
        unpack(gzip.compress(os.urandom(1_001)))
    assert raised.value.fault is Fault.BOMB


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b", b"PK\x03\x04", zipped(b"a")[:30]]))
def test_anything_is_unpacked_or_refused(octets, head):
    try:
        unpack(head + octets)
    except BadReport:
        assert head


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=2_000))
def test_both_ways_of_packing_give_the_same(octets):
    if octets[:2] not in (b"\x1f\x8b", b"PK"):
        assert unpack(gzip.compress(octets)) == unpack(zipped(octets)) == octets
        assert zlib.crc32(unpack(streamed_zip(octets))) == zlib.crc32(octets)
