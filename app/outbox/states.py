"""What may become of a message on its way out; pure.

held ──start──▶ sending ──accept──▶ accepted ──file──▶ filed
 │ ▲               │ ├──defer──▶ held (later)
 │ │               │ ├──refuse─▶ refused          the draft opens again, with the server's words
 │ └────again───┐  │ └──lose───▶ unknown ──accept (found in Sent, or the person says so)──▶ accepted
 └──cancel──▶ cancelled ◀──keep── unknown
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from app.outbox.submitter import Reply


class OutboxState(StrEnum):
    """Where a message is; `held` waits for the undo time, or for its next try.

    `sending` was written before the first octet went out: a crash there leaves a message whose fate is unknown.
    """

    SCHEDULED = "scheduled"
    HELD = "held"
    SENDING = "sending"
    ACCEPTED = "accepted"  # by the server; the copy in Sent is still to be filed
    FILED = "filed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    UNKNOWN = "unknown"


State = OutboxState


class Event(Enum):
    """Something that happens to a message: the states it may happen in, and the one it leads to."""

    START = (State.HELD,), State.SENDING  # written before the first octet goes out
    DEFER = (State.SENDING,), State.HELD
    ACCEPT = (State.SENDING, State.UNKNOWN), State.ACCEPTED  # unknown: a late answer, found, or the person says so
    REFUSE = (State.SENDING, State.UNKNOWN), State.REFUSED
    LOSE = (State.SENDING,), State.UNKNOWN
    AGAIN = (State.UNKNOWN,), State.HELD
    CANCEL = (State.HELD, State.UNKNOWN), State.CANCELLED
    FILE = (State.ACCEPTED,), State.FILED

    def __init__(self, sources: tuple[State, ...], target: State) -> None:
        self.sources = sources
        self.target = target


WAITS_S = (60, 300, 900, 3_600)
LONGEST_WAIT_S = 14_400
GIVE_UP_AFTER_S = 172_800  # two days: whoever wrote it should know by then


def retry_wait_s(attempts: int) -> int:
    """Seconds to wait after `attempts` tries: 1, 5, 15 minutes, 1 hour, then 4 hours each time."""
    return WAITS_S[attempts - 1] if 1 <= attempts <= len(WAITS_S) else LONGEST_WAIT_S


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a server's answers make of a message: the event, who is refused for good, and who is to be tried again."""

    event: Event
    refused: Mapping[str, str]
    later: tuple[str, ...] = ()
    words: str = ""


def judge(recipients: Sequence[str], refused: Mapping[str, Reply]) -> Outcome:
    """Accepted for some: accepted, and whoever was put off (4xx) is tried again alone.

    Accepted for nobody: all of it is tried again if anybody was only put off, else refused.
    """
    later = tuple(who for who in recipients if who in refused and refused[who].is_temporary)
    final = {who: str(refused[who]) for who in recipients if who in refused and not refused[who].is_temporary}
    if len(refused) < len(recipients):
        return Outcome(Event.ACCEPT, final, later)
    words = "; ".join(dict.fromkeys(f"{who}: {refused[who]}" for who in recipients))
    return Outcome(Event.DEFER, {}, words=words) if later else Outcome(Event.REFUSE, final, words=words)
