"""A Satchel installation in a namespace: reception, submission, IMAP and the delivery service as real processes."""

from __future__ import annotations

import imaplib
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from textwrap import wrap

from sqlalchemy import select, update

from app import runtime
from app.bus import Bell, Topic
from app.config import Config
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.users import service as users
from mailsite_ext.authentication.signing_keys import SigningKeys
from mailsite_ext.delivery.models import DeliveryAttempt, QueuedRecipient
from mailsite_ext.domains.service import ensure_mailbox
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Posture, Settings
from tests.mailsite.world.network import Namespace
from tests.servers.certificates import Authority
from tests.servers.engine import run_process, wait_for

PASSWORD = "correct horse battery"
SERVICES = {
    "smtp": ("mailsite_ext.listeners", "smtp"),
    "imap": ("mailsite_ext.listeners", "imap"),
    "delivery": ("mailsite_ext.delivery",),
}
Records = dict[tuple[str, str], list[str]]


@dataclass
class Satchel:
    """One person of `domain` has a mailbox, and PASSWORD."""

    domain: str
    person: str
    config: Config
    parts: runtime.Runtime
    here: Namespace
    client: ssl.SSLContext
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.person}@{self.domain}"

    @property
    def log(self) -> Path:
        return self.config.work_directory / "services.log"

    def records(self) -> Records:
        """What its admin publishes."""
        key = SigningKeys(self.config, self.parts.clock).keys(self.domain)[0]
        text = " ".join(f'"{piece}"' for piece in wrap(f"v=DKIM1; k=rsa; p={key.public}", 200, drop_whitespace=False))
        return host_records(self.domain, self.here.address) | {
            (f"{key.selector}._domainkey.{self.domain}", "TXT"): [text],
            (f"_dmarc.{self.domain}", "TXT"): ['"v=DMARC1; p=reject"'],
        }

    def submit(self, recipient: str, subject: str) -> None:
        """By a mail client on this machine: TLS from the first octet, then AUTH."""
        self.here.run(
            "swaks", "--server", "127.0.0.1", "--port", "465", "--tlsc", "--auth", "PLAIN",
            *("--auth-user", self.address, "--auth-password", PASSWORD, "--from", self.address, "--to", recipient),
            *("--h-From", self.address, "--h-Subject", subject, "--ehlo", "laptop.example", "--silent", "2"),
        )  # fmt: skip

    def messages(self, folder: str) -> Sequence[bytes]:
        """All of a folder over IMAP."""
        with self.here.inside(), imaplib.IMAP4_SSL("127.0.0.1", 993, ssl_context=self.client) as client:
            client.login(self.address, PASSWORD)
            if client.select(folder, readonly=True)[0] != "OK":
                return []
            found = client.fetch("1:*", "(BODY.PEEK[])")[1]
        return [part[1] for part in found if isinstance(part, tuple)]

    def wait_for_mail(self, words: str, folder: str = "INBOX") -> bytes:
        """The message with these words in it, once it has come."""
        found: list[bytes] = []

        def has_come() -> bool:
            found[:] = [message for message in self.messages(folder) if words.encode() in message]
            return bool(found)

        wait_for(has_come, f"{words!r} in {folder} of {self.address}", self.log)
        return found[0]

    def wait_for_try(self, recipient: str, tries: int = 1) -> QueuedRecipient:
        """What became of a recipient once that many tries were made."""

        def of_recipient() -> QueuedRecipient | None:
            with self.parts.public.session() as db:
                return db.scalar(
                    select(QueuedRecipient).where(
                        QueuedRecipient.address == recipient,
                        QueuedRecipient.tries >= tries,
                        QueuedRecipient.claim == "",
                    )
                )

        wait_for(of_recipient, f"a try to {recipient}", self.log)
        found = of_recipient()
        assert found
        return found

    def attempts(self, domain: str) -> Sequence[DeliveryAttempt]:
        with self.parts.public.session() as db:
            return db.scalars(select(DeliveryAttempt).where(DeliveryAttempt.domain == domain)).all()

    def let_time_pass(self, recipient: str) -> None:
        """Its wait is over, and the delivery service hears of it."""
        now = self.parts.clock.now() - timedelta(seconds=1)
        with self.parts.public.session() as db:
            db.execute(update(QueuedRecipient).where(QueuedRecipient.address == recipient).values(next_at=now))
            db.commit()
        self.parts.bus.ring(Bell(Topic.DELIVERY))


def host_records(domain: str, address: str) -> Records:
    """A domain with one mail server, which alone sends its mail."""
    return {
        (domain, "MX"): [f"10 mail.{domain}."],
        (f"mail.{domain}", "A"): [address],
        (domain, "TXT"): ['"v=spf1 mx -all"'],
    }


@contextmanager
def satchel(
    domain: str, person: str, here: Namespace, folder: Path, authority: Authority, name_server: str, posture: Posture
) -> Iterator[Satchel]:
    """`folder` has migrated databases."""
    certificate = authority.issue(f"mail.{domain}", "127.0.0.1", here.address)
    config = Config(
        work_directory=folder,
        public_url=f"https://mail.{domain}",
        name_server=name_server,
        tls_ca_file=str(authority.ca),
        tls_certificate_file=str(certificate.chain),
        tls_key_file=str(certificate.key),
        testing=True,
    )
    parts = runtime.build(config)
    made = Satchel(domain, person, config, parts, here, authority.client_context())
    try:
        _set_up(made, posture)
        with _running(made):
            yield made
    finally:
        parts.dispose()


def _set_up(made: Satchel, posture: Posture) -> None:
    with made.parts.public.session() as db:
        db.add(MailServices(id=1, mode=Mode.MAILSITE))
        settings = Settings(
            domains=(made.domain,), posture=posture, expose=True, enforce_dmarc=posture is Posture.REQUIRE
        )
        store_settings(db, settings)
        db.commit()
        user = users.create_user(db, made.address, made.person, PASSWORD, made.parts.clock.now())
        ensure_mailbox(made.parts, db, user, made.person)
    SigningKeys(made.config, made.parts.clock).generate(made.domain)


@contextmanager
def _running(made: Satchel) -> Iterator[None]:
    more = {
        "PUBLIC_URL": made.config.public_url,
        "TLS_CERTIFICATE_FILE": made.config.tls_certificate_file,
        "TLS_KEY_FILE": made.config.tls_key_file,
    }
    with ExitStack() as stack:
        for words in SERVICES.values():
            command = made.here.command([sys.executable, "-m", *words])
            process = stack.enter_context(run_process(command, made.config, made.log, **more))
            made.processes.append(process)
        for port in (25, 465, 993):
            wait_for(partial(listens, made.here, port), f"port {port} of {made.domain}", made.log)
        yield


def listens(here: Namespace, port: int) -> bool:
    """By the kernel's table of sockets: nobody has to be called for it."""
    found = False
    with suppress(OSError):
        for line in Path(f"/proc/{here.pid}/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            found = found or (local.endswith(f":{port:04X}") and state == "0A")
    return found
