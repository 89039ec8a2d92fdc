"""The admin's browser, with or without a certificate, and the form as a browser sends it."""

from __future__ import annotations

from dataclasses import replace

import pytest


@pytest.fixture
def config(request, sqlite_config, authority):
    """The database does not matter here.  Parametrised: the certificate is none, valid, expired or unreadable."""
    state = getattr(request, "param", "none")
    if state == "none":
        return sqlite_config
    issued = authority.issue("mail.example.org", expired=state == "expired")
    key = issued.chain if state == "unreadable" else issued.key
    return replace(sqlite_config, tls_certificate_file=str(issued.chain), tls_key_file=str(key))


@pytest.fixture
def ada(admin, browser_of):
    return browser_of(admin)
