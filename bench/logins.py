"""What it takes when everybody signs in at once: `python -m bench.logins [--clients 1000]` (P4).

Memory is that of the IMAP listener's process: argon2 of login passwords takes 64 MiB each, SCRAM next to none.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import sys
import tempfile
import time
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from app.users import service as users
from bench.host import PASSWORD, MailHost, settle
from bench.installation import cpu_s, memory_mib
from bench.report import head, row
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.domains.service import add_app_password, ensure_mailbox
from mailsite_ext.settings.values import StorageKind

PEOPLE = 50


class Account(NamedTuple):
    login: str
    app_password: str


class Client:
    """One connection that waits for the others."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, text: str) -> bytes:
        """The next line."""
        self._writer.write(text.encode() + b"\r\n")
        return await self.hear()

    async def hear(self) -> bytes:
        return await self._reader.readline()

    def close(self) -> None:
        self._writer.close()


async def plain(client: Client, account: Account) -> bool:
    secret = b64encode(f"\0{account.login}\0{PASSWORD}".encode()).decode()
    return (await client.say(f"a AUTHENTICATE PLAIN {secret}")).startswith(b"a OK")


async def scram(client: Client, account: Account) -> bool:
    """SCRAM-SHA-256 (RFC 5802 §3), from the client's side."""
    first = f"n={account.login},r=bench"
    given = b64decode((await client.say("a AUTHENTICATE SCRAM-SHA-256 " + _octets(f"n,,{first}")))[2:]).decode()
    parts = dict(part.split("=", 1) for part in given.split(","))
    final = f"c=biws,r={parts['r']}"
    key = _client_key(account.app_password, parts["s"], int(parts["i"]))
    signature = hmac.digest(hashlib.sha256(key).digest(), f"{first},{given},{final}".encode(), "sha256")
    proof = b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
    answer = await client.say(_octets(f"{final},p={proof}"))
    return answer.startswith(b"+ ") and (await client.say("")).startswith(b"a OK")


@cache
def _client_key(password: str, salt: str, iterations: int) -> bytes:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), b64decode(salt), iterations)
    return hmac.digest(salted, b"Client Key", "sha256")


def _octets(text: str) -> str:
    return b64encode(text.encode()).decode()


WAYS: dict[str, Callable[[Client, Account], Awaitable[bool]]] = {"SCRAM app password": scram, "PLAIN password": plain}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.logins", description=__doc__)
    parser.add_argument("--clients", type=int, default=1_000)
    clients = parser.parse_args().clients
    head("logins at once", "people", "signed in", "s", "CPU s", "idle PSS MiB", "idle RSS MiB", "peak RSS MiB")
    for name in WAYS:
        with tempfile.TemporaryDirectory(prefix="satchel-logins-") as work:
            measure(MailHost(Path(work), StorageKind.FILES), name, clients)
    return 0


def measure(host: MailHost, name: str, clients: int) -> None:
    accounts = [add_person(host, number) for number in range(PEOPLE)]
    with host.running("imap") as processes:
        pid = processes["imap"].pid
        settle(pid)
        (pss, rss), used, began = memory_mib(pid), cpu_s(pid), time.perf_counter()
        done = asyncio.run(everybody(host.imap_port, name, [accounts[n % PEOPLE] for n in range(clients)]))
        taken = time.perf_counter() - began
        row(name, PEOPLE, f"{done}/{clients}", taken, cpu_s(pid) - used, pss, rss, peak_mib(pid))


def add_person(host: MailHost, number: int) -> Account:
    with host.parts.public.session() as db:
        address = f"person{number}@example.net"
        person = users.create_user(db, address, "Person", PASSWORD, host.parts.clock.now())
        ensure_mailbox(host.parts, db, person, f"person{number}")
        mailbox = db.scalars(select(Mailbox).where(Mailbox.user_id == person.id)).one()
        return Account(address, add_app_password(host.parts, db, mailbox, "bench").password)


async def everybody(port: int, name: str, accounts: list[Account]) -> int:
    """How many were let in; all are connected before the first signs in."""
    clients = [Client(*await asyncio.open_connection("127.0.0.1", port)) for _ in accounts]
    greetings = await asyncio.gather(*(client.hear() for client in clients))
    assert all(greeting.startswith(b"* OK") for greeting in greetings)
    pairs = zip(clients, accounts, strict=True)
    let_in = await asyncio.gather(*(WAYS[name](client, account) for client, account in pairs))
    for client in clients:
        client.close()
    return sum(let_in)


def peak_mib(pid: int) -> float:
    """The largest RSS of the process so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    sys.exit(main())
