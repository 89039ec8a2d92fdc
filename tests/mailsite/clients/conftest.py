"""A storage behind IMAP and submission, for clients that are programs of their own."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.bus.unix import UnixBus
from mailsite_ext.limits import Limits
from mailsite_ext.storage.values import Content, Delivery, Placement
from tests.mailsite.listeners.hosting import hosting
from tests.mailsite.listeners.imap_hosting import Host, imap_hosting

LETTER = (
    b"From: Alice <alice@example.org>\r\nTo: bob@example.org\r\nSubject: Harvest\r\nMessage-ID: <1@x>\r\n\r\napples\r\n"
)


@pytest.fixture
def reading(sql_storage, tmp_path, authority):
    """IMAP over TLS for bob, whose INBOX has one letter."""
    context = authority.issue().server_context()
    with imap_hosting(
        *(sql_storage, UnixBus(tmp_path / "bus"), tmp_path / "spool", "imaps"),
        context=lambda: context,
        client_context=authority.client_context(),
        limits=Limits(connections_per_address=100),
    ) as host:
        sql_storage.create_mailbox("bob")
        deliver(host, LETTER)
        yield host


@pytest.fixture
def sending(tmp_path, authority):
    """Submission over TLS, from the start and by STARTTLS."""
    context = authority.issue().server_context()
    with hosting(
        *(tmp_path / "sent", "both", "submission"),
        context=lambda: context,
        client_context=authority.client_context(),
    ) as host:
        yield host


def deliver(host: Host, octets: bytes) -> None:
    host.storage.deliver(Delivery(Content(octets, len(octets)), [Placement("bob")], datetime.now(UTC))).result()


def tool(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not here: not tried against the listeners")


def need_package(name: str) -> None:
    if not (Path(__file__).parents[3] / "node_modules" / name).is_dir():
        pytest.skip(f"{name} is not installed (npm ci): not tried against the listeners")
