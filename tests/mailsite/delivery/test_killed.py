"""Delivery processes, real ones, killed at the worst moments: nothing is lost, and one way alone sends twice (X4).

They reach the peer as a relay, so that no port below 1024 is needed; what happens to a message is the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from mailsite_ext.delivery import fates, queue, relays, suppression
from mailsite_ext.delivery.models import DeliveryAttempt, QueuedRecipient
from mailsite_ext.delivery.queue import Submission
from mailsite_ext.delivery.relay_tls import RelayTls
from mailsite_ext.delivery.relays import Typed
from mailsite_ext.delivery.retry import Fate
from mailsite_ext.domains import service
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.protocol.smtp_grammar import MailFrom, RcptTo
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings
from mailsite_ext.storage.open import close_storage, open_storage
from mailsite_ext.storage.values import Column
from tests.mailsite.delivery.peer import Peer, serving

ROOT = Path(__file__).parents[3]
DEADLINE_S = 30.0
MANY, DOMAINS = 40, 8

pytestmark = pytest.mark.timeout(240)


class Installation:
    """A queue, a peer that all of it goes to, and delivery processes."""

    def __init__(self, config, parts, authority, stack, folder):
        self.parts, self.stack, self.folder = parts, stack, folder
        self.held = threading.Event()  # the peer waits where it was told to
        self.goes_on = threading.Event()
        self.hold_at = ""
        tls = authority.issue("127.0.0.1").server_context()
        self.peer = stack.enter_context(serving(Peer(tls=tls, features=("8BITMIME",), before=self.before)))
        self.environment = {
            **os.environ,
            "WORK_DIRECTORY": str(config.work_directory),
            "DATABASE_URL": config.database_url,
            "PRIVATE_DATABASE_URL": config.private_database_url,
            "TLS_CA_FILE": str(authority.ca),
            "PYTHONUNBUFFERED": "1",
        }
        with parts.public.session() as db:
            db.add(MailServices(id=1, mode=Mode.MAILSITE, private_hosts="127.0.0.1"))
            db.commit()
            there = Typed("", "127.0.0.1", self.peer.port, RelayTls.STARTTLS, "", "")
            relays.add(db, parts.vault, there, datetime.now(UTC))

    def before(self, command):
        if self.hold_at and command.startswith(self.hold_at):
            self.hold_at = ""
            self.held.set()
            self.goes_on.wait(DEADLINE_S)

    def take(self, *addresses):
        sender = MailFrom(Address("ada", "here.example"))
        with self.parts.public.session() as db:
            for address in addresses:
                message = f"Subject: {address}\r\n\r\nTea\r\n".encode()
                rcpt = RcptTo(Address(*address.split("@")))
                queue.enqueue(db, Submission(f"ada:{address}", "ada", sender, [rcpt]), [message], datetime.now(UTC))

    def start(self):
        number = len(list(self.folder.glob("delivery-*.log")))
        with (self.folder / f"delivery-{number}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "mailsite_ext.delivery"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        self.stack.callback(kill, process)
        return process

    def log(self):
        return "".join(path.read_text("utf-8") for path in sorted(self.folder.glob("delivery-*.log")))

    def said(self):
        with self.parts.public.session() as db:
            return "\n".join(db.scalars(select(DeliveryAttempt.transcript)))

    def wait_for(self, holds, what):
        until_s = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < until_s, f"{what}: it never happened\n{self.log()}\n{self.said()}"
            threading.Event().wait(0.05)

    def fates(self):
        with self.parts.public.session() as db:
            return Counter(db.scalars(select(QueuedRecipient.fate)))

    def claims_end(self):
        """As an hour later."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        with self.parts.public.session() as db:
            held = update(QueuedRecipient).where(QueuedRecipient.claim != "")
            db.execute(held.values(claimed_until=past, next_at=past))
            db.commit()

    @contextmanager
    def nobody_commits(self):
        """The database takes no writes of others."""
        with self.parts.public.engine.connect() as link:
            is_sqlite = link.dialect.name == "sqlite"
            link.execute(text("UPDATE mailsite_queued_message SET token = token" if is_sqlite else
                              "LOCK TABLE mailsite_delivery_attempt, mailsite_queued_recipient"))  # fmt: skip
            yield
            link.rollback()


def kill(process):
    process.kill()
    process.wait()


@pytest.fixture
def here(config, parts, authority, tmp_path):
    with ExitStack() as stack:
        made = Installation(config, parts, authority, stack, tmp_path)
        yield made
        made.goes_on.set()


@pytest.mark.parametrize("moment", ["RCPT", "."])
def test_killed_before_the_answer_it_is_sent_once(here, moment):
    here.hold_at = moment
    here.take("bob@there.example")
    first = here.start()
    here.wait_for(here.held.is_set, "the peer is asked")
    kill(first)
    here.goes_on.set()
    here.wait_for(lambda: here.peer.open == 0, "the peer sees that it is gone")
    assert here.fates() == {Fate.WAITING: 1}
    taken_before = len(here.peer.messages)
    here.claims_end()
    here.start()
    here.wait_for(lambda: here.fates() == {Fate.DELIVERED: 1}, "another delivers it")
    assert len(here.peer.messages) == taken_before + 1
    assert "bob@there.example broke off and is tried again: it may arrive twice" in here.log()


def test_killed_between_250_and_the_commit_it_is_sent_again_and_said(here):
    here.hold_at = "."
    here.take("bob@there.example")
    first = here.start()
    here.wait_for(here.held.is_set, "the peer is asked")
    with here.nobody_commits():
        here.goes_on.set()
        here.wait_for(lambda: "QUIT" in here.peer.commands, "it has heard the 250")
        kill(first)
    assert here.fates() == {Fate.WAITING: 1}
    here.claims_end()
    second = here.start()
    here.wait_for(lambda: here.fates() == {Fate.DELIVERED: 1}, "another delivers it")
    assert len(here.peer.messages) == 2
    assert "bob@there.example broke off and is tried again: it may arrive twice" in here.log()
    kill(second)
    here.claims_end()
    here.take("eve@there.example")
    here.start()
    here.wait_for(lambda: here.fates() == {Fate.DELIVERED: 2}, "the next one is delivered")
    assert len(here.peer.messages) == 3, "what was written down is never sent again"


def test_two_processes_on_one_queue_send_each_message_once(here):
    addresses = [f"u{number}@there{number % DOMAINS}.example" for number in range(MANY)]
    here.take(*addresses)
    processes = [here.start() for _ in range(2)]
    here.wait_for(lambda: here.fates() == {Fate.DELIVERED: MANY}, "all are delivered")
    assert all(process.poll() is None for process in processes), here.log()
    sent = Counter(message.partition(b"\r\n")[0].decode() for message in here.peer.messages)
    assert sent == Counter(f"Subject: {address}" for address in addresses)
    assert "twice" not in here.log()


def test_who_sent_what_is_refused_has_the_notice_in_the_inbox_and_sees_it(app, here, parts, alice):
    with parts.public.session() as db:
        store_settings(db, Settings(domains=("here.example",)))
        db.commit()
        mailbox = service.ensure_mailbox(parts, db, alice, "ada")
        mailbox.created_at = datetime.now(UTC)  # the processes live in real time
        db.commit()
    here.peer.answers["RCPT"] = "550 5.1.1 no such user"
    here.take("bob@there.example")
    here.start()
    storage = open_storage(parts, Settings(domains=("here.example",)))
    storage.create_mailbox("ada")
    inbox = storage.find_folder("ada", "INBOX")
    here.wait_for(lambda: list(storage.rows(inbox.id, (Column.UID,))), "the notice is there")
    [(uid,)] = storage.rows(inbox.id, (Column.UID,))
    with storage.open_message(inbox.id, uid) as stored:
        notice = stored.read(0, stored.size_octets)
    assert b"Final-Recipient: rfc822; bob@there.example\r\nAction: failed\r\nStatus: 5.1.1" in notice
    with parts.public.session() as db:
        [sent] = fates.list_sent(db, mailbox, None).sent
        assert [(each.fate, each.words) for each in sent.recipients] == [(Fate.FAILED, "5.1.1 no such user")]
        [(bounced, _)] = suppression.list_bounced(db, datetime.now(UTC))
        assert bounced.address == "bob@there.example"
    close_storage(parts)
