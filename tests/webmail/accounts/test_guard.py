"""The guard (E4): what may be connected to, in every spelling, and that the checked address is the one used."""

import socket
import threading
from ipaddress import ip_address

import pytest

from app.accounts.addresses import GuardPolicy, canonical_host
from app.accounts.guard import connect, find_addresses
from app.errors import AddressRefused, ConnectionRefused, NameNotFound, TimedOut
from app.resolver import Answer, Outcome, ZoneResolver

OPEN = GuardPolicy()
HOME = GuardPolicy.of("localhost\n127.0.0.0/8\n10.1.0.0/16\nfd00:1::/32\nnas.lan\nmail.büro.example\n", "nas.lan\n")


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07::1", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("100.64.0.1", False),  # carrier-grade NAT
        ("100.128.0.1", True),  # just past it
        ("127.0.0.1", False),
        ("127.255.255.254", False),
        ("169.254.169.254", False),  # metadata
        ("172.16.0.1", False),
        ("172.32.0.1", True),
        ("192.168.1.1", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::7f00:1", False),  # IPv4-compatible
        ("::ffff:127.0.0.1", False),  # IPv4-mapped
        ("::ffff:93.184.215.14", True),
        ("::ffff:0:10.0.0.1", False),  # IPv4-translated
        ("64:ff9b::10.0.0.1", False),  # NAT64
        ("64:ff9b::93.184.215.14", True),
        ("64:ff9b:1::1", False),
        ("2002:7f00:1::1", False),  # 6to4 of 127.0.0.1
        ("2002:c0a8:101::1", False),  # 6to4 of 192.168.1.1
        ("2001:0:5db8:d70e:0:0:80ff:fffe", False),  # Teredo of 127.0.0.1
        ("2001:db8::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),  # metadata
        ("fe80::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_only_public_addresses_are_open(address, allowed):
    assert OPEN.allows("mail.example.org", ip_address(address)) is allowed


@pytest.mark.parametrize(
    ("host", "address", "allowed"),
    [
        ("mail.example.org", "127.0.0.9", True),  # by network
        ("mail.example.org", "::ffff:127.0.0.9", True),  # the same, wrapped
        ("mail.example.org", "10.1.2.3", True),
        ("mail.example.org", "10.2.2.3", False),
        ("mail.example.org", "fd00:1::5", True),
        ("nas.lan", "192.168.0.2", True),  # by name
        ("other.lan", "192.168.0.2", False),
        ("nas.lan", "224.0.0.1", False),  # nothing makes multicast a server
        ("nas.lan", "0.0.0.0", False),
        ("mail.xn--bro-hoa.example", "192.168.0.2", True),  # listed with umlaut
    ],
)
def test_an_admin_lists_names_addresses_and_networks(host, address, allowed):
    assert HOME.allows(host, ip_address(address)) is allowed


def test_cleartext_needs_an_entry_of_its_own():
    assert HOME.allows_cleartext("NAS.lan.")
    assert not HOME.allows_cleartext("localhost")


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("Mail.Example.ORG.", "mail.example.org"),
        ("büro.example", "xn--bro-hoa.example"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"),  # full-width digits
        ("127。0。0。1", "127.0.0.1"),  # ideographic full stops
        ("[::ffff:127.0.0.1]", "::ffff:7f00:1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
    ],
)
def test_every_spelling_of_a_host_becomes_one(typed, canonical):
    assert canonical_host(typed) == canonical


@pytest.mark.parametrize(
    "typed",
    ["", " ", "a b.example", "a\r\nb", "a\0b", "fe80::1%eth0", "[::1", "1.2.3.4.5", "256.1.1.1", "4294967296",
     "08.1.1.1", "-a.example", "a..b", "a" * 64 + ".example", "x." * 130 + "y", "mail.example.org/x", "u@h.example",
     "mail.example.org:993", "http://mail.example.org"],
)  # fmt: skip
def test_what_is_no_host_is_refused(typed):
    with pytest.raises(ValueError):
        canonical_host(typed)


@pytest.mark.parametrize(
    "literal", ["127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "localhost", "a.localhost"]
)
def test_no_spelling_of_loopback_passes(literal):
    with pytest.raises(AddressRefused):
        find_addresses(OPEN, ZoneResolver({}), literal, 1)


def test_localhost_needs_no_dns_where_an_admin_listed_it():
    assert str(find_addresses(HOME, ZoneResolver({}), "localhost", 1)[0]) == "127.0.0.1"


def test_a_name_with_public_and_private_addresses_keeps_the_public_one():
    zone = ZoneResolver({("m.example", "A"): ["10.0.0.1", "93.184.215.14"], ("m.example", "AAAA"): ["::1"]})
    assert [str(a) for a in find_addresses(OPEN, zone, "m.example", 1)] == ["93.184.215.14"]


@pytest.mark.parametrize(
    ("zone", "error"),
    [
        (ZoneResolver({}), NameNotFound),
        (ZoneResolver({("m.example", "MX"): ["10 x."]}), NameNotFound),
        (ZoneResolver({}, silent=["m.example"]), TimedOut),
        (ZoneResolver({("m.example", "A"): ["192.168.0.1"]}), AddressRefused),
        (ZoneResolver({("m.example", "A"): ["no address"]}), NameNotFound),
    ],
)
def test_what_a_look_up_can_say(zone, error):
    with pytest.raises(error):
        connect(OPEN, zone, "m.example", 993, 1)


class RebindingResolver:
    """Answers a good address first and another one from then on."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    def lookup(self, name: str, record_type: str, *, timeout_s: float = 5.0) -> Answer:
        if record_type != "A":
            return Answer(Outcome.NO_RECORD)
        self.asked += 1
        return Answer(Outcome.FOUND, [self.addresses[min(self.asked, len(self.addresses)) - 1]])


def test_the_connection_goes_to_the_address_that_was_checked():
    policy = GuardPolicy.of("127.0.0.1", "")
    with socket.create_server(("127.0.0.1", 0)) as good:
        port = good.getsockname()[1]
        resolver = RebindingResolver("127.0.0.1", "10.0.0.1")
        with connect(policy, resolver, "m.example", port, 2) as link:
            assert link.getpeername() == ("127.0.0.1", port)
        assert resolver.asked == 1
        with pytest.raises(AddressRefused):
            connect(policy, resolver, "m.example", port, 2)


def test_a_closed_port_is_named(free_port):
    with pytest.raises(ConnectionRefused):
        connect(HOME, ZoneResolver({}), "127.0.0.1", free_port(), 2)


def test_the_next_address_is_tried_when_the_first_refuses():
    policy = GuardPolicy.of("127.0.0.1\n::1", "")
    zone = ZoneResolver({("m.example", "AAAA"): ["::1"], ("m.example", "A"): ["127.0.0.1"]})
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with connect(policy, zone, "m.example", port, 3) as link:
            assert link.getpeername() == ("127.0.0.1", port)


def test_a_silent_host_ends_in_time():
    """A listen queue that is full drops further SYNs: nothing answers, and the call ends with its time."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        threads = [threading.Thread(target=_fill, args=(filler, port), daemon=True) for filler in fillers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with pytest.raises(TimedOut):
            connect(HOME, ZoneResolver({}), "127.0.0.1", port, 0.2)
        for filler in fillers:
            filler.close()


def _fill(filler: socket.socket, port: int) -> None:
    filler.settimeout(0.2)
    filler.connect_ex(("127.0.0.1", port))
