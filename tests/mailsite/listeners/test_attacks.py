"""What one client does that must not be felt by the others, or outlast its welcome."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.bus.unix import UnixBus
from mailsite_ext.imap import searching
from mailsite_ext.limits import Limits
from mailsite_ext.listeners.turns import Turns
from tests.mailsite.dialogs import Client
from tests.mailsite.listeners.hosting import hosting
from tests.mailsite.listeners.imap_hosting import imap_hosting

DEADLINE_S = 10.0


def until(client: Client, begin: str) -> None:
    while not (line := client.hear()).startswith(begin):
        assert line, f"the server hung up before {begin}"


def rest_of(client: Client) -> str:
    """All that is said until the server hangs up."""
    return "\n".join(iter(client.hear, ""))


def test_one_mailbox_never_takes_all_threads():
    """Searches of one person wait for each other; the next person's command finds a thread."""
    release, begun = threading.Event(), threading.Semaphore(0)

    def search() -> None:
        begun.release()
        assert release.wait(DEADLINE_S)

    async def busy(turns: Turns) -> None:
        searches = [asyncio.ensure_future(turns.run("mallory", search)) for _ in range(20)]
        try:
            assert await asyncio.wait_for(turns.run("alice", lambda: "here"), DEADLINE_S) == "here"
            assert [begun.acquire(timeout=DEADLINE_S) for _ in range(2)] == [True, True]
            assert not begun.acquire(blocking=False)
        finally:
            release.set()
        await asyncio.gather(*searches)

    with ThreadPoolExecutor(3) as threads:
        asyncio.run(busy(Turns(threads, most=2)))


@pytest.fixture
def impatient(sql_storage, tmp_path):
    limits = Limits(recheck_login_s=0.0, stop_grace_s=1.0)
    with imap_hosting(sql_storage, UnixBus(tmp_path / "bus"), tmp_path / "spool", limits=limits) as running:
        yield running


@pytest.fixture
def client(impatient):
    """Alice, signed in."""
    client = Client(impatient.connect())
    client.say(b"a LOGIN alice@example.org secret\r\n")
    until(client, "a OK")
    yield client
    client.socket.close()


@pytest.mark.parametrize("command", [b"b SELECT INBOX\r\n", b'b LIST "" *\r\n', b"b APPEND INBOX {3+}\r\nabc\r\n"])
def test_who_may_sign_in_no_more_is_out_at_the_next_command(impatient, client, command):
    impatient.people.signed_out.add("alice")
    client.say(command)
    assert "* BYE signed out" in rest_of(client)


def test_who_may_sign_in_no_more_is_told_so_while_it_idles(impatient, client, monkeypatch):
    monkeypatch.setattr("mailsite_ext.listeners.imap.LOOK_S", 0.05)
    client.say(b"b SELECT INBOX\r\nc IDLE\r\n")
    until(client, "+ idling")
    impatient.people.signed_out.add("alice")
    assert "* BYE signed out" in rest_of(client)


def test_a_search_that_nobody_waits_for_is_given_up(impatient, client, monkeypatch):
    """Else a hundred clients that hang up keep a thread each for as long as reading everything takes."""
    reading, gone, ended = threading.Event(), threading.Event(), threading.Event()
    holds = searching._holds

    def slowly(*words, **named):
        reading.set()
        assert gone.wait(DEADLINE_S)
        try:
            return holds(*words, **named)
        except Exception:
            ended.set()
            raise

    monkeypatch.setattr(searching, "_holds", slowly)
    monkeypatch.setattr(searching, "find_hits", lambda *_: None)
    client.say(b"b APPEND INBOX {9+}\r\nA: b\r\n\r\nc\r\nc SELECT INBOX\r\nd SEARCH BODY x\r\n")
    assert reading.wait(DEADLINE_S)
    waiting, pause = next(iter(impatient.servers["imap"].connections)), threading.Event()
    client.socket.close()
    while waiting.is_wanted():
        pause.wait(0.01)
    gone.set()
    assert ended.wait(DEADLINE_S)


def test_who_may_sign_in_no_more_sends_no_more(tmp_path):
    with hosting(tmp_path, "open") as host:
        client = Client(host.connect("open"))
        client.say(b"EHLO me\r\nAUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\r\n")
        until(client, "235 ")
        host.people.signed_out.add("alice")
        client.say(b"MAIL FROM:<alice@example.org>\r\n")
        assert "421 4.7.0 signed out" in rest_of(client)
        client.socket.close()


def test_a_fault_of_ours_while_signing_in_is_said(impatient, monkeypatch):
    """A full disk under the database: the client hears that it may try later, and stays connected."""

    def fails(*_words):
        raise OSError("no space left on device")

    monkeypatch.setattr(impatient.people, "check_password", fails)
    client = Client(impatient.connect())
    client.say(b"a LOGIN alice@example.org secret\r\nb NOOP\r\n")
    until(client, "a NO [UNAVAILABLE]")
    until(client, "b OK")
    client.socket.close()
