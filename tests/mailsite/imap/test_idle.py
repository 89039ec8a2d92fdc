"""IDLE: what another process does is told within a second; silence ends; a stop ends it at once."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from app.bus.unix import UnixBus
from mailsite_ext.limits import Limits
from tests.mailsite.dialogs import Client
from tests.mailsite.listeners.imap_hosting import imap_hosting

DELIVERS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from app.bus.unix import UnixBus
from app.clock import SystemClock
from app.extension_api import Database
from mailsite_ext.storage.sql_mail_storage import SqlMailStorage
from mailsite_ext.storage.values import Content, Delivery, Placement
folder = Path(sys.argv[1])
database = Database(f"sqlite:///{folder}/mail.db")
storage = SqlMailStorage(database.engine, folder / "blobs", SystemClock(), UnixBus(folder / "bus"))
sys.stdin.readline()
storage.deliver(Delivery(Content(b"x: y\\r\\n\\r\\n", 8), [Placement("bob")], datetime.now(UTC))).result()
print("delivered", flush=True)
storage.close()
"""


def idling(host, opened: ExitStack) -> Client:
    client = Client(opened.enter_context(host.connect()))
    client.say(b"a LOGIN bob other\r\nb SELECT INBOX\r\nc IDLE\r\n")
    while not client.hear().startswith("+"):
        pass
    return client


@pytest.fixture
def hosting(sql_storage, tmp_path):
    return lambda **limits: imap_hosting(
        sql_storage, UnixBus(tmp_path / "bus"), tmp_path / "spool", limits=Limits(**limits)
    )


def test_a_delivery_by_another_process_is_told_within_a_second(hosting, tmp_path):
    with (
        hosting() as host,
        ExitStack() as opened,
        subprocess.Popen(
            [sys.executable, "-c", DELIVERS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other,
    ):
        client = idling(host, opened)
        other.stdin.write("now\n")
        other.stdin.flush()
        assert other.stdout.readline() == "delivered\n"
        delivered = time.monotonic()
        assert client.hear() == "* 1 EXISTS"
        assert time.monotonic() - delivered < 1
        client.say(b"DONE\r\n")
        assert client.hear() == "* 1 RECENT"
        assert client.hear().startswith("c OK")


def test_silence_ends_at_last(hosting):
    with hosting(imap_idle_s=0.2) as host, ExitStack() as opened:
        client = idling(host, opened)
        assert client.hear().startswith("* BYE")
        assert client.hear() == ""


def test_a_stop_ends_it_at_once(hosting):
    with hosting(stop_grace_s=30) as host, ExitStack() as opened:
        client = idling(host, opened)
        began = time.monotonic()
        host.stop("imap")
        assert time.monotonic() - began < 10
        assert client.hear().startswith("* BYE")


def test_other_words_than_done_are_refused(hosting):
    with hosting() as host, ExitStack() as opened:
        client = idling(host, opened)
        client.say(b"NOOP\r\nd NOOP\r\n")
        assert client.hear().startswith("c BAD")
        assert client.hear().startswith("d OK")
