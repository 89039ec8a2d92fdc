"""How this process verifies the servers it connects to: one context, since making one costs 20 ms of CPU."""

from __future__ import annotations

import ssl
from functools import cache

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which ssl.VerifyFlags does not name


@cache
def client_context(ca_file: str) -> ssl.SSLContext:
    """The authorities of the system, and those in `ca_file` (TLS_CA_FILE) where one is named."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


@cache
def lenient_context(ca_file: str) -> ssl.SSLContext:
    """Reads certificates that are out of date or another host's, to say so; never for anything else."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    return context
