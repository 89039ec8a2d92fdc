"""Messages handed to other servers, on loopback: who is tried after whom, and what is said of each recipient."""

import socket
import ssl
from contextlib import ExitStack
from dataclasses import replace

import pytest

from mailsite_ext.delivery.connection import Timeouts
from mailsite_ext.delivery.remote import NOBODY_ANSWERS, Courier, Parcel
from mailsite_ext.delivery.route import Hop
from mailsite_ext.protocol.smtp_client import Mail, To
from mailsite_ext.replies import Reply
from tests.mailsite.delivery.peer import Peer, serving
from tests.servers.certificates import Authority

MESSAGE = b"Subject: Tea\r\n\r\n.At five.\r\n"
BOB, EVE = "bob@there.example", "eve@there.example"


@pytest.fixture
def world(authority: Authority):
    """Peers by address; a courier that dials them, whatever the port."""
    with ExitStack() as stack:
        yield World(stack, authority)


class World:
    def __init__(self, stack: ExitStack, authority: Authority) -> None:
        self.stack = stack
        self.authority = authority
        self.peers: dict[tuple[str, int], Peer] = {}
        self.dialled: list[tuple[str, int]] = []
        opportunistic = ssl.create_default_context()
        opportunistic.check_hostname, opportunistic.verify_mode = False, ssl.CERT_NONE
        self.courier = Courier(
            name="mail.here.example",
            dial=self.dial,
            opportunistic=opportunistic,
            verifying=authority.client_context(),
            timeouts=Timeouts(connect_s=5, answer_s=5, block_s=5, last_answer_s=5),
        )

    def peer(self, address: str, port: int = 25, *, certificate_for: str = "", **options) -> Peer:
        if certificate_for:
            options["tls"] = self.authority.issue(certificate_for).server_context()
        self.peers[address, port] = self.stack.enter_context(serving(Peer(**options)))
        return self.peers[address, port]

    def dial(self, address: str, port: int, timeout_s: float) -> socket.socket:
        self.dialled.append((address, port))
        if (address, port) not in self.peers:
            raise ConnectionRefusedError(111, "Connection refused")
        return socket.create_connection(("127.0.0.1", self.peers[address, port].port), timeout_s)

    def hand_over(self, *addresses: str, recipients=(BOB,), messages=1, verified_tls=False, tests_tls=False, **needs):
        hops = [Hop(f"mx{number}.there.example", (address,)) for number, address in enumerate(addresses, 1)]
        mail = Mail("ada@here.example", tuple(map(To, recipients)), len(MESSAGE), **needs)
        parcels = [Parcel(key, mail, lambda: [MESSAGE[:9], MESSAGE[9:]]) for key in range(messages)]
        return self.courier.hand_over(hops, parcels, verified_tls=verified_tls, tests_tls=tests_tls)


def test_a_message_goes_out_over_tls(world: World):
    peer = world.peer("one", certificate_for="mx1.there.example")
    handed = world.hand_over("one")
    assert handed.answers[0, BOB].reply == Reply(250, "2.0.0 queued")
    assert handed.answers[0, BOB].host == "mx1.there.example"
    assert peer.messages == [MESSAGE]
    assert peer.commands[:3] == ["EHLO mail.here.example", "STARTTLS", "EHLO mail.here.example"]
    assert any("not verified" in line for line in handed.transcript)
    assert not any("At five" in line for line in handed.transcript), "what it says is nobody's business"


def test_several_messages_share_a_connection(world: World):
    peer = world.peer("one")
    handed = world.hand_over("one", messages=3, recipients=(BOB, EVE))
    assert len(peer.messages) == 3
    assert peer.connections == 1
    assert {answer.reply.code for answer in handed.answers.values()} == {250}
    assert len(handed.answers) == 6


def test_each_recipient_has_an_answer_of_their_own(world: World):
    world.peer("one", answers={f"RCPT TO:<{EVE}>": "550 5.1.1 no such user"})
    handed = world.hand_over("one", recipients=(BOB, EVE))
    assert handed.answers[0, BOB].reply.code == 250
    assert handed.answers[0, EVE].reply == Reply(550, "5.1.1 no such user")


@pytest.mark.parametrize(
    "options",
    [
        {"greeting": "554 no service here"},
        {"greeting": "421 busy"},
        {"answers": {"EHLO": "421 busy"}},
        {"answers": {"MAIL": ""}},  # hangs up in the middle
        {"answers": {".": ""}},
        {"greeting": "SSH-2.0-OpenSSH"},
    ],
    ids=lambda options: str(*options.values()),
)
def test_the_next_host_takes_over(world: World, options):
    world.peer("one", **options)
    second = world.peer("two")
    handed = world.hand_over("one", "two")
    assert handed.answers[0, BOB].reply.code == 250
    assert handed.answers[0, BOB].host == "mx2.there.example"
    assert second.messages == [MESSAGE]


def test_who_has_an_answer_is_not_told_again_by_the_next(world: World):
    world.peer("one", features=("LIMITS RCPTMAX=1",), answers={f"RCPT TO:<{EVE}>": ""})
    second = world.peer("two")
    handed = world.hand_over("one", "two", recipients=(BOB, EVE))
    assert {address: answer.host for (_, address), answer in handed.answers.items()} == {
        BOB: "mx1.there.example",
        EVE: "mx2.there.example",
    }
    assert [command for command in second.commands if command.startswith("RCPT")] == [f"RCPT TO:<{EVE}>"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"greeting": "554 no service here"}, "4.4.0 554 no service here"),
        ({"answers": {"MAIL": ""}}, "4.4.2 mx1.there.example hung up"),
    ],
)
def test_where_no_host_goes_on_the_message_stays(world: World, options, words):
    world.peer("one", **options)
    assert world.hand_over("one").answers[0, BOB].reply == Reply(451, words)


# TLS


def test_where_tls_fails_mail_goes_without(world: World):
    peer = world.peer("one", answers={"STARTTLS": "454 not now"}, certificate_for="x.example")
    handed = world.hand_over("one")
    assert handed.answers[0, BOB].reply.code == 250
    assert peer.connections == 2
    assert "- TLS failed; once more without" in handed.transcript


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "offers no STARTTLS"),
        ({"certificate_for": "other.example"}, "mismatch"),
        ({"certificate_for": "mx1.there.example", "answers": {"STARTTLS": "454 not now"}}, "refuses STARTTLS"),
    ],
)
def test_an_enforced_policy_is_kept(world: World, options, words):
    peer = world.peer("one", **options)
    reply = world.hand_over("one", verified_tls=True).answers[0, BOB].reply
    assert reply.code == 451, "a policy never makes a bounce"
    assert reply.words.startswith("4.7.5")
    assert words in reply.words
    assert not any(command.startswith("MAIL") for command in peer.commands)


def test_verified_tls(world: World):
    peer = world.peer("one", certificate_for="mx1.there.example", features=("REQUIRETLS",))
    handed = world.hand_over("one", verified_tls=True, requires_tls=True)
    assert handed.answers[0, BOB].reply.code == 250
    assert any(line.endswith("certificate verified") for line in handed.transcript)
    assert any("REQUIRETLS" in command for command in peer.commands if command.startswith("MAIL"))


@pytest.mark.parametrize(
    ("options", "tests_tls", "counted"),
    [
        ({}, False, ["starttls-not-supported"]),
        ({"certificate_for": "mx1.there.example"}, False, [""]),
        ({"certificate_for": "mx1.there.example"}, True, [""]),
        ({"certificate_for": "other.example"}, False, [""]),  # nobody looked at it
        ({"certificate_for": "other.example"}, True, ["certificate-host-mismatch"]),
        ({"certificate_for": "mx1.there.example", "answers": {"STARTTLS": "454 not now"}}, False,
         ["validation-failure"]),
    ],
)  # fmt: skip
def test_how_the_way_was_encrypted_is_counted_once_a_host(world: World, options, tests_tls, counted):
    world.peer("one", **options)
    handed = world.hand_over("one", tests_tls=tests_tls)
    assert handed.answers[0, BOB].reply.code == 250, "mail goes all the same"
    assert [session.failure for session in handed.sessions] == counted
    assert {(session.host, session.address) for session in handed.sessions} == {("mx1.there.example", "one")}


def test_a_host_that_is_not_reached_counts_for_nothing(world: World):
    assert world.hand_over("one").sessions == []


def test_what_came_in_the_clear_before_tls_is_not_believed(world: World):
    peer = world.peer("one", certificate_for="mx1.there.example")
    peer.injected = b"250 evil\r\n250 evil\r\n"
    handed = world.hand_over("one")
    assert "evil" not in "".join(handed.transcript).partition("TLS")[2]


# Ports


def test_port_587_where_port_25_of_no_host_can_be_connected(world: World):
    world.peer("two", 587)
    handed = world.hand_over("one", "two")
    assert handed.port_25_blocked
    assert handed.answers[0, BOB].reply.code == 250
    assert world.dialled == [("one", 25), ("two", 25), ("one", 587), ("two", 587)]


def test_what_587_refuses_is_refused_for_now(world: World):
    world.peer("one", 587, answers={"MAIL": "530 5.7.0 authentication required"})
    reply = world.hand_over("one").answers[0, BOB].reply
    assert reply == Reply(451, "4.4.0 530 5.7.0 authentication required")


def test_port_587_never_after_an_answer_on_25(world: World):
    world.peer("one", greeting="554 no")
    world.peer("one", 587)
    handed = world.hand_over("one")
    assert handed.answers[0, BOB].reply.code == 451
    assert not handed.port_25_blocked
    assert ("one", 587) not in world.dialled


def test_nobody_can_be_reached(world: World):
    handed = world.hand_over("one", "two")
    assert handed.answers[0, BOB].reply == NOBODY_ANSWERS
    assert handed.port_25_blocked


def test_a_message_the_server_cannot_be_given(world: World):
    peer = world.peer("one", features=("SIZE 10",))
    reply = world.hand_over("one").answers[0, BOB].reply
    assert reply.words.startswith("5.3.4")
    assert not any(command.startswith("MAIL") for command in peer.commands)


def test_a_trip_ends_however_slow_all_are(world: World):
    first, second = world.peer("one", answers={"MAIL": "250"}), world.peer("two")
    world.courier = replace(world.courier, longest_s=0.0)
    assert world.hand_over("one", "two").answers[0, BOB].reply == NOBODY_ANSWERS
    assert (first.commands, second.commands, world.dialled) == ([], [], [])
