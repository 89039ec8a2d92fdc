"""What a process is made of: one value, built once from the configuration, for web, engine and command line alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.bus import Bus
from app.bus.unix import UnixBus
from app.clock import Clock, SystemClock
from app.config import Config
from app.db import Database
from app.resolver import DnsResolver, Resolver
from app.vault.keyring import open_vault
from app.vault.secretbox import Vault

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True)
class Runtime:
    """The adapters behind the seams.  Tests build one with a fake clock and a zone-as-dict resolver."""

    config: Config
    public: Database
    private: Database
    bus: Bus
    clock: Clock
    resolver: Resolver
    vault: Vault

    def dispose(self) -> None:
        self.bus.close()
        self.public.dispose()
        self.private.dispose()


def build(config: Config, *, clock: Clock | None = None, resolver: Resolver | None = None) -> Runtime:
    """The real adapters for `config`; a clock or resolver passed in takes the real one's place."""
    config.work_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    public = Database(config.public_database)
    private = Database(config.private_database, pool_size=2)
    return Runtime(
        config=config,
        public=public,
        private=private,
        bus=_bus_for(config, public),
        clock=clock or SystemClock(),
        resolver=resolver or DnsResolver(config.name_server),
        vault=open_vault(private),
    )


def _bus_for(config: Config, public: Database) -> Bus:
    if public.is_sqlite:
        return UnixBus(config.work_directory / "bus")
    from app.bus.postgres import PostgresBus  # psycopg: 9 MiB, for those who use it

    return PostgresBus(public.url.set(drivername="postgresql").render_as_string(hide_password=False))


def init_app(app: Flask, runtime: Runtime) -> None:
    app.extensions["satchel"] = runtime


def runtime() -> Runtime:
    """The runtime of the current app."""
    from flask import current_app  # listeners, which are no web application, load no Flask

    found: Runtime = current_app.extensions["satchel"]
    return found
