"""From the queue to other servers, and what senders hear: the delivery process at work, on both databases."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack

import pytest
from sqlalchemy import select

from app.resolver import ZoneResolver
from mailsite_ext.delivery import queue
from mailsite_ext.delivery.connection import Timeouts
from mailsite_ext.delivery.dispatch import Dispatcher, World
from mailsite_ext.delivery.models import DeliveryAttempt, QueuedRecipient
from mailsite_ext.delivery.queue import Submission
from mailsite_ext.delivery.remote import Courier
from mailsite_ext.delivery.retry import Fate
from mailsite_ext.delivery.route import Ourselves
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.protocol.smtp_grammar import MailFrom, RcptTo
from mailsite_ext.reports.attached import Kind
from mailsite_ext.reports.written import OWN_REPORT
from mailsite_ext.transport_security.mta_sts import Mode, Policy
from tests.mailsite.delivery.peer import Peer, serving

MESSAGE = b"Subject: Tea\r\n\r\nAt five.\r\n"
ZONE = {
    ("there.example", "MX"): ["10 mx.there.example."],
    ("mx.there.example", "A"): ["127.0.0.2"],
    ("other.example", "MX"): ["10 mx.other.example."],
    ("mx.other.example", "A"): ["127.0.0.3"],
    ("null.example", "MX"): ["0 ."],
}


class Out:
    """A dispatcher whose world is on loopback: the peer of an address listens on a port of its own."""

    def __init__(self, parts, authority, stack):
        self.parts, self.stack = parts, stack
        self.peers: dict[str, Peer] = {}
        self.policies: dict[str, Policy] = {}
        self.told = self.cared = 0
        self.sessions: list[tuple] = []
        opportunistic = ssl.create_default_context()
        opportunistic.check_hostname, opportunistic.verify_mode = False, ssl.CERT_NONE
        courier = Courier(
            name="mail.here.example",
            dial=self.dial,
            opportunistic=opportunistic,
            verifying=authority.client_context(),
            timeouts=Timeouts(connect_s=5, answer_s=5, block_s=5, last_answer_s=5),
        )
        ours = Ourselves(frozenset({"mail.here.example"}), reaches_private=True)
        world = World(
            resolver=ZoneResolver(ZONE), courier=courier, ours=ours, shuffle=sorted, chance=lambda: 0.5,
            policy_of=self.policies.get, note_sessions=lambda *told: self.sessions.append(told),
        )  # fmt: skip
        self.dispatcher = Dispatcher(parts, world, self.tell, self.care)

    def tell(self):
        self.told += 1

    def care(self):
        self.cared += 1

    def peer(self, address, **options):
        self.peers[address] = self.stack.enter_context(serving(Peer(**options)))
        return self.peers[address]

    def dial(self, address, port, timeout_s):
        if port != 25 or address not in self.peers:
            raise ConnectionRefusedError(111, "Connection refused")
        return socket.create_connection(("127.0.0.1", self.peers[address].port), timeout_s)

    def take(self, *addresses, token="t1", **options):
        mail = MailFrom(Address("ada", "here.example"), **options)
        rcpts = [RcptTo(Address(*address.split("@"))) for address in addresses]
        with self.parts.public.session() as db:
            queue.enqueue(db, Submission(token, "ada", mail, rcpts), [MESSAGE], self.parts.clock.now())

    def turn(self):
        for trip in self.dispatcher.turn():
            trip.result(timeout=30)

    def fates(self):
        with self.parts.public.session() as db:
            return {each.address: (each.fate, each.code, each.words) for each in db.scalars(select(QueuedRecipient))}


@pytest.fixture
def out(parts, authority):
    with ExitStack() as stack:
        made = Out(parts, authority, stack)
        yield made
        made.dispatcher._threads.shutdown()


def test_messages_reach_their_destinations(out: Out):
    there, other = out.peer("127.0.0.2"), out.peer("127.0.0.3")
    out.take("bob@there.example", "eve@other.example")
    out.turn()
    assert (there.messages, other.messages) == ([MESSAGE], [MESSAGE])
    assert {fate for fate, _, _ in out.fates().values()} == {Fate.DELIVERED}
    out.turn()
    assert there.connections == 1, "nothing is due any more"


def test_what_was_said_is_kept_for_the_admin(out: Out, db):
    out.peer("127.0.0.2", answers={"RCPT": "550 5.1.1 no such user"})
    out.take("bob@there.example")
    out.turn()
    assert out.fates()["bob@there.example"] == (Fate.FAILED, 550, "5.1.1 no such user")
    attempt = db.scalars(select(DeliveryAttempt)).one()
    assert "< 550 5.1.1 no such user" in attempt.transcript
    assert attempt.domain == "there.example"


def test_it_comes_again_when_it_is_time(out: Out, clock):
    peer = out.peer("127.0.0.2", answers={"RCPT": "451 4.7.1 greylisted", "DATA": "554 no valid recipients"})
    out.take("bob@there.example")
    out.turn()
    assert out.fates()["bob@there.example"][0] is Fate.WAITING
    peer.answers.clear()
    out.turn()
    assert peer.messages == []
    clock.advance(120)
    out.turn()
    assert peer.messages == [MESSAGE]
    assert out.fates()["bob@there.example"][0] is Fate.DELIVERED


@pytest.mark.parametrize(
    ("address", "fate", "words"),
    [
        ("bob@null.example", Fate.FAILED, "5.1.10 the domain takes no mail (RFC 7505)"),
        ("bob@gone.example", Fate.FAILED, "5.1.2 there is no such domain"),
        ("bob@there.example", Fate.WAITING, "4.4.1 no mail server of the domain can be reached"),
    ],
)
def test_no_way(out: Out, address, fate, words):
    out.take(address)
    out.turn()
    assert (out.fates()[address][0], out.fates()[address][2]) == (fate, words)


def test_an_enforced_policy_that_names_none_of_the_hosts_defers(out: Out):
    peer = out.peer("127.0.0.2")
    out.policies["there.example"] = Policy(Mode.ENFORCE, ("mx.elsewhere.example",), 1_000)
    out.take("bob@there.example")
    out.turn()
    fate, code, words = out.fates()["bob@there.example"]
    assert (fate, code, words[:5]) == (Fate.WAITING, 451, "4.7.5")
    assert peer.connections == 0


def test_an_enforced_policy_wants_verified_tls_one_in_test_does_not(out: Out):
    peer = out.peer("127.0.0.2")
    out.policies["there.example"] = Policy(Mode.ENFORCE, ("mx.there.example",), 1_000)
    out.take("bob@there.example")
    out.turn()
    assert out.fates()["bob@there.example"][2].startswith("4.7.5")
    out.policies["there.example"] = Policy(Mode.TESTING, ("mx.there.example",), 1_000)
    out.take("eve@there.example", token="t2")
    out.turn()
    assert out.fates()["eve@there.example"][0] is Fate.DELIVERED
    assert len(peer.messages) == 1


def test_a_report_about_tls_goes_whatever_is_wrong_with_it_and_is_not_counted(out: Out):
    peer = out.peer("127.0.0.2")
    out.policies["there.example"] = Policy(Mode.ENFORCE, ("mx.elsewhere.example",), 1_000)
    out.take("tls@there.example", token=f"{OWN_REPORT[Kind.TLS]}1")
    out.turn()
    assert out.fates()["tls@there.example"][0] is Fate.DELIVERED
    assert (len(peer.messages), out.sessions) == (1, [])


def test_how_the_way_was_encrypted_is_counted_with_the_policy(out: Out, authority):
    out.peer("127.0.0.2")
    policy = out.policies["there.example"] = Policy(Mode.TESTING, ("mx.there.example",), 1_000)
    out.peer("127.0.0.3", tls=authority.issue("mx.other.example").server_context())
    out.take("bob@there.example", "eve@other.example")
    out.turn()
    found = {(domain, counted, one.failure) for domain, counted, sessions in out.sessions for one in sessions}
    assert found == {("there.example", policy, "starttls-not-supported"), ("other.example", None, "")}


def test_a_message_that_requires_tls_goes_on_a_way_of_its_own(out: Out):
    peer = out.peer("127.0.0.2")
    out.take("bob@there.example")
    out.take("eve@there.example", token="t2", require_tls=True)
    out.turn()
    assert out.fates()["bob@there.example"][0] is Fate.DELIVERED
    assert out.fates()["eve@there.example"][0] is Fate.WAITING
    assert len(peer.messages) == 1


def test_a_fault_of_ours_leaves_the_message_in_the_queue(out: Out, monkeypatch, caplog):
    out.take("bob@there.example")
    monkeypatch.setattr(out.dispatcher, "_hand_over", lambda *_: 1 / 0)
    out.turn()
    assert out.fates()["bob@there.example"][0] is Fate.WAITING
    assert "there.example failed" in caplog.text


def test_senders_are_told_each_turn_and_the_rest_is_done_now_and_then(out: Out, clock):
    out.turn()
    out.turn()
    assert (out.told, out.cared) == (2, 1)
    clock.advance(600)
    out.turn()
    assert (out.told, out.cared) == (3, 2)


def test_the_loop_hears_the_bell_and_finishes_what_is_under_way(out: Out):
    peer = out.peer("127.0.0.2")
    out.take("bob@there.example")
    turns = iter([True])
    out.dispatcher.run(lambda: next(turns, False))
    assert peer.messages == [MESSAGE]


@pytest.mark.parametrize(
    "options",
    [{"greeting": "250 there"}, {"answers": {"EHLO": "251 there"}}, {"answers": {"DATA": "250 ok"}}],
    ids=str,
)
def test_a_friendly_answer_in_the_wrong_place_delivers_nothing(out: Out, options):
    peer = out.peer("127.0.0.2", features=(), **options)
    out.take("bob@there.example")
    out.turn()
    fate, code, _ = out.fates()["bob@there.example"]
    assert (fate, code, peer.messages) == (Fate.WAITING, 451, [])
