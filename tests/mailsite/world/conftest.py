"""Three hosts and their DNS: two Satchels, harbour and orchard, and a Postfix."""

from __future__ import annotations

import pwd
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mailsite_ext.settings.values import Posture
from tests.mailsite.delivery.peer import Peer, serving
from tests.mailsite.world.network import Network, need_tools, network
from tests.mailsite.world.postfix import Postfix, postfix
from tests.mailsite.world.satchel import Satchel, host_records, satchel
from tests.mailsite.world.stripper import stripping
from tests.servers import http
from tests.servers.certificates import Authority
from tests.servers.http import Reply, WebServer
from tests.servers.name_server import Zone, serve


@dataclass
class World:
    """`zone` may be changed: nobody keeps answers."""

    network: Network
    zone: Zone
    harbour: Satchel  # Spam Insecure
    orchard: Satchel  # Require Secure, Enforce DMARC
    postfix: Postfix
    authority: Authority
    stack: ExitStack

    def peer(self, domain: str, peer: Peer, port: int = 25) -> Peer:
        """A scripted server that takes the domain's mail from now on."""
        address = self.network.further_address()
        with self.network.hub.inside():
            self.stack.enter_context(serving(peer, (address, port)))
        self.publish(host_records(domain, address))
        return peer

    def policy(self, domain: str, mode: str) -> WebServer:
        """The domain's MTA-STS policy, which names its one server."""
        address, name = self.network.further_address(), f"mta-sts.{domain}"
        with self.network.hub.inside():
            web = self.stack.enter_context(http.serve(self.authority.issue(name), address=(address, 443)))
        text = f"version: STSv1\r\nmode: {mode}\r\nmx: mail.{domain}\r\nmax_age: 86400\r\n"
        web.pages["/.well-known/mta-sts.txt"] = Reply(200, text.encode(), {"Content-Type": "text/plain"})
        self.publish({(name, "A"): [address], (f"_mta-sts.{domain}", "TXT"): ['"v=STSv1; id=1;"']})
        return web

    @contextmanager
    def stripped(self, satchel: Satchel) -> Iterator[None]:
        """Somebody stands before the server and takes STARTTLS away."""
        name, address = f"mail.{satchel.domain}", self.network.further_address()
        with stripping(self.network.hub, address, satchel.here.address):
            self.publish({(name, "A"): [address]})
            try:
                yield
            finally:
                self.publish({(name, "A"): [satchel.here.address]})

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
        harbour, orchard = satchels
        built = World(net, zone, harbour, orchard, stack.enter_context(third), authority, stack)
        for records in (
            *(each.records() for each in satchels),
            host_records("post.example", built.postfix.here.address),
        ):
            built.publish(records)
        yield built
        for process in (*harbour.processes, *orchard.processes):  # each finishes what it is at: all at once
            process.terminate()
