"""The agent of a machine with the real listeners."""

from __future__ import annotations

import html
import os
import signal
import socket
from dataclasses import replace
from datetime import timedelta

import pytest

from app.clock import SystemClock
from app.machines.models import Desired
from mailsite_ext.cli import IMAP_SERVICE, SMTP_SERVICE
from mailsite_ext.settings.service import store_settings
from tests.mailsite.listeners.real import Client
from tests.servers.engine import environment
from tests.webmail.machines.conftest import Hand, make_agent

assert make_agent  # a fixture


@pytest.fixture
def config(sqlite_config):
    """What differs between databases is tested elsewhere."""
    return sqlite_config


@pytest.fixture
def clock():
    """The agent's own, by which the page tells whether it lives."""
    return SystemClock()


@pytest.fixture
def hand(installation, make_agent, monkeypatch) -> Hand:
    for name, value in environment(installation.config).items():
        monkeypatch.setenv(name, value)
    made: Hand = make_agent(SMTP_SERVICE, IMAP_SERVICE)
    return made


@pytest.fixture
def machines_page(admin, browser_of):
    browser = browser_of(admin)
    return lambda: html.unescape(browser.get("/admin/machines").text)


def pid(hand, service):
    return int(hand.row(service).pids)


def test_a_killed_listener_comes_back(hand, installation, connect):
    hand.want("imap")
    hand.until(lambda: hand.is_in("running", "imap"))
    assert f"127.0.0.1:{installation.settings.imap_port}" in hand.row("imap").addresses
    was = pid(hand, "imap")
    os.kill(was, signal.SIGKILL)
    hand.until(lambda: hand.is_in("failed", "imap"))
    row = hand.row("imap")
    assert (row.exit_status, row.restarts, row.retry_at - row.error_at) == (-9, 1, timedelta(seconds=1))
    hand.until(lambda: hand.is_in("running", "imap"))
    assert pid(hand, "imap") != was
    connect(installation.settings.imap_port).sign_in()


def test_a_taken_port_is_said_on_the_page_and_tried_again_later_and_later(hand, installation, machines_page):
    port = installation.settings.imap_port
    with socket.create_server(("127.0.0.1", port)):
        hand.want("imap")
        hand.until(lambda: hand.is_in("failed", "imap"))
        first = hand.row("imap")
        assert (first.restarts, first.retry_at - first.error_at) == (1, timedelta(seconds=1))
        assert f"Cannot bind port {port}: another program listens there" in machines_page()
        hand.until(lambda: hand.row("imap").restarts == 2 and hand.is_in("failed", "imap"))
        second = hand.row("imap")
        assert second.retry_at - second.error_at == timedelta(seconds=2)
    hand.until(lambda: hand.is_in("running", "imap"))


def test_stopping_finishes_the_message_under_way(hand, installation):
    hand.want("smtp")
    hand.until(lambda: hand.is_in("running", "smtp"))
    client = Client(installation.settings.smtp_port)
    client.ask("EHLO client.example", b"250 ")
    client.ask("MAIL FROM:<a@x.example>", b"250")
    client.ask("RCPT TO:<alice@example.org>", b"250")
    client.ask("DATA\r\n", b"354")
    hand.want("smtp", Desired.STOPPED)
    hand.until(lambda: hand.is_in("stopping", "smtp"))
    client.ask("From: a@x.example\r\n\r\nHello.\r\n.", b"250")
    hand.until(lambda: hand.is_in("stopped", "smtp"))
    assert hand.row("smtp").error == ""
    client.close()


def test_changed_settings_are_said_and_touch_nothing(hand, installation, machines_page):
    hand.want("imap")
    hand.until(lambda: hand.is_in("running", "imap"))
    was, before = pid(hand, "imap"), machines_page()
    store_settings(hand.db, replace(installation.settings, listener_processes=2))
    hand.db.commit()
    assert "Processes of each listener" not in before
    assert "Processes of each listener" in machines_page()
    beat = hand.machine().heartbeat_at
    hand.until(lambda: hand.machine().heartbeat_at > beat)
    assert pid(hand, "imap") == was
    hand.want("imap", again=True)
    hand.until(lambda: hand.row("imap").pids.count(",") == 1 and hand.is_in("running", "imap"))
    assert "Processes of each listener" not in machines_page()
