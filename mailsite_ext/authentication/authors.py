"""Of whom a message says it is: the domains of its From field.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailsite_ext.authentication.raw_message import RawField
from mailsite_ext.protocol.address_lists import parse_addresses


def author_domains(fields: Iterable[RawField]) -> Iterator[str]:
    """As written, one for each address that has one, of every From field: a reader may be shown any of them.

    Read as ENVELOPE is, so that what is judged is what is shown.
    """
    for field in fields:
        if field.name == "from":
            yield from (one.host.decode("utf-8", "replace") for one in parse_addresses(field.value) if one.host)
