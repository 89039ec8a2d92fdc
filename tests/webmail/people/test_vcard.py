"""vCards of several programs and versions, and what strangers would put into one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.people import vcard
from app.people.vcard import Card, folded, read_cards, write_cards


def _file(*lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCARD", *lines, "END:VCARD", ""]).encode()


@pytest.mark.parametrize(("lines", "card"), [
    (["VERSION:4.0", "FN:Ines Vidal", "EMAIL:ines@example.org"], Card("Ines Vidal", ("ines@example.org",))),
    (["FN:A\\, B\\; C", "EMAIL:a@example.org"], Card("A, B; C", ("a@example.org",))),  # RFC 6350 §3.4
    (["FN:In", " es", "EMAIL:a@example.org"], Card("Ines", ("a@example.org",))),  # §3.2: the space is the fold's
    (["item1.EMAIL;TYPE=home:a@example.org", "FN:A"], Card("A", ("a@example.org",))),  # §3.3: a group
    (["N:Vidal;Ines;;Dr.;", "EMAIL:a@example.org"], Card("Dr. Ines Vidal", ("a@example.org",))),
    (["FN:A", "EMAIL:b@example.org", "EMAIL;PREF=1:a@example.org"], Card("A", ("a@example.org", "b@example.org"))),
    (["FN:A", "EMAIL:b@example.org", "EMAIL;TYPE=INTERNET,pref:a@example.org"],
     Card("A", ("a@example.org", "b@example.org"))),
    (["FN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:J=C3=BCr=", "gen", "EMAIL:a@example.org"],
     Card("Jürgen", ("a@example.org",))),  # 2.1, a soft line end
    (['EMAIL;X="a:b":a@example.org', "FN:A"], Card("A", ("a@example.org",))),  # a colon within quotes
    (["FN:A\\nB\u202e", "EMAIL:a@example.org"], Card("A B", ("a@example.org",))),  # one line, nothing turned round
    (["ORG:Orchard", "EMAIL:a@example.org"], Card("Orchard", ("a@example.org",))),
])  # fmt: skip
def test_a_card_is_read(lines, card):
    assert read_cards(_file(*lines)) == ([card], 0)


@pytest.mark.parametrize(
    "value", ["", "nobody", "a@", "@b", "a b@c", "a@b\\nBcc: c@d", "<a@b>", "a" * 250 + "@b.example"]
)
def test_what_is_no_address_is_left_out(value):
    assert read_cards(_file("FN:A", f"EMAIL:{value}")) == ([], 1)


def test_what_is_too_much_is_left_out(monkeypatch):
    monkeypatch.setattr(vcard, "MAX_CARDS", 2)
    cards, left_out = read_cards(_file("EMAIL:a@example.org") * 3)
    assert (len(cards), left_out) == (2, 1)
    many = _file(*(f"EMAIL:a{number}@example.org" for number in range(50)))
    assert len(read_cards(many)[0][0].addresses) == vcard.MAX_ADDRESSES


def test_a_line_without_end_costs_itself_alone():
    long = _file("PHOTO:" + "A" * 70, *[" " + "A" * 70] * 5_000, "EMAIL:a@example.org")
    assert read_cards(long)[0] == [Card("", ("a@example.org",))]


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_read(octets):
    read_cards(_file() + octets)
    read_cards(b"BEGIN:VCARD\r\n" + octets + b"\r\nEND:VCARD\r\n")


NAMES = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), max_size=150).map(vcard.clean_name)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(NAMES.filter(bool), st.sampled_from(["3.0", "4.0"]))
def test_what_is_written_is_read_again(name, version):
    card = Card(name, ("a@example.org", "b@example.org"))
    written = write_cards([card], version)
    assert read_cards(written.encode()) == ([card], 0)
    assert max(len(line.encode()) for line in written.split("\r\n")) <= vcard.FOLDED_OCTETS


def test_no_character_is_torn_apart():
    assert folded("é" * 40) == "é" * 37 + "\r\n " + "é" * 3
