"""The source waiting for news of servers that speak by script."""

from __future__ import annotations

import select

import pytest

from app.errors import ConnectionLost, ProtocolError
from app.imap.source import ImapSource
from tests.webmail.imap.plays import SELECT

IDLE = f"{SELECT}\nC: IDLE\nS: + idling\n"


def watch(source: ImapSource) -> bool:
    """Wait until something comes, and whether it is news."""
    descriptor = source.start_watching("INBOX")
    while not (news := source.has_news()):
        if not select.select([descriptor], [], [], 10)[0]:
            return False
    return news


@pytest.mark.parametrize("told", [
    "S: * 4 EXISTS", "S: * 2 EXPUNGE", "S: * 1 FETCH (FLAGS (\\Seen))", "S: * VANISHED 4",
    "S: * OK Still here\nS: * 4 EXISTS", "S: {tag} OK idle ended", "S: <raw * 4 EX>\nS: <raw ISTS\\x0d\\x0a>",
])  # fmt: skip
def test_news_while_watching(play, told):
    source, _ = play("IDLE", IDLE + told)
    assert watch(source)


def test_watching_ends_with_done(play):
    source, _ = play("IDLE", IDLE + "S: * 4 EXISTS\nL: DONE\nS: {tag} OK ended\nC: NOOP\nS: {tag} OK done")
    assert watch(source)
    source.stop_watching()
    source.stop_watching()
    source.noop()


@pytest.mark.parametrize(("told", "error"), [
    ("S: * BYE autologout", ConnectionLost), ("S: <close>", ConnectionLost), ("S: what", ProtocolError),
    ("S: <forever * OK Still here>", ProtocolError),
])  # fmt: skip
def test_faults_while_watching(play, told, error):
    source, _ = play("IDLE", IDLE + told)
    with pytest.raises(error):
        watch(source)


def test_idle_refused(play):
    source, _ = play("IDLE", f"{SELECT}\nC: IDLE\nS: {{tag}} BAD what")
    with pytest.raises(ProtocolError):
        source.start_watching("INBOX")
