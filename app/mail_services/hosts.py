"""The lists of hosts an admin opens to external accounts (E3, E4): reading what was typed.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.accounts.addresses import MAX_LISTED, canonical_host, find_network
from app.errors import BadInput


def parse_hosts(field: str, text: str, *, networks: bool) -> Sequence[str]:
    """Host names and addresses, and where `networks` says so networks, one a line; in their one spelling, each once.

    Raises BadInput on `field`, with the first line that is none, or the one that is too many.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_LISTED:
        raise BadInput(field, lines[MAX_LISTED][:100])
    return list(dict.fromkeys(_parse_host(field, line, networks) for line in lines))


def _parse_host(field: str, line: str, networks: bool) -> str:
    network = find_network(line) if networks and "/" in line else None
    try:
        return str(network) if network else canonical_host(line)
    except ValueError:
        raise BadInput(field, line[:100]) from None
