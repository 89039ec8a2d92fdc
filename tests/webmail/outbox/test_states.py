"""What may become of a message on its way out."""

from __future__ import annotations

import pytest

from app.outbox.states import Event, OutboxState, judge, retry_wait_s
from app.outbox.submitter import Reply

NO, LATER = Reply(550, "no such user"), Reply(451, "greylisted")


@pytest.mark.parametrize(
    ("refused", "event", "final", "later"),
    [
        ({}, Event.ACCEPT, {}, ()),
        ({"a": NO}, Event.ACCEPT, {"a": "550 no such user"}, ()),
        ({"a": LATER}, Event.ACCEPT, {}, ("a",)),
        ({"a": NO, "b": LATER}, Event.ACCEPT, {"a": "550 no such user"}, ("b",)),
        ({"a": NO, "b": NO, "c": NO}, Event.REFUSE, dict.fromkeys("abc", "550 no such user"), ()),
        ({"a": NO, "b": LATER, "c": NO}, Event.DEFER, {}, ()),  # nobody has it: all are tried again
    ],
)
def test_answers_decide(refused, event, final, later):
    outcome = judge(["a", "b", "c"], refused)
    assert (outcome.event, outcome.refused, outcome.later) == (event, final, later)


def test_every_refused_recipient_is_named():
    words = judge(["a", "b"], {"a": NO, "b": Reply(552, "full")}).words
    assert words == "a: 550 no such user; b: 552 full"


@pytest.mark.parametrize(
    ("attempts", "wait_s"), [(1, 60), (2, 300), (3, 900), (4, 3_600), (5, 14_400), (50, 14_400), (0, 14_400)]
)
def test_waits_grow(attempts, wait_s):
    assert retry_wait_s(attempts) == wait_s


def test_nothing_leads_out_of_an_end():
    ends = {OutboxState.FILED, OutboxState.CANCELLED, OutboxState.REFUSED}
    assert not [event for event in Event if ends & set(event.sources)]


def test_only_a_held_message_is_ever_started():
    assert [event for event in Event if event.target is OutboxState.SENDING] == [Event.START]
    assert Event.START.sources == (OutboxState.HELD,)
