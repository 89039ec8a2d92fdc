"""A forger whose own DNS never answers does not escape the policy of the domain he writes as."""

from __future__ import annotations

import pytest

from app.resolver import Answer, Outcome, ZoneResolver
from mailsite_ext.authentication.dmarc import DmarcResult, Policy
from mailsite_ext.reception.examine import Examiner
from tests.conftest import FakeClock
from tests.mailsite.reception.letters import HOST, WORLD, People, arrival, letter, signed

SPF = "v=spf1 a:1.forger.example a:2.forger.example a:3.forger.example a:4.forger.example -all"


class SlowStrangers:
    """forger.example and every name below it take nearly as long as they may; all others answer at once."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._zone = ZoneResolver(WORLD)

    def lookup(self, name: str, record_type: str, *, timeout_s: float = 5.0) -> Answer:
        if not name.endswith("forger.example"):
            return self._zone.lookup(name, record_type)
        self._clock.advance(min(timeout_s, 4.9))
        return Answer(Outcome.FOUND, ["192.0.2.1"] if record_type == "A" else [SPF])


def examined(message: bytes, sender: str):
    clock = FakeClock()
    people = People()
    asks = Examiner(SlowStrangers(clock), clock, HOST, people, people)
    return asks.examine(arrival(sender, peer="203.0.113.9"), lambda: [message])


LETTER = letter("The bank <info@bank.example>")


def signature(domain: str) -> bytes:
    return signed(LETTER, domain).removesuffix(LETTER)


def beneath_strangers(signature_of_bank: bytes) -> bytes:
    """Six signatures of the forger's, each by a name of its own, above the one that counts."""
    strangers = b"".join(signature(f"n{number}.forger.example") for number in range(6))
    return strangers + signature_of_bank + LETTER


@pytest.mark.parametrize("sender", ["x@forger.example", "info@bank.example", "x@mail.bank.example", ""])
def test_slow_answers_are_no_excuse(sender):
    made_up = signature("bank.example").replace(b"s=rsa;", b"s=none;")
    found = examined(beneath_strangers(made_up), sender)
    assert (found.dmarc.result, found.dmarc.disposition) == (DmarcResult.FAIL, Policy.REJECT)


def test_what_the_bank_signed_passes_beneath_them():
    found = examined(beneath_strangers(signature("bank.example")), "x@forger.example")
    assert found.dmarc.result is DmarcResult.PASS
