"""Run the benchmarks: `make bench`, or `python -m bench [--rig FOLDER] [--runs N] [--rtt 0,40,80] [--no-peer]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from app.accounts.endpoint import Tls
from bench import rig
from bench.installation import BASE, PERSON, Installation, cpu_s, installed, memory_mib, wait_until
from bench.report import head, percentile, row, time_ms
from bench.rig import BIG, IMAPS_BY_PROXY, IMAPS_DIRECT, OTHER, ROUNDCUBE, SMALL, Mailbox, Rig
from bench.satchel import Browser
from demo.installation import Server
from demo.smtp import SmtpServer


def main() -> int:
    """Print every figure of an external account, Satchel's beside Roundcube's."""
    options = parse_options()
    if not rig.available():
        print("The peers' tools are not here; set SATCHEL_TOOLS to their folder.")
        return 1
    peers = Rig(Path(options.rig))
    peers.up()
    peers.set_rtt(0)
    with tempfile.TemporaryDirectory(prefix="satchel-bench-") as work, installed(Path(work), peers.certificate) as site:
        browser = Browser(peers.driver, BASE, PERSON.email, PERSON.password)  # who adds an account has signed in
        account_id = measure_first_sync(site, peers)
        measure_pages(site, peers, browser, account_id, options)
        measure_load(site, peers, account_id)
        measure_beside_sync(site, browser, account_id, options.runs)
        print_memory(site)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rig", default="/tmp/satchel-rig", help="folder of the peers' rig, kept for the next run")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--rtt", default="0,40,80", help="round-trip times to the mail server, ms")
    parser.add_argument("--no-peer", action="store_true", help="without Roundcube")
    return parser.parse_args()


def server_of(mailbox: Mailbox, imap_port: int) -> Server:
    """The mailbox on the rig's Dovecot; sending is not measured, so any submission server that knows the login does."""
    smtp = SmtpServer(lambda _octets, _at: None, mailbox.login, mailbox.password, 0)
    threading.Thread(target=smtp.serve_forever, daemon=True).start()
    return Server(imap_port, smtp.port, mailbox.login, mailbox.password, Tls.IMPLICIT)


def measure_first_sync(site: Installation, peers: Rig) -> int:
    """[P3] From adding the account to the newest 50 on screen, and to all headers stored."""
    turns = turns_to_newest(site, peers)
    account_id = site.add(f"{BIG.login}@example.test", server_of(BIG, IMAPS_BY_PROXY))
    begun = time.perf_counter()
    wait_until(lambda: site.mirrored(account_id) >= 50, 60)
    first_s = time.perf_counter() - begun
    wait_until(lambda: site.is_complete(account_id), 600)
    whole_s = time.perf_counter() - begun
    count = site.mirrored(account_id)
    head("P3 first sync", "newest 50 after", "turns", "all headers after", "messages", "messages/s", "octets a message")
    row(
        "Satchel",
        f"{first_s * 1000:.0f} ms",
        turns,
        f"{whole_s:.1f} s",
        count,
        count / whole_s,
        site.database_octets() // count,
    )
    return account_id


def turns_to_newest(site: Installation, peers: Rig, rtt: int = 80) -> float:
    """How many times the way to the server and back a person waits for the newest 50 of an account just added."""
    peers.set_rtt(rtt)
    account_id = site.add(f"{SMALL.login}@example.test", server_of(SMALL, IMAPS_BY_PROXY))
    waited_s = wait_until(lambda: site.mirrored(account_id) >= 50, 60)
    peers.set_rtt(0)
    return waited_s * 1000 / rtt


def measure_pages(
    site: Installation, peers: Rig, browser: Browser, account_id: int, options: argparse.Namespace
) -> None:
    """[P1], [P2] at each distance, Roundcube beside in the same run."""
    inbox = site.inbox(account_id)
    head("warm, 50,000 messages", "RTT ms", "p50 ms", "p95 ms", "times Roundcube")
    for number, rtt in enumerate(map(int, options.rtt.split(","))):
        peers.set_rtt(rtt)
        peer = {} if options.no_peer else roundcube(peers, options.runs // 4, rtt)
        measure_distance(browser, inbox, rtt, number, options.runs, peer)
    peers.set_rtt(0)


def measure_distance(browser: Browser, inbox: int, rtt: int, number: int, runs: int, peer: Mapping[str, float]) -> None:
    """List and open at one distance; each distance opens messages that no other has opened before."""
    ids = browser.older_page(inbox, 10 + number)
    unopened = iter(ids[:40])
    print_row("list, whole page (P1)", rtt, time_ms(lambda: browser.list_page(inbox), runs), peer.get("list"))
    print_row("list, rows only", rtt, time_ms(lambda: browser.list_page(inbox, whole=False), runs), peer.get("list"))
    not_fetched = time_ms(lambda: browser.open_message(inbox, next(unopened)), 30)
    print_row("open, not fetched before (P2)", rtt, not_fetched, peer.get("open"))
    fetched = time_ms(lambda: browser.open_message(inbox, ids[0]), runs)
    print_row("open, fetched (P2)", rtt, fetched, peer.get("open"))


def roundcube(peers: Rig, runs: int, rtt: int) -> dict[str, float]:
    """Roundcube's p50 of the same operations, ms."""
    peer = peers.driver.Roundcube(ROUNDCUBE, BIG.login, BIG.password)
    peer.login()
    ids = iter(peer.list_page("INBOX")[20:])
    operations: dict[str, Callable[[], object]] = {
        "list": lambda: peer.list_page("INBOX"),
        "open": lambda: peer.open_message("INBOX", next(ids)),
    }
    found = {name: percentile(time_ms(operation, runs), 0.5) for name, operation in operations.items()}
    for name, value in found.items():
        row(f"Roundcube, {name}", rtt, value, "", "1×")
    peer.close()
    return found


def print_row(name: str, rtt: int, taken: list[float], peer_ms: float | None) -> None:
    p50 = percentile(taken, 0.5)
    row(name, rtt, p50, percentile(taken, 0.95), f"{peer_ms / p50:.0f}×" if peer_ms else "")


def measure_load(site: Installation, peers: Rig, account_id: int, seconds: float = 6.0) -> None:
    """[P4] Lists a second by one and by eight browsers at once.

    The browsers take their part of the machine's cores; what a worker's core would serve is said by its CPU time.
    """
    inbox = site.inbox(account_id)
    head(
        "P4 list under load",
        "sessions",
        "requests/s",
        "p50 ms",
        "p95 ms",
        "CPU ms a request",
        "a worker's core a second",
    )
    for sessions in (1, 8):
        taken: list[float] = []
        browsers = [Browser(peers.driver, BASE, PERSON.email, PERSON.password) for _ in range(sessions)]
        web = site.processes()["web"]
        begun_s = sum(map(cpu_s, web))
        end = time.perf_counter() + seconds
        threads = [threading.Thread(target=keep_listing, args=(browser, inbox, end, taken)) for browser in browsers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        each_ms = (sum(map(cpu_s, web)) - begun_s) * 1000 / len(taken)
        speeds = (len(taken) / seconds, percentile(taken, 0.5), percentile(taken, 0.95))
        row("Satchel", sessions, *speeds, each_ms, 1000 / each_ms)


def keep_listing(browser: Browser, inbox: int, end: float, taken: list[float]) -> None:
    while (begun := time.perf_counter()) < end:
        browser.list_page(inbox)
        taken.append((time.perf_counter() - begun) * 1000)


def measure_beside_sync(site: Installation, browser: Browser, account_id: int, runs: int) -> None:
    """[P1] while another account does its first sync."""
    inbox = site.inbox(account_id)
    idle = time_ms(lambda: browser.list_page(inbox), runs)
    other = site.add(f"{OTHER.login}@example.test", server_of(OTHER, IMAPS_DIRECT))
    wait_until(lambda: site.mirrored(other) > 0, 60)
    beside: list[float] = []
    while not site.is_complete(other) and len(beside) < 2000:
        beside += time_ms(lambda: browser.list_page(inbox), 5)
    head("P1 beside another account's first sync", "runs", "p50 ms", "p95 ms", "p95 against idle")
    row("idle", len(idle), percentile(idle, 0.5), percentile(idle, 0.95), 1)
    ratio = percentile(beside, 0.95) / percentile(idle, 0.95)
    row("beside it", len(beside), percentile(beside, 0.5), percentile(beside, 0.95), f"{ratio:.1f}×")


def print_memory(site: Installation) -> None:
    """[P4] Memory of each process."""
    head("memory", "PSS MiB", "RSS MiB")
    for kind, pids in site.processes().items():
        for pid in pids:
            row(kind, *memory_mib(pid))


if __name__ == "__main__":
    sys.exit(main())
