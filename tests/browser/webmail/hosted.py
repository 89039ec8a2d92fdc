"""The home of seed.py as a hosted mailbox: the same letters in a real storage, mirrored by a real engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage

from sqlalchemy import func, select

from app import create_app, runtime
from app.accounts.models import MailAccount
from app.config import Config
from app.engine.engine import MailEngine
from app.engine.times import EngineTimes
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.mirror.models import Folder, Message
from app.resolver import ZoneResolver
from app.runtime import Runtime
from app.users.models import User
from mailsite_ext.domains.service import ensure_mailbox
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings
from mailsite_ext.storage import first_use
from mailsite_ext.storage.open import Storage, close_storage, open_storage
from mailsite_ext.storage.values import Content, Delivery, Placement
from tests.browser import seed
from tests.conftest import START
from tests.servers.engine import wait_for

DOMAIN = "home.example"
MAILBOX = "alice"
SETTINGS = Settings(domains=(DOMAIN,))
TIMES = EngineTimes(tick_s=0.1)


def lay_down(config: Config) -> None:
    """Alice, her mailbox and its mirror, in an installation that is empty so far; nothing runs afterwards."""
    parts = runtime.build(config, resolver=ZoneResolver({}))
    create_app(parts=parts)  # brings the extension
    with parts.public.session() as db:
        db.merge(MailServices(id=1, mode=Mode.MAILSITE))
        store_settings(db, SETTINGS)
        alice = User(email="alice@example.org", name="Alice", created_at=START)
        db.add(alice)
        db.commit()
        ensure_mailbox(parts, db, alice)
        db.scalars(select(MailAccount)).one().label = "Home"
        db.commit()
    _fill(storage_of(parts), datetime.now(UTC))
    with running_engine(config):
        wait_for(lambda: _is_mirrored(parts), "the first sync")
    close(parts)


def storage_of(parts: Runtime) -> Storage:
    return open_storage(parts, SETTINGS)


def close(parts: Runtime) -> None:
    close_storage(parts)
    parts.dispose()


@contextmanager
def running_engine(config: Config) -> Iterator[None]:
    """An engine in a thread, with databases and a bus of its own."""
    parts, ending = runtime.build(config, resolver=ZoneResolver({})), threading.Event()
    engine = MailEngine(parts, times=TIMES)
    thread = threading.Thread(target=engine.run, args=(lambda: not ending.is_set(),), name="engine")
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(20)
        parts.dispose()


def _fill(storage: Storage, now: datetime) -> None:
    first_use.ensure_mailbox(storage, MAILBOX)
    for name in seed.OWN_FOLDERS:
        if storage.find_folder(MAILBOX, name) is None:
            storage.create_folder(MAILBOX, name)
    letters = seed.written(now)
    _append(storage, "INBOX", [*reversed(seed.written_before(now)), *reversed(letters)])
    reply = replace(letters[4], name="Alice", address=f"alice@{DOMAIN}", subject="Re: Kitchen tiles")
    _append(storage, "Sent", [reply], answers=message_id(letters[4].subject))


def _append(storage: Storage, folder: str, letters: Sequence[seed.Letter], answers: str = "") -> None:
    found = storage.find_folder(MAILBOX, folder)
    assert found is not None
    contents = [(content(octets_of(letter, answers)), letter.flags, letter.received_at) for letter in letters]
    storage.append(found.id, contents).result(30)


def _is_mirrored(parts: Runtime) -> bool:
    letters = len(seed.written(START)) + seed.OLDER + 1
    with parts.public.session() as db:
        incomplete = db.scalar(select(func.count()).select_from(Folder).where(Folder.complete.is_(False)))
        return incomplete == 0 and db.scalar(select(func.count()).select_from(Message)) == letters


def content(octets: bytes) -> Content:
    octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return Content(octets, len(octets))


def deliver(storage: Storage, octets: bytes) -> None:
    """As a listener does, into the inbox."""
    placed = Delivery(content(octets), [Placement(MAILBOX, "INBOX")], datetime.now(UTC))
    storage.deliver(placed).result(30)


def message_id(subject: str) -> str:
    return f"<{''.join(char if char.isalnum() and char.isascii() else '.' for char in subject)}@letters.example>"


def octets_of(letter: seed.Letter, answers: str = "") -> bytes:
    """A letter as it is written down (RFC 5322), with what seed.py caches of it."""
    message = EmailMessage()
    message["From"] = f"{letter.name} <{letter.address}>"
    message["To"] = f"Alice <alice@{DOMAIN}>"
    message["Subject"] = letter.subject
    message["Date"] = letter.received_at
    message["Message-ID"] = message_id(letter.subject)
    if answers:
        message["In-Reply-To"] = answers
    if letter.is_html:
        message.set_content(seed.NEWSLETTER, subtype="html")
    else:
        message.set_content(seed.LETTER if letter.subject.startswith("Proofs") else letter.preview)
    if letter.has_attachment:
        message.add_attachment(b"%PDF-1.7", "application", "pdf", filename="spring-proof-2.pdf")
    return message.as_bytes()
