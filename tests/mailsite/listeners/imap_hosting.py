"""IMAP listeners over a real storage, in a thread of their own; people as in hosting.py."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from app.clock import SystemClock
from app.extension_api import Bus
from mailsite_ext.imap.folder_maps import FolderMaps
from mailsite_ext.limits import Limits
from mailsite_ext.listeners import ports
from mailsite_ext.listeners.exchange_log import ExchangeLog
from mailsite_ext.listeners.imap import Access
from mailsite_ext.listeners.peers import TOO_MANY, Peers
from mailsite_ext.listeners.serve import Server
from mailsite_ext.listeners.turns import Turns
from mailsite_ext.settings.posture import ListenerRole, SignIn, TlsMode
from mailsite_ext.storage.bells import FolderBells
from mailsite_ext.storage.engine import StorageEngine
from tests.mailsite.listeners.hosting import RECEPTION, People

IMAP = replace(RECEPTION, roles=frozenset({ListenerRole.IMAP}), sign_in=SignIn.ANYBODY, sign_in_in_clear=True)
SPECS = {
    "imap": IMAP,
    "starttls": replace(IMAP, sign_in_in_clear=False),
    "imaps": replace(IMAP, tls=TlsMode.IMPLICIT, sign_in_in_clear=False),
}


@dataclass
class Host:
    """Listeners that run; `connect` opens a connection to one by its name in SPECS."""

    people: People
    storage: StorageEngine
    bells: FolderBells
    spool_folder: Path
    ports: dict[str, int]
    servers: dict[str, Server]
    loop: asyncio.AbstractEventLoop
    client_context: ssl.SSLContext | None = None

    def connect(self, name: str = "imap") -> socket.socket:
        opened = socket.create_connection(("127.0.0.1", self.ports[name]), timeout=10)
        if SPECS[name].tls is TlsMode.IMPLICIT:
            assert self.client_context is not None
            return self.client_context.wrap_socket(opened, server_hostname="localhost")
        return opened

    def stop(self, name: str) -> None:
        asyncio.run_coroutine_threadsafe(self.servers[name].stop(), self.loop).result(20)


@contextmanager
def imap_hosting(
    storage: StorageEngine,
    bus: Bus,
    folder: Path,
    *names: str,
    context: Callable[[], ssl.SSLContext] | None = None,
    client_context: ssl.SSLContext | None = None,
    limits: Limits | None = None,
    log: ExchangeLog | None = None,
) -> Iterator[Host]:
    """Listeners of these names, each on a free port."""
    limits = limits or Limits(stop_grace_s=5)
    people, bells, threads, maps = People(), FolderBells(bus), ThreadPoolExecutor(8), FolderMaps(storage)
    turns = Turns(threads, limits.imap_threads_per_mailbox)
    folder.mkdir(exist_ok=True)
    loop = asyncio.new_event_loop()
    servers, numbers, peers = {}, {}, Peers(limits, folder.with_name(f"{folder.name}-peers"))
    for name in names or ("imap",):
        access = Access(SPECS[name], limits, storage, maps, bells, people, SystemClock(), folder, turns, log)
        servers[name] = Server(access.serve, limits, peers=peers, too_many=TOO_MANY["imap"], tls=context)
        sockets = ports.bind(("127.0.0.1",), 0)
        numbers[name] = sockets[0].getsockname()[1]
        loop.run_until_complete(servers[name].listen(sockets, implicit_tls=SPECS[name].tls is TlsMode.IMPLICIT))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    host = Host(people, storage, bells, folder, numbers, servers, loop, client_context)
    try:
        yield host
    finally:
        for name in servers:
            host.stop(name)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        threads.shutdown()
        bells.close()
