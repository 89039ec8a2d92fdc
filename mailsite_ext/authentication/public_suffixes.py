"""Under which names others may register theirs: the public suffix list, as it was shipped (publicsuffix.org).  Pure.

The list is of some ten thousand names: it is read when first asked, and kept.
"""

from __future__ import annotations

from functools import lru_cache

from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=1)
def _listed() -> PublicSuffixList:
    return PublicSuffixList()


def registrable_domain(domain: str) -> str | None:
    """What somebody registered: one label more than the suffix; None for a suffix itself.

    Of a suffix that is not listed, the last two labels.
    """
    return _listed().privatesuffix(domain)


def is_public_suffix(domain: str) -> bool:
    """A single label always is."""
    return registrable_domain(domain) is None
