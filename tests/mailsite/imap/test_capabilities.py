"""Only what has a test is advertised: dialogs say in a line `# shows: IDLE …` which capabilities they show."""

from __future__ import annotations

import re

import pytest

from mailsite_ext.protocol.imap_session import Offer, State, capabilities
from tests.mailsite.dialogs import dialogs

SHOWN = {
    name for path in dialogs("imap") for line in re.findall(r"# shows: (.*)", path.read_text()) for name in line.split()
}


@pytest.mark.parametrize("state", [State.NOT_SIGNED_IN, State.SIGNED_IN, State.SELECTED])
@pytest.mark.parametrize("sign_in", [True, False])
def test_every_capability_has_a_dialog(state, sign_in):
    offered = capabilities(state, Offer(50, starttls=True, sign_in=sign_in)).split()
    assert {name.partition("=50")[0] for name in offered} <= SHOWN


def test_nothing_is_shown_that_is_not_offered():
    offers = [(State.NOT_SIGNED_IN, True), (State.NOT_SIGNED_IN, False), (State.SELECTED, True)]
    offered = {
        name for state, yes in offers for name in capabilities(state, Offer(50, starttls=True, sign_in=yes)).split()
    }
    assert {name for name in SHOWN if name != "APPENDLIMIT"} <= offered


def test_a_capability_is_hidden_from_a_client_that_cannot_bear_it():
    hidden = frozenset({"QRESYNC", "IMAP4REV2"})
    assert not {"QRESYNC", "IMAP4rev2"} & set(capabilities(State.SIGNED_IN, Offer(50, hidden=hidden)).split())


def test_what_a_stranger_is_not_told():
    assert "IDLE" not in capabilities(State.NOT_SIGNED_IN, Offer(50)).split()
    assert "STARTTLS" not in capabilities(State.NOT_SIGNED_IN, Offer(50)).split()
