"""What to do about a source of mail that names the domain as its author's.  Pure."""

from __future__ import annotations

from enum import StrEnum


class Advice(StrEnum):
    """The page has words for each."""

    NOTHING = "nothing"  # all is well
    ADD_TO_SPF = "add-to-spf"  # DKIM alone carries it
    SIGN = "sign"  # SPF alone carries it: forwarded mail will fail
    OWN_SERVER = "own-server"  # ours, and yet it fails
    ALIGN = "align"  # another domain answers for it: a service, or a forwarder
    UNKNOWN = "unknown"  # nobody answers for it


def advice(messages: int, dkim: int, spf: int, failed: int, vouched_by: str, *, is_ours: bool) -> Advice:
    """Of so many messages of a source: those with DKIM, with SPF, and with neither; aligned, all of them.

    A few that fail among many that pass were changed on the way: the source is judged by what most of it does.
    """
    if failed * 2 > messages:
        if is_ours:
            return Advice.OWN_SERVER
        return Advice.ALIGN if vouched_by else Advice.UNKNOWN
    if dkim * 2 < messages:
        return Advice.SIGN
    return Advice.ADD_TO_SPF if spf * 2 < messages else Advice.NOTHING
