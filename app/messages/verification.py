"""Who wrote a message, as far as somebody we believe found out when it arrived.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """Did the author its From names write it?"""

    OURS = "ours"  # somebody who signed in here, and may write so
    VERIFIED = "verified"  # the author's domain answers for it
    UNPROVEN = "unproven"
    FORGED = "forged"  # the author's domain says that such mail is not its own


@dataclass(frozen=True, slots=True)
class Signature:
    domain: str
    is_valid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Results are words of RFC 8601; empty: not asked."""

    standing: Standing
    domain: str = ""  # the author's
    signatures: Sequence[Signature] = ()
    spf: str = ""
    spf_domain: str = ""  # of the envelope, or of the server's greeting: whose list of servers was asked
    dmarc: str = ""
    policy: str = ""  # what the author's domain asks to do with mail that fails
    tls: str = ""  # its version on the last hop; empty: none
    reasons: Sequence[str] = ()  # why it was filed as it was: translated words
    junk_words: Sequence[str] = ()  # that weighed most when the reader's filter judged it
    is_junk: bool = False  # it was put into Junk when it came, and is there
    is_trusted: bool = False  # the author is on the reader's list of trusted senders
    trust_url: str = ""  # takes who=address or who=domain by POST: puts the author there
