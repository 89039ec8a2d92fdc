"""How this process verifies the servers it connects to: one context, since making one costs 20 ms of CPU."""

from __future__ import annotations

import ssl
from functools import cache


@cache
def client_context(ca_file: str) -> ssl.SSLContext:
    """The authorities of the system, and those in `ca_file` (TLS_CA_FILE) where one is named."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context
