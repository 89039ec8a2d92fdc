"""A soak of the mail host: `python -m bench.soak [--minutes 10] [--engine files|sql]`.

Senders record what got 250; listeners are killed with SIGKILL at random and started again; in the end readers look
whether all of it is in the mailbox, once, octet for octet.
"""

from __future__ import annotations

import argparse
import hashlib
import imaplib
import os
import random
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from bench.host import PASSWORD, MailHost
from bench.report import head, row
from mailsite_ext.settings.values import StorageKind

SENDERS = 6
READERS = 2
SIZES, SHARES = (300, 4_000, 60_000, 400_000), (40, 45, 12, 3)
PAUSES_S = (0.5, 5.0)


class Soak:
    """What was promised, and how often somebody was killed."""

    def __init__(self, host: MailHost, seed: int) -> None:
        self.host = host
        self.promised: dict[str, str] = {}  # Message-ID → SHA-256 of the body
        self.unsure: set[str] = set()  # sent, and no answer heard: may be there once, or not
        self.kills: Counter[str] = Counter()
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, seconds: float) -> None:
        """Send, read and kill for `seconds`, then let it come to rest."""
        for name in ("smtp", "imap"):
            self._running[name] = self.host.start(name)
        workers = [threading.Thread(target=self._send, args=(number,)) for number in range(SENDERS)]
        workers += [threading.Thread(target=self._read) for _ in range(READERS)]
        for worker in workers:
            worker.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self._random.uniform(*PAUSES_S))
            self._kill(self._random.choice(("smtp", "smtp", "imap")))
        self.over.set()
        for worker in workers:
            worker.join()

    def _kill(self, name: str) -> None:
        self._running[name].send_signal(signal.SIGKILL)
        self._running[name].wait()
        self.kills[name] += 1
        self._running[name] = self.host.start(name)

    def stop(self) -> None:
        for process in self._running.values():
            process.terminate()
            process.wait(30)

    def _send(self, number: int) -> None:
        chance, sent = random.Random(number), 0
        while not self.over.is_set():
            with (
                suppress(OSError, smtplib.SMTPException),
                smtplib.SMTP("127.0.0.1", self.host.smtp_port, timeout=20) as client,
            ):
                while not self.over.is_set():
                    sent += 1
                    self._send_one(client, f"{number}.{sent}@soak.example", chance)
            time.sleep(0.1)

    def _send_one(self, client: smtplib.SMTP, message_id: str, chance: random.Random) -> None:
        body = (chance.randbytes(chance.choices(SIZES, SHARES)[0] // 2).hex() + "\r\n").encode()
        body = b"\r\n".join(body[at : at + 76] for at in range(0, len(body) - 2, 76)) + b"\r\n"
        message = f"From: a@soak.example\r\nSubject: soak\r\nMessage-ID: <{message_id}>\r\n\r\n".encode() + body
        with self._lock:
            self.unsure.add(message_id)
        client.sendmail("a@soak.example", ["bench@example.test"], message)
        with self._lock:
            self.unsure.discard(message_id)
            self.promised[message_id] = hashlib.sha256(body).hexdigest()

    def _read(self) -> None:
        """A mail client that looks, flags and copies meanwhile: it must never see a fault."""
        while not self.over.is_set():
            with suppress(OSError, imaplib.IMAP4.abort):
                client = imaplib.IMAP4("127.0.0.1", self.host.imap_port, timeout=20)
                if _signs_in(client):
                    self._look(client)
            time.sleep(0.1)

    def _look(self, client: imaplib.IMAP4) -> None:
        while not self.over.is_set():
            _ok, (count,) = client.select()
            if count != b"0":
                client.fetch("1:*", "(UID FLAGS)")
                client.store("1", "+FLAGS", "(\\Flagged)")
            time.sleep(0.2)

    def found(self) -> Iterable[tuple[str, str]]:
        """Message-ID and body digest of everything in the mailbox."""
        client = imaplib.IMAP4("127.0.0.1", self.host.imap_port, timeout=60)
        client.login("bench@example.test", PASSWORD)
        _ok, (count,) = client.select(readonly=True)
        for number in range(1, int(count or 0) + 1):
            _ok, parts = client.fetch(str(number), "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)] BODY.PEEK[TEXT])")
            field, body = parts[0][1], parts[1][1]  # type: ignore[index]  # two literals
            yield field.decode().partition("<")[2].partition(">")[0], hashlib.sha256(body).hexdigest()
        client.logout()


def _signs_in(client: imaplib.IMAP4) -> bool:
    """False: too many sign in at this moment (RFC 9051 §7.1, LIMIT), which a busy machine may say."""
    try:
        client.login("bench@example.test", PASSWORD)
    except imaplib.IMAP4.error as error:
        if "[LIMIT]" in str(error):
            return False
        raise
    return True


def judge(soak: Soak, found: Counter[tuple[str, str]]) -> list[str]:
    """Everything that is not as promised; empty: all of it is there, once."""
    ids = Counter(message_id for message_id, _digest in found.elements())
    faults = [f"{key} is not there" for key in soak.promised if not ids[key]]
    faults += [f"{key} is there {count} times" for key, count in ids.items() if count > 1]
    faults += [f"{key} is changed" for key, digest in soak.promised.items() if ids[key] and not found[key, digest]]
    known = soak.promised.keys() | soak.unsure
    return faults + [f"{key} came from nowhere" for key in ids if key not in known]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--engine", choices=[kind.value for kind in StorageKind], default="files")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="satchel-soak-") as work:
        soak = Soak(MailHost(Path(work), StorageKind(options.engine)), options.seed)
        soak.run(options.minutes * 60)
        time.sleep(5)
        found = Counter(soak.found())
        soak.stop()
        faults = judge(soak, found)
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "mailsite", "verify"]
        verified = subprocess.run(command, env={**os.environ, **soak.host.environment}, check=False).returncode
    head("soak", "minutes", "promised", "unsure", "found", "killed", "faults", "verify")
    row(
        options.engine,
        options.minutes,
        len(soak.promised),
        len(soak.unsure),
        found.total(),
        dict(soak.kills),
        len(faults),
        verified,
    )
    print("\n".join(faults[:20]))
    return 1 if faults or verified else 0


if __name__ == "__main__":
    sys.exit(main())
