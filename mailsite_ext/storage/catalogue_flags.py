"""Flags and keywords of a message, as text in one fixed spelling and order.  Pure.

System flags first, then keywords by name; flags are the same in any case (RFC 9051 §2.3.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from mailsite_ext.errors import TooManyKeywords
from mailsite_ext.storage.values import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, FlagMode

SYSTEM = (ANSWERED, FLAGGED, DELETED, SEEN, DRAFT)
RECENT = "\\Recent"  # no session's own flag is ever stored (RFC 9051 §2.3.2)
_PLACES = {flag.lower(): (place, flag) for place, flag in enumerate(SYSTEM)}


def flags_text(flags: Iterable[str]) -> str:
    """`\\Flagged \\Seen $Junk work`; a flag that is there twice, in two spellings, stands once."""
    spelt = {flag.lower(): flag for flag in flags if flag.lower() != RECENT.lower()}
    return " ".join(_in_order(spelt))


def _in_order(spelt: dict[str, str]) -> list[str]:
    system = [flag for folded, (_place, flag) in _PLACES.items() if folded in spelt]
    return system + [spelt[folded] for folded in sorted(spelt) if folded not in _PLACES]


@lru_cache(maxsize=4096)
def with_change(text: str, mode: FlagMode, change: frozenset[str]) -> str:
    """The flags of a message after STORE; keywords keep the spelling they had (RFC 9051 §6.4.6)."""
    had = {flag.lower(): flag for flag in text.split()}
    asked = {flag.lower(): flag for flag in change}
    if mode is FlagMode.ADD:
        return flags_text((asked | had).values())
    if mode is FlagMode.REMOVE:
        return flags_text(flag for folded, flag in had.items() if folded not in asked)
    return flags_text(had.get(folded, flag) for folded, flag in asked.items())


@lru_cache(maxsize=4096)
def is_seen(text: str) -> bool:
    return SEEN in text.split()


@lru_cache(maxsize=4096)
def is_deleted(text: str) -> bool:
    return DELETED in text.split()


KEYWORDS_OF_A_FOLDER = 1_000  # every SELECT names them all


def more_keywords(known: str, texts: Iterable[str]) -> str:
    """As with_keywords, for what clients add.  Raises TooManyKeywords."""
    keywords = with_keywords(known, texts)
    if len(keywords) > len(known) and keywords.count(" ") >= KEYWORDS_OF_A_FOLDER:
        raise TooManyKeywords
    return keywords


def with_keywords(known: str, texts: Iterable[str]) -> str:
    """The keywords of a folder and those of `texts` that are new to it, sorted."""
    keywords = {keyword.lower(): keyword for keyword in known.split()}
    for text in texts:
        for flag in text.split():
            if not flag.startswith("\\"):
                keywords.setdefault(flag.lower(), flag)
    return " ".join(sorted(keywords.values()))
