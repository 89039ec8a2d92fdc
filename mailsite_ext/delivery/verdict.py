"""One verdict a recipient: which folder, and why.  Pure; SPF, DKIM and DMARC results become further facts."""

from __future__ import annotations

from dataclasses import dataclass

from mailsite_ext.settings.values import Posture
from mailsite_ext.storage.values import INBOX

JUNK = "Junk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a message when its folder is chosen."""

    posture: Posture
    is_submission: bool  # its sender signed in, or it never left this machine
    over_tls: bool
    is_trusted: bool  # the sender is on the recipient's list, and may be believed (T6)


@dataclass(frozen=True, slots=True)
class Verdict:
    folder: str
    reason: str = ""  # kept with the recipient's copy; empty: nothing to say


def decide(facts: Facts) -> Verdict:
    """T4: what came without TLS is junk unless its sender is trusted; of reception from outside only."""
    if facts.is_submission or facts.over_tls or facts.posture is not Posture.SPAM:
        return Verdict(INBOX)
    if facts.is_trusted:
        return Verdict(INBOX, "it came without TLS; the sender is trusted")
    return Verdict(JUNK, "it came without TLS")
