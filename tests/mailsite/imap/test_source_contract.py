"""What the webmail expects of an IMAP server, asked of ours: the contract of MailSource over a socket, with QRESYNC."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from app.bus.unix import UnixBus
from mailsite_ext.domains.directory import Hosted
from mailsite_ext.limits import Limits
from mailsite_ext.storage.values import Content, Delivery, Placement
from tests.mailsite.listeners.imap_hosting import Host, imap_hosting
from tests.servers.dovecot import MailUser
from tests.webmail.contract.accounts import Account
from tests.webmail.contract.everything import contract_tests
from tests.webmail.imap.sessions import source_of

OF_DOVECOT = {  # they speak to its own tools
    "test_another_uidvalidity_starts_over",
    "test_a_server_started_anew_loses_nothing",
}
PASSWORD = "secret"


@dataclass
class Server:
    """Our listener, as the contract knows a server."""

    running: Host
    host: str = "localhost"

    def __post_init__(self) -> None:
        self._numbers = count(1)

    @property
    def imaps_port(self) -> int:
        return self.running.ports["imaps"]

    def add_user(self) -> MailUser:
        number = next(self._numbers)
        name = f"user{number}"
        self.running.people.names[name] = Hosted(100 + number, name, 100 + number)
        self.running.people.passwords[name] = PASSWORD
        self.running.storage.create_mailbox(name)
        return MailUser(name, PASSWORD, Path())

    def deliver(self, user: MailUser, octets: bytes, folder: str = "INBOX") -> None:
        octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        placements = [Placement(user.name, folder)]
        self.running.storage.deliver(Delivery(Content(octets, len(octets)), placements, datetime.now(UTC))).result()

    def kick(self, _user: MailUser) -> None:
        connections = self.running.servers["imaps"].connections
        for each in list(connections):
            self.running.loop.call_soon_threadsafe(each.abort)


@pytest.fixture
def context(authority) -> ssl.SSLContext:
    made: ssl.SSLContext = authority.client_context()
    return made


@pytest.fixture
def account(sql_storage, tmp_path, authority, context) -> Iterator[Account]:
    served = authority.issue().server_context()
    bus = UnixBus(tmp_path / "bus")
    with imap_hosting(
        sql_storage,
        bus,
        tmp_path / "spool",
        "imaps",
        context=lambda: served,
        limits=Limits(connections_per_address=100),
    ) as running:
        server = Server(running)
        user = server.add_user()
        one, two = (source_of(server, user, context) for _ in range(2))
        made = Account(server, user, one, two, context=context)
        yield made
        made.source.close()
        two.close()


globals().update(contract_tests(without=OF_DOVECOT))
