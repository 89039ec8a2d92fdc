"""Which policy this host publishes of itself: never more than its listeners keep (RFC 8461 §8.3, T1, T2).  Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mailsite_ext.settings.values import Posture
from mailsite_ext.transport_security.mta_sts import Mode, Policy, weakest

MAX_AGE_S = 604_800  # a week: long enough to matter, short enough to find out of a mistake

_MODES = {Posture.ALLOW: Mode.NONE, Posture.SPAM: Mode.TESTING, Posture.REQUIRE: Mode.ENFORCE}


@dataclass(frozen=True, slots=True)
class Published:
    """What was served last; senders may hold a policy that is not `none` until `until`."""

    mode: Mode
    until: datetime


def mode_to_publish(saved: Posture, running: Collection[Posture], last: Mode) -> Mode:
    """The weaker of the saved posture and that of every running reception listener (T2).

    With none running nothing is known of how mail will be received next: what was published last stays.
    """
    if not running:
        return last
    return weakest([_MODES[saved], *(_MODES[posture] for posture in running)])


def policy_to_serve(mode: Mode, host: str, last: Published | None, now: datetime) -> Policy | None:
    """The policy of a domain whose mail server is `host`; None: there is none, and none is remembered anywhere (T1).

    One that is withdrawn says `none` as long as somebody may still hold the last one (RFC 8461 §8.3).
    """
    if mode is not Mode.NONE:
        return Policy(mode, (host,), MAX_AGE_S)
    if last is not None and now < last.until:
        return Policy(Mode.NONE, (), MAX_AGE_S)
    return None


def published(mode: Mode, last: Published | None, now: datetime) -> Published | None:
    """What to remember after serving; `none` does not prolong itself."""
    if mode is not Mode.NONE:
        return Published(mode, now + timedelta(seconds=MAX_AGE_S))
    return replace(last, mode=Mode.NONE) if last is not None else None
