"""Figures of MailSite beside the rig's Dovecot: `python -m bench.hosting [--rig FOLDER] [--quick]` (P5, P6)."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import rig
from bench.host import PASSWORD, MailHost, settle
from bench.installation import cpu_s, memory_mib
from bench.report import head, row
from bench.rig import OTHER, TOOLS, Rig
from mailsite_ext.settings.values import StorageKind
from tests.servers.name_server import Zone, serve

LMTP_PORT, DOVECOT_PORT = 12024, 12143
RECEPTIONS = ((1, 4_096, 400), (10, 4_096, 1_500), (50, 4_096, 2_000), (10, 100_000, 300), (2, 10_000_000, 20))
SENDERS = Zone(
    {("example.test", "TXT"): ['"v=spf1 ip4:127.0.0.1 -all"'], ("_dmarc.example.test", "TXT"): ['"v=DMARC1; p=none"']}
)
OPERATIONS = "login,select,page,fetch,open,subject,sort,text,append"


def main() -> int:
    """Print what the listeners do in a second and how long mail clients wait, both storage engines."""
    parser = argparse.ArgumentParser(prog="python -m bench.hosting", description=__doc__)
    parser.add_argument("--rig", default="/tmp/satchel-rig", help="folder of the peers' rig, kept for the next run")
    options = parser.parse_args()
    if not rig.available():
        print("The peers' tools are not here; set SATCHEL_TOOLS to their folder.")
        return 1
    peers = Rig(Path(options.rig))
    peers.up()
    for kind in StorageKind:
        with tempfile.TemporaryDirectory(prefix="satchel-host-") as work:
            host = MailHost(Path(work), kind)
            measure_reception(host, kind)
            measure_access(host, kind, peers.folder / "mail" / OTHER.login)
    return 0


def measure_reception(host: MailHost, kind: StorageKind) -> None:
    """[P5] Messages a second, durable before 250, Dovecot's LMTP in the same minute."""
    receive(host, f"P5 reception, {kind}, nothing asked about senders", "bench.unexamined")
    with serve(SENDERS) as name_server:
        host.environment["NAME_SERVER"] = name_server
        receive(host, f"P5 reception, {kind}, SPF, DKIM, ARC and DMARC", "mailsite_ext.listeners")


def receive(host: MailHost, title: str, module: str) -> None:
    head(title, "connections", "octets", "messages/s", "MB/s", "p99 ms", "Dovecot LMTP/s", "ratio")
    with host.running("smtp", module=module) as processes:
        for connections, octets, messages in RECEPTIONS:
            peer = send(LMTP_PORT, "bench@example.test", connections, octets, messages, "--lmtp")
            ours = send(host.smtp_port, "bench@example.test", connections, octets, messages)
            settle(processes["smtp"].pid)
            ratio = ours["msgs_per_s"] / peer["msgs_per_s"]
            row(
                connections,
                octets,
                ours["msgs_per_s"],
                ours["mb_per_s"],
                ours["p99_ms"],
                peer["msgs_per_s"],
                f"{ratio:.1f}×",
            )
        print(f"CPU {cpu_s(processes['smtp'].pid):.1f} s, RSS {memory_mib(processes['smtp'].pid)[1]:.0f} MiB")


def send(port: int, recipient: str, connections: int, octets: int, messages: int, *more: str) -> dict[str, Any]:
    command = ["bench_smtp.py", "--port", str(port), "--rcpt", recipient, "--conns", str(connections)]
    found = driven([*command, "--messages", str(messages), "--size", str(octets), *more])
    assert not found[0]["errors"], found
    return found[0]


def measure_access(host: MailHost, kind: StorageKind, maildir: Path) -> None:
    """[P6] What a mail client waits for in an INBOX of 10,000, Dovecot beside it on the same messages."""
    host.fill("reader", maildir, OTHER.messages)
    head(f"P6 IMAP, {kind}", "operation", "p50 ms", "Dovecot ms", "times faster", "found", "Dovecot found")
    with host.running("imap") as processes:
        ours = access(host.imap_port, "reader@example.test", PASSWORD)
        peer = access(DOVECOT_PORT, OTHER.login, OTHER.password)
        for name, mine in ours.items():
            theirs = peer.get(name, {})
            row(
                name,
                mine["p50_ms"],
                theirs.get("p50_ms"),
                theirs["p50_ms"] / max(mine["p50_ms"], 0.01),
                mine.get("n"),
                theirs.get("n"),
            )
        print(f"RSS {memory_mib(processes['imap'].pid)[1]:.0f} MiB")


def access(port: int, user: str, password: str) -> dict[str, dict[str, Any]]:
    found = driven(["bench_imap.py", "--port", str(port), "--user", user, "--password", password, "--ops", OPERATIONS])
    return {each["op"]: each for each in found}


def driven(command: list[str]) -> list[dict[str, Any]]:
    """What a driver of the shared tools prints, a JSON object a line."""
    script, *words = command
    done = subprocess.run(
        [sys.executable, str(TOOLS / script), *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    assert not done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


if __name__ == "__main__":
    sys.exit(main())
