"""Three hosts and their DNS: two Satchels, harbour and orchard, and a Postfix."""

from __future__ import annotations

import pwd
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mailsite_ext.settings.values import Posture
from tests.mailsite.delivery.peer import Peer, serving
from tests.mailsite.world.network import Network, need_tools, network
from tests.mailsite.world.postfix import Postfix, postfix
from tests.mailsite.world.satchel import Satchel, host_records, satchel
from tests.servers.name_server import Zone, serve


@dataclass
class World:
    """`zone` may be changed: nobody keeps answers."""

    network: Network
    zone: Zone
    harbour: Satchel  # Spam Insecure
    orchard: Satchel  # Require Secure
    postfix: Postfix
    _peers: ExitStack

    def peer(self, domain: str, peer: Peer) -> Peer:
        """A scripted server that takes the domain's mail from now on."""
        address = self.network.further_address()
        with self.network.hub.inside():
            self._peers.enter_context(serving(peer, (address, 25)))
        self.publish(host_records(domain, address))
        return peer

    def publish(self, records: dict[tuple[str, str], list[str]]) -> None:
        self.zone.records = {**self.zone.records, **records}


@pytest.fixture(scope="session")
def world(sqlite_template, authority, tmp_path_factory) -> Iterator[World]:
    need_tools()
    zone = Zone({})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="world-")))
        folder.chmod(0o755)  # Postfix and who owns its mail are other users
        net = stack.enter_context(network())
        with net.hub.inside():
            name_server = stack.enter_context(serve(zone, (net.hub.address, 53)))
        satchels = []
        for domain, person, posture in (
            ("harbour.example", "alice", Posture.SPAM),
            ("orchard.example", "bob", Posture.REQUIRE),
        ):
            shutil.copytree(sqlite_template, folder / person)
            made = satchel(domain, person, net.host(), folder / person, authority, name_server, posture)
            satchels.append(stack.enter_context(made))
        nobody = pwd.getpwnam("nobody")
        owner = (nobody.pw_uid, nobody.pw_gid)
        third = postfix("post.example", net.host(), folder / "postfix", authority, name_server, owner)
        built = World(net, zone, *satchels, stack.enter_context(third), stack)
        for records in (
            *(each.records() for each in satchels),
            host_records("post.example", built.postfix.here.address),
        ):
            built.publish(records)
        yield built
