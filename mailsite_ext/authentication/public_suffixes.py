"""Under which names others may register theirs: the public suffix list, as it was shipped (publicsuffix.org).  Pure."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


class _Shipped:
    """Read when first asked, and kept: ten thousand names, which a listener for IMAP never needs."""

    @cached_property
    def suffixes(self) -> PublicSuffixList:
        from publicsuffixlist import PublicSuffixList

        return PublicSuffixList()


_shipped = _Shipped()


def registrable_domain(domain: str) -> str | None:
    """What somebody registered: one label more than the suffix; None for a suffix itself.

    Of a suffix that is not listed, the last two labels.
    """
    return _shipped.suffixes.privatesuffix(domain)


def is_public_suffix(domain: str) -> bool:
    """A single label always is."""
    return registrable_domain(domain) is None
