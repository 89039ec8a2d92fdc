"""One verdict a recipient: which folder, and why.  Pure: whoever finds something out adds a fact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailsite_ext.authentication.dmarc import Policy
from mailsite_ext.errors import RefusedByPolicy
from mailsite_ext.junk.score import Judgement
from mailsite_ext.reception.findings import Trust
from mailsite_ext.settings.values import Posture
from mailsite_ext.storage.values import INBOX

JUNK = "Junk"

WITHOUT_TLS = "it came without TLS"
DISOWNED = "the author's domain asks to treat it as junk"
LIKE_JUNK = "it is like mail you put into Junk"
TRUSTED = "the sender is trusted"
TRUST_UNPROVEN = "the sender is trusted, but nothing proves that it wrote this"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a message and one of its recipients when its folder is chosen."""

    posture: Posture
    is_submission: bool  # its sender signed in, or it never left this machine
    over_tls: bool
    trust: Trust = Trust.NONE
    junk: Judgement | None = None  # of the recipient's filter
    policy: Policy = Policy.NONE  # what the author's domain asks for, where that is enforced (A4)


@dataclass(frozen=True, slots=True)
class Verdict:
    folder: str
    reasons: tuple[str, ...] = ()  # kept with the recipient's copy, and shown; empty: nothing to say


def decide(facts: Facts) -> Verdict:
    """T4, T6, A4; of reception from outside only.  Raises RefusedByPolicy.

    Whom the author's domain disowns no list of trusted senders helps: anybody could have written that From.
    """
    if facts.is_submission:
        return Verdict(INBOX)
    if facts.policy is Policy.REJECT:
        raise RefusedByPolicy
    if facts.policy is Policy.QUARANTINE:
        return Verdict(JUNK, (DISOWNED,))
    suspicions = tuple(_suspicions(facts))
    if not suspicions:
        return Verdict(INBOX)
    if facts.trust is Trust.HONOURED:
        return Verdict(INBOX, (*suspicions, TRUSTED))
    return Verdict(JUNK, suspicions if facts.trust is Trust.NONE else (*suspicions, TRUST_UNPROVEN))


def _suspicions(facts: Facts) -> Iterator[str]:
    """Each makes it junk, unless its sender is trusted."""
    if facts.posture is Posture.SPAM and not facts.over_tls:
        yield WITHOUT_TLS
    if facts.junk is not None and facts.junk.is_junk:
        yield LIKE_JUNK
