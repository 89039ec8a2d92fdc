"""DMARC aggregate reports read and written: both schemas, what is missing, what is hostile (RFC 9990 §3)."""

from __future__ import annotations

import string
import time
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.reports import aggregate_reader
from mailsite_ext.reports.aggregate import (
    AggregateReport,
    Disposition,
    DkimSaid,
    Override,
    Published,
    Record,
    SpfSaid,
)
from mailsite_ext.reports.aggregate_reader import read_aggregate
from mailsite_ext.reports.aggregate_writer import write_aggregate
from mailsite_ext.reports.faults import BadReport, Fault
from tests.mailsite.reports.samples import NEW, OLD

ONE_RECORD = OLD[OLD.index(b"  <record>") : OLD.index(b"</record>") + 9]


def test_a_report_of_the_old_form():
    report = read_aggregate(OLD)
    assert (report.org_name, report.report_id, report.day) == ("there.example", "13190567452861423", date(2026, 11, 23))
    assert report.published == Published(domain="example.org", p="none", sp="none", adkim="r", aspf="r")
    first, second = report.records
    assert (first.source_ip, first.messages, first.dkim, first.spf) == ("192.0.2.7", 12, True, True)
    assert second == Record(
        source_ip="2001:db8::1",
        messages=3,
        disposition=Disposition.REJECT,
        dkim=False,
        spf=False,
        header_from="example.org",
        envelope_from="bounce.else.example",
        dkim_said=(DkimSaid("else.example", "", "pass"), DkimSaid("example.org", "", "fail")),
        spf_said=(SpfSaid("bounce.else.example", "softfail"),),
        overrides=(Override("forwarded", "looks so"),),
    )
    assert (first.vouched_by, second.vouched_by) == ("example.org", "else.example")


def test_a_report_of_the_new_form():
    report = read_aggregate(NEW)
    assert report.published == Published(
        domain="example.org", p="reject", sp="quarantine", np="reject", adkim="s", aspf="r", testing="n",
        discovery="treewalk",
    )  # fmt: skip
    assert [record.disposition for record in report.records] == [Disposition.PASS]


@pytest.mark.parametrize(
    "octets",
    [
        OLD.replace(b"<feedback>", b'<d:feedback xmlns:d="x">').replace(b"</feedback>", b"</d:feedback>"),
        b"\xef\xbb\xbf" + OLD.replace(b'<?xml version="1.0" encoding="UTF-8" ?>\n', b""),
        OLD.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        OLD.replace(b"UTF-8", b"windows-1252"),
        OLD.replace(b"<org_name>", b"<org_name>\n   ").replace(b"<email>", b"<note><deep>x</deep></note><email>"),
    ],
    ids=["prefix", "mark", "utf-16", "windows-1252", "spaces and more"],
)
def test_however_it_is_written(octets):
    assert read_aggregate(octets) == read_aggregate(OLD)


@pytest.mark.parametrize(
    ("old", "new", "fault", "detail"),
    [
        (b"<org_name>there.example</org_name>", b"", Fault.MISSING, "org_name"),
        (b"<report_id>13190567452861423</report_id>", b"<report_id> </report_id>", Fault.MISSING, "report_id"),
        (b"<begin>1795392000</begin>", b"", Fault.MISSING, "date_range/begin"),
        (b"<begin>1795392000</begin>", b"<begin>1795478400</begin>", Fault.BAD_VALUE, "date_range"),
        (b"1795478399", b"99999999999999", Fault.BAD_VALUE, "date_range/end: 99999999999999"),
        (b"1795478399", b"-1", Fault.BAD_VALUE, "date_range/end: -1"),
        (b"1795478399", "١٢".encode(), Fault.BAD_VALUE, "date_range/end: ١٢"),
        (b"<domain>example.org</domain><adkim>", b"<adkim>", Fault.MISSING, "domain"),
        (b"policy_published>", b"policy>", Fault.MISSING, "policy"),
        (b"192.0.2.7", b"192.0.2.777", Fault.BAD_VALUE, "source_ip: 192.0.2.777"),
        (b"<count>12</count>", b"", Fault.MISSING, "row/count"),
        (b"<count>12</count>", b"<count>1e9</count>", Fault.BAD_VALUE, "row/count: 1e9"),
        (b"<count>12</count>", b"<count>1000000001</count>", Fault.BAD_VALUE, "row/count: 1000000001"),
        (b"<feedback>", b"<!DOCTYPE feedback><feedback>", Fault.ENTITIES, ""),
        (b"<feedback>", b'<!DOCTYPE a [<!ENTITY b "c">]><feedback>', Fault.ENTITIES, ""),
        (b"<feedback>", b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><feedback>', Fault.ENTITIES, ""),
        (b"there.example</org", b"&b;</org", Fault.NOT_XML, None),
        (b"</feedback>", b"", Fault.NOT_XML, None),
        (b"UTF-8", b"no-such-charset", Fault.NOT_XML, None),
        (b"UTF-8", b"rot13", Fault.NOT_XML, None),
        (b"there.example</org", b"\xff\xfe</org", Fault.NOT_XML, None),
        (b"feedback>", b"html>", Fault.NOT_A_REPORT, ""),
        (b"<org_name>", b"<org_name>" + b"x" * 2_000, Fault.BAD_VALUE, "org_name"),
        (b"<email>", b"<a>" * 20 + b"</a>" * 20 + b"<email>", Fault.TOO_MANY, ""),
    ],
)
def test_what_is_no_report(old, new, fault, detail):
    assert old in OLD
    with pytest.raises(BadReport) as raised:
        read_aggregate(OLD.replace(old, new))
    assert raised.value.fault is fault
    assert detail in (None, raised.value.detail)


def test_a_zone_of_an_address_is_left_out():
    (first, _) = read_aggregate(OLD.replace(b"192.0.2.7", b"fe80::1%" + b"x" * 500)).records
    assert first.source_ip == "fe80::1"


def test_nothing_else_that_is_written_is_held():
    more = b"".join(b"<more%d>%b</more%d>" % (number, b"x" * 900, number) for number in range(500))
    assert read_aggregate(OLD.replace(b"<row>", more + b"<row>")) == read_aggregate(OLD)


def test_as_many_records_as_are_taken_and_one_more(monkeypatch):
    monkeypatch.setattr(aggregate_reader, "MOST_RECORDS", 3)
    assert len(read_aggregate(OLD.replace(ONE_RECORD, ONE_RECORD * 2)).records) == 3
    with pytest.raises(BadReport) as raised:
        read_aggregate(OLD.replace(ONE_RECORD, ONE_RECORD * 3))
    assert raised.value.fault is Fault.TOO_MANY


def test_a_full_report_takes_a_moment():
    full = OLD.replace(ONE_RECORD, ONE_RECORD * 9_999)
    began_s = time.process_time()
    assert len(read_aggregate(full).records) == 10_000
    assert time.process_time() - began_s < 10, "some two seconds are usual"


NAMES = st.text(string.ascii_lowercase + string.digits + ".-", max_size=30).map(lambda text: text.rstrip("."))
LETTERS = st.characters(min_codepoint=32, max_codepoint=0x24F).filter(str.isprintable)
TEXTS = st.text(LETTERS, max_size=40).map(str.strip)
WORDS = st.sampled_from(["pass", "fail", "none", "softfail", "temperror"])
RECORDS = st.builds(
    Record,
    source_ip=st.ip_addresses().map(str),
    messages=st.integers(0, 1_000_000_000),
    disposition=st.sampled_from(Disposition),
    dkim=st.booleans(),
    spf=st.booleans(),
    header_from=NAMES,
    envelope_from=NAMES,
    dkim_said=st.lists(st.builds(DkimSaid, NAMES, NAMES, WORDS), max_size=3).map(tuple),
    spf_said=st.lists(st.builds(SpfSaid, NAMES, WORDS), max_size=2).map(tuple),
    overrides=st.lists(st.builds(Override, NAMES, TEXTS), max_size=2).map(tuple),
)
REPORTS = st.builds(
    AggregateReport,
    org_name=TEXTS.filter(bool),
    email=TEXTS,
    report_id=NAMES.filter(bool),
    begin=st.integers(0, 2_000_000_000),
    end=st.integers(2_000_000_000, 4_000_000_000),
    published=st.builds(Published, domain=NAMES.filter(bool), p=WORDS, sp=WORDS, np=WORDS, adkim=st.sampled_from("rs"),
                        testing=st.sampled_from(["", "y", "n"]), discovery=st.sampled_from(["psl", "treewalk"])),
    records=st.lists(RECORDS, max_size=3).map(tuple),
)  # fmt: skip


@settings(derandomize=True, deadline=None)
@given(REPORTS)
def test_what_was_written_is_read(report):
    assert read_aggregate(write_aggregate(report)) == report


def test_what_xml_cannot_say_is_left_out():
    report = replace(read_aggregate(OLD), org_name="a\0b\ud800c\uffff<&>")
    assert read_aggregate(write_aggregate(report)).org_name == "abc<&>"
