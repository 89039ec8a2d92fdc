"""Delivery processes that share a queue, and one that ends between the far side's 250 and writing it down (X4)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from mailsite_ext.delivery import queue
from mailsite_ext.delivery.retry import Fate
from tests.mailsite.delivery.test_dispatch import MESSAGE, Out

MESSAGES = 30


@pytest.fixture
def two(parts, authority):
    """Dispatchers on one queue, and one world."""
    with ExitStack() as stack:
        one, other = Out(parts, authority, stack), Out(parts, authority, stack)
        other.peers = one.peers
        yield one, other
        for each in (one, other):
            each.dispatcher._threads.shutdown()


def test_two_at_one_queue_send_each_message_once(two: tuple[Out, Out]):
    peer = two[0].peer("127.0.0.2")
    for number in range(MESSAGES):
        two[0].take(f"u{number}@there.example", token=f"t{number}")
    with ThreadPoolExecutor(2) as threads:
        for _ in range(3):
            list(threads.map(Out.turn, two))
    sent = [command for command in peer.commands if command.startswith("RCPT")]
    assert len(sent) == len(set(sent)) == MESSAGES
    assert len(peer.messages) == MESSAGES
    assert {fate for fate, _, _ in two[0].fates().values()} == {Fate.DELIVERED}


def test_what_ended_between_250_and_the_commit_is_sent_again_and_said(two: tuple[Out, Out], monkeypatch, clock, caplog):
    peer = two[0].peer("127.0.0.2")
    two[0].take("bob@there.example")

    def ends(*_, **__):
        raise RuntimeError("ended here")

    with monkeypatch.context() as patch:
        patch.setattr(queue, "note_attempt", ends)
        two[0].turn()
    two[1].turn()
    assert peer.messages == [MESSAGE], "the claim holds: nobody sends it meanwhile"
    clock.advance(queue.CLAIMED_FOR.total_seconds())
    two[1].turn()
    assert peer.messages == [MESSAGE] * 2
    assert "bob@there.example broke off and is tried again: it may arrive twice" in caplog.text
    assert two[0].fates()["bob@there.example"][0] is Fate.DELIVERED
