"""Listeners as real processes."""

from __future__ import annotations

import pytest

from app.mail_services.modes import Mode
from tests.mailsite.listeners.real import Client, install


@pytest.fixture
def installation(config, parts, db, set_mode, free_port):
    set_mode(Mode.MAILSITE)
    return install(config, parts, db, free_port(), free_port())


@pytest.fixture
def connect():
    """Opens connections, which end with the test."""
    opened = []

    def connect(port: int, source: str = "127.0.0.1") -> Client:
        opened.append(Client(port, source))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()
