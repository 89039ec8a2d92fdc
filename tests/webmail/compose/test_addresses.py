"""What people type into To, Cc and Bcc."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.compose.addresses import (
    MAX_ADDRESSES,
    Address,
    Fault,
    format_addresses,
    one_line,
    parse_addresses,
)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("", []),
        ("ines@ferreira.example", [("", "ines@ferreira.example")]),
        ("Ines Ferreira <ines@ferreira.example>", [("Ines Ferreira", "ines@ferreira.example")]),
        ('"Holt, Maren" <maren@holt.example>', [("Holt, Maren", "maren@holt.example")]),
        (r'"O\"Brien; \\ co" <o@brien.example>', [('O"Brien; \\ co', "o@brien.example")]),
        ("a@x.example, b@x.example;c@x.example\r\nd@x.example", [("", f"{c}@x.example") for c in "abcd"]),
        ("Choir: a@x.example, Bo <b@x.example>; c@x.example",
         [("", "a@x.example"), ("Bo", "b@x.example"), ("", "c@x.example")]),
        ("undisclosed-recipients:;", []),
        ("mailto:a@x.example", [("", "a@x.example")]),
        ("ines@ferreira.example (Ines, at work)", [("Ines, at work", "ines@ferreira.example")]),
        ("Jürgen Müller <jürgen@münchen.example>", [("Jürgen Müller", "jürgen@münchen.example")]),
        ("李明 <li@xn--fsq.example>", [("李明", "li@例.example")]),
        ("Ines@FERREIRA.example, ines@ferreira.example", [("", "Ines@ferreira.example")]),  # once
        ('"very odd"@x.example', [("", '"very odd"@x.example')]),
        ("a@x.example,,; ,", [("", "a@x.example")]),
    ],
)  # fmt: skip
def test_reads_what_people_type(typed, read):
    found = parse_addresses(typed)
    assert [(address.name, address.address) for address in found.addresses] == read
    assert found.bad == ()


@pytest.mark.parametrize(
    ("typed", "bad", "fault"),
    [
        ("Ines", "Ines", Fault.NO_AT),
        ("Ines <>", "Ines <>", Fault.NO_AT),
        ("oskar@brandt", "oskar@brandt", Fault.NO_ENDING),
        ("user@localhost", "user@localhost", Fault.NO_ENDING),
        ("a..b@x.example", "a..b@x.example", Fault.NOT_AN_ADDRESS),
        ("a@[192.0.2.1]", "a@[192.0.2.1]", Fault.NOT_AN_ADDRESS),
        ("a b@x.example", "a b@x.example", Fault.NOT_AN_ADDRESS),
        ("a@x_y.example", "a@x_y.example", Fault.NOT_AN_ADDRESS),
        ("a@" + "x" * 64 + ".example", "a@" + "x" * 64 + ".example", Fault.NOT_AN_ADDRESS),
        ("a@" + "x." * 126 + "example", ("a@" + "x." * 126 + "example")[:100], Fault.TOO_LONG),
        ('"Ines <ines@x.example>', '"Ines <ines@x.example>', Fault.NOT_AN_ADDRESS),  # the quote never closes
        ("a@x.example\0", "a@x.example", Fault.NOT_AN_ADDRESS),
        ("<a@x.example\rBcc: b@x.example>", "<a@x.example Bcc: b@x.example>", Fault.NOT_AN_ADDRESS),
    ],
)
def test_names_what_is_no_address(typed, bad, fault):
    found = parse_addresses("first@x.example, " + typed)
    assert [address.address for address in found.addresses] == ["first@x.example"]
    assert [(item.text, item.fault) for item in found.bad] == [(bad, fault)]


@pytest.mark.parametrize("typed", [",".join(f"a{n}@x.example" for n in range(MAX_ADDRESSES + 1)), "x" * 70_000])
def test_bounds_the_number(typed):
    assert parse_addresses(typed).bad[-1].fault is Fault.TOO_MANY


def test_hostile_nesting_stays_quick():
    assert parse_addresses("(" * 60_000).bad[0].fault is Fault.NO_AT
    assert parse_addresses("<" * 60_000 + '"' * 5_000).bad


def test_wire_form_has_a_labels():
    address = parse_addresses("jürgen@münchen.example").addresses[0]
    assert address.wire == "jürgen@xn--mnchen-3ya.example"
    assert address.needs_smtputf8
    assert not parse_addresses("j@münchen.example").addresses[0].needs_smtputf8


names = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
    | st.text(st.sampled_from(' ,;:"\\()<>@.é=?\t'), max_size=30)
).map(lambda name: one_line(name)[:80].strip())
addresses = st.builds(
    Address,
    names,
    st.sampled_from(["a@x.example", "b.c+d@y.example", "ü@z.example", "e@ü.example", '"a,b;<c>"@q.example']),
)


@given(st.lists(addresses, max_size=5, unique_by=lambda address: address.key))
def test_what_is_written_is_read_back(written):
    assert parse_addresses(format_addresses(written)).addresses == tuple(written)


@given(st.text(max_size=300))
def test_reads_anything_without_failing(typed):
    for address in parse_addresses(typed).addresses:
        assert one_line(str(address)) == str(address)
