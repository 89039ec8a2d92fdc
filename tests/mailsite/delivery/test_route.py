"""Which hosts take a domain's mail (RFC 5321 §5.1, RFC 7505)."""

import pytest

from app.resolver import ZoneResolver
from mailsite_ext.delivery.route import Hop, NoRoute, Ourselves, find_hops

OURS = Ourselves(frozenset({"mail.here.example"}), frozenset({"93.184.216.1"}))
ZONE = {
    ("there.example", "MX"): ["20 b.there.example.", "10 a.there.example.", "20 c.there.example."],
    ("a.there.example", "A"): ["93.184.216.34"],
    ("a.there.example", "AAAA"): ["2606:2800:220::1"],
    ("b.there.example", "A"): ["93.184.216.35"],
    ("c.there.example", "A"): ["93.184.216.36"],
    ("plain.example", "A"): ["93.184.216.40"],
    ("null.example", "MX"): ["0 ."],
    ("odd.example", "MX"): ["0 .", "10 a.there.example."],
    ("private.example", "MX"): ["10 inside.example."],
    ("inside.example", "A"): ["127.0.0.1", "10.0.0.8", "0.0.0.0"],
    ("mixed.example", "MX"): ["10 two.example."],
    ("two.example", "A"): ["192.168.1.1", "93.184.216.50", "93.184.216.1"],
    ("backup.example", "MX"): ["10 a.there.example.", "20 Mail.Here.Example.", "30 b.there.example."],
    ("ours.example", "MX"): ["10 mail.here.example.", "20 b.there.example."],
    ("lost.example", "MX"): ["10 nowhere.example."],
    ("half.example", "MX"): ["10 silent.example.", "20 b.there.example."],
    ("mute.example", "MX"): ["10 silent.example."],
    ("many.example", "MX"): [f"{n} h{n}.example." for n in range(12)],
    **{(f"h{n}.example", "A"): [f"93.184.217.{i}" for i in range(1, 9)] for n in range(12)},
}
RESOLVER = ZoneResolver(ZONE, silent=["silent.example", "nodns.example"])


def hops(domain, ours=OURS, **options):
    return find_hops(domain, RESOLVER, ours, sorted, **options)


def hosts(domain, **options):
    return [hop.host for hop in hops(domain, **options)]


@pytest.mark.parametrize(
    ("domain", "found"),
    [
        ("there.example", ["a.there.example", "b.there.example", "c.there.example"]),
        ("plain.example", ["plain.example"]),  # no MX: the domain itself
        ("odd.example", ["a.there.example"]),  # "." among others is none
        ("backup.example", ["a.there.example"]),  # nobody who is no better than we are
        ("half.example", ["b.there.example"]),  # one whose address is not known is passed over
    ],
)
def test_hosts_in_their_order(domain, found):
    assert hosts(domain) == found


def test_equal_ones_are_shuffled():
    assert [hop.host for hop in find_hops("there.example", RESOLVER, OURS, lambda equal: equal[::-1])] == [
        "a.there.example",
        "c.there.example",
        "b.there.example",
    ]


@pytest.mark.parametrize(
    ("domain", "code", "enhanced"),
    [
        ("null.example", 556, "5.1.10"),
        ("gone.example", 550, "5.1.2"),
        ("nodns.example", 451, "4.4.3"),
        ("ours.example", 554, "5.4.6"),
        (
            "lost.example",
            550,
            "5.4.4",
        ),  # RFC 5321 §5.1: MX records that lead nowhere are an error, no way to the domain
        ("mute.example", 451, "4.4.3"),
        ("private.example", 550, "5.4.4"),
        ("[127.0.0.1]", 550, "5.1.2"),
        ("[nonsense]", 550, "5.1.2"),
    ],
)
def test_no_way(domain, code, enhanced):
    with pytest.raises(NoRoute) as error:
        hops(domain)
    assert error.value.reply.code == code
    assert error.value.reply.words.startswith(enhanced)


def test_addresses_of_both_families_the_first_changes():
    first, *_ = hops("there.example")
    assert first == Hop("a.there.example", ("2606:2800:220::1", "93.184.216.34"))
    assert hops("there.example", ipv4_first=True)[0].addresses == ("93.184.216.34", "2606:2800:220::1")


def test_neither_ours_nor_private_ones_are_dialled():
    assert hops("mixed.example") == [Hop("two.example", ("93.184.216.50",))]


def test_test_mail_mode_reaches_this_machine():
    ours = Ourselves(OURS.names, OURS.addresses, reaches_private=True)
    assert hops("private.example", ours) == [Hop("inside.example", ("127.0.0.1", "10.0.0.8"))]
    assert hops("[IPv6:::1]", ours) == [Hop("[IPv6:::1]", ("::1",))]


def test_there_are_bounds():
    found = hops("many.example")
    assert len(found) == 5
    assert {len(hop.addresses) for hop in found} == {4}
