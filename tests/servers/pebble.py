"""Pebble, a certificate authority for tests of ACME: on loopback, with its own root, gone afterwards.

It verifies by fetching http://<name>:<http_port>/…, and looks names up at `name_server`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.certificates import Authority

PROGRAM = "/usr/bin/pebble"
START_DEADLINE_S = 20.0


@dataclass(frozen=True)
class Pebble:
    port: int
    log: Path

    @property
    def directory(self) -> str:
        return f"https://localhost:{self.port}/dir"


@contextmanager
def serve(authority: Authority, folder: Path, name_server: str, http_port: int, **environment: str) -> Iterator[Pebble]:
    """Issue certificates until the block is left; `environment` is Pebble's own, such as PEBBLE_WFE_NONCEREJECT."""
    if not shutil.which(PROGRAM):
        pytest.skip("pebble is not installed: certificates by ACME are not tested")
    issued, port = authority.issue("localhost"), _free_port()
    (folder / "pebble.json").write_text(
        json.dumps(
            {
                "pebble": {
                    "listenAddress": f"127.0.0.1:{port}",
                    "managementListenAddress": f"127.0.0.1:{_free_port()}",
                    "certificate": str(issued.chain),
                    "privateKey": str(issued.key),
                    "httpPort": http_port,
                    "tlsPort": 1,
                }
            }
        )
    )
    pebble, defaults = Pebble(port, folder / "pebble.log"), {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}
    command = [PROGRAM, "-config", str(folder / "pebble.json"), "-dnsserver", name_server]
    with pebble.log.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **defaults, **environment})
        try:
            _wait_for(pebble, process)
            yield pebble
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(pebble: Pebble, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", pebble.port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(pebble.log.read_text())
