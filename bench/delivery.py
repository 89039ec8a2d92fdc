"""Figures of delivery to other servers over TLS: `python -m bench.delivery [--messages N]` (P5).

One delivery process, a queue on SQLite, and a sink on loopback that does nothing but say yes.  The sink is reached as a
relay, so that no port below 1024 is needed: certificate and name are verified for each connection.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from time import monotonic

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import func, select

from app.mail_services.models import MailServices
from bench.host import MailHost, free_ports
from bench.installation import cpu_s, memory_mib, wait_until
from bench.report import head, row
from mailsite_ext.delivery import queue, relays
from mailsite_ext.delivery.models import QueuedRecipient
from mailsite_ext.delivery.queue import Submission
from mailsite_ext.delivery.relay_tls import RelayTls
from mailsite_ext.delivery.relays import Typed
from mailsite_ext.delivery.retry import Fate
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.protocol.smtp_grammar import MailFrom, RcptTo
from mailsite_ext.settings.values import StorageKind

ROUNDS = ((1, 4_096), (10, 4_096), (50, 4_096), (10, 100_000))  # destinations, octets of a message
LONGEST_S = 300
LARGEST_OCTETS = 1_000_000  # of a message the sink reads
EHLO = b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
REPLIES = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n", b"EHLO": EHLO}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.delivery", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000)
    options = parser.parse_args()
    head("delivery over TLS: destinations", "octets", "messages/s", "CPU ms/message", "RSS MiB")
    for destinations, octets in ROUNDS:
        with tempfile.TemporaryDirectory(prefix="satchel-out-") as work:
            measure(Path(work), destinations, octets, options.messages)
    return 0


def measure(work: Path, destinations: int, octets: int, messages: int) -> None:
    chain, key = make_certificate(work)
    (port,) = free_ports(1)
    host = MailHost(work / "var", StorageKind.FILES)
    set_up(host, port)
    fill(host, destinations, octets, messages)
    host.environment["TLS_CA_FILE"] = str(chain)
    with sinking(chain, key, port), delivering(host) as process:
        wait_until(lambda: delivered(host) > 0, 60)
        first, begun, used_s = delivered(host), monotonic(), cpu_s(process.pid)
        wait_until(lambda: delivered(host) == messages, LONGEST_S)
        took_s, cpu = monotonic() - begun, cpu_s(process.pid) - used_s
        rest = messages - first
        row(destinations, octets, rest / took_s, cpu / rest * 1000, memory_mib(process.pid)[1])


def set_up(host: MailHost, port: int) -> None:
    with host.parts.public.session() as db:
        db.get_one(MailServices, 1).private_hosts = "127.0.0.1"
        db.commit()
        relays.add(db, host.parts.vault, Typed("", "127.0.0.1", port, RelayTls.IMPLICIT, "", ""), datetime.now(UTC))


def fill(host: MailHost, destinations: int, octets: int, messages: int) -> None:
    line = b"x" * 76 + b"\r\n"
    message = b"Subject: bench\r\n\r\n" + line * (octets // len(line))
    sender = MailFrom(Address("bench", "example.test"))
    with host.parts.public.session() as db:
        for number in range(messages):
            rcpt = RcptTo(Address("bob", f"d{number % destinations}.example"))
            queue.enqueue(db, Submission(f"bench:{number}", "bench", sender, [rcpt]), [message], datetime.now(UTC))


def delivered(host: MailHost) -> int:
    with host.parts.public.session() as db:
        done = select(func.count()).select_from(QueuedRecipient).where(QueuedRecipient.fate == Fate.DELIVERED)
        return db.scalar(done) or 0


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Of the sink, good for a day; it is its own authority."""
    private = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
    builder = builder.not_valid_after(now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = builder.add_extension(names, critical=False).sign(private, hashes.SHA256())
    chain, key = folder / "sink.pem", folder / "sink.key"
    chain.write_bytes(signed.public_bytes(Encoding.PEM))
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, key


@contextmanager
def delivering(host: MailHost) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "mailsite_ext.delivery"], env=host.environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@contextmanager
def sinking(chain: Path, key: Path, port: int) -> Iterator[None]:
    """A process of its own, so that its work is not counted."""
    sink = multiprocessing.get_context("spawn").Process(target=serve, args=(chain, key, port), daemon=True)
    sink.start()
    try:
        wait_until(lambda: listens(port), 30)
        yield
    finally:
        sink.terminate()
        sink.join()


def listens(port: int) -> bool:
    with socket.socket() as link:
        return link.connect_ex(("127.0.0.1", port)) == 0


def serve(chain: Path, key: Path, port: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    asyncio.run(_serve(context, port))


async def _serve(context: ssl.SSLContext, port: int) -> None:
    async with await asyncio.start_server(_converse, "127.0.0.1", port, ssl=context, limit=LARGEST_OCTETS) as server:
        await server.serve_forever()


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Yes to everything; a message is read to its end and thrown away."""
    writer.write(b"220 sink\r\n")
    while line := await reader.readline():
        verb = line.strip().upper()[:4]
        writer.write(REPLIES.get(verb, b"250 ok\r\n"))
        if verb == b"DATA":
            await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 taken\r\n")
        if verb == b"QUIT":
            break
    writer.close()


if __name__ == "__main__":
    sys.exit(main())
