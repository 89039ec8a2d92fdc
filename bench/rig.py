"""The rig the figures are taken on: a Dovecot with large mailboxes, a latency proxy, Roundcube; all on loopback.

The drivers and the rig's script are not part of the project and are used in place: `SATCHEL_TOOLS` names their folder.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

TOOLS = Path(os.environ.get("SATCHEL_TOOLS", Path(__file__).resolve().parent.parent.parent / "shared" / "tools"))
IMAPS_BY_PROXY, CONTROL = 13993, 13999
IMAPS_DIRECT, SMTP = 12993, 12025
ROUNDCUBE = "http://127.0.0.1:12080"


@dataclass(frozen=True)
class Mailbox:
    """A user of the rig's Dovecot and the messages in their INBOX."""

    login: str
    messages: int
    password: str = "pw"


BIG, OTHER, SMALL = Mailbox("user1", 50_000), Mailbox("user2", 10_000), Mailbox("user3", 200)


class Rig:
    """Brought up by the shared script, in `folder`; kept for the next run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.driver: ModuleType = load("bench_webmail")
        self.meter: ModuleType = load("rigmeter")

    def up(self) -> None:
        """Install and start everything the peers need (minutes the first time, seconds later)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "up.log").open("w") as log:
            subprocess.run(
                ["bash", str(TOOLS / "rig_up.sh")],
                env={**os.environ, "RIG": str(self.folder)},
                stdout=log,
                stderr=log,
                check=True,
            )

    def set_rtt(self, milliseconds: int) -> None:
        self.driver.control(CONTROL, f"rtt {milliseconds}")

    @property
    def certificate(self) -> Path:
        return self.folder / "cert.pem"


def load(name: str) -> ModuleType:
    """A driver of the shared tools, as a module."""
    if str(TOOLS) not in sys.path:
        sys.path.insert(0, str(TOOLS))
    return importlib.import_module(name)


def available() -> bool:
    return (TOOLS / "bench_webmail.py").exists()
