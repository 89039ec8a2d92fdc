"""neomutt in a terminal: a letter is read, answered and deleted."""

from __future__ import annotations

import os

from tests.mailsite.clients.conftest import tool
from tests.mailsite.clients.terminal import run_in_terminal
from tests.mailsite.listeners.imap_hosting import Host

SETTINGS = """
set folder = "imaps://bob@localhost:{imaps}/" spoolfile = "+INBOX" record = "+Sent" postponed = "+Drafts"
set imap_pass = "other" imap_qresync = yes imap_condstore = yes imap_check_subscribed = yes
set smtp_url = "smtps://bob@localhost:{submission}/" smtp_pass = "other" smtp_authenticators = "plain"
set certificate_file = "{ca}" ssl_usesystemcerts = no
set from = "bob@example.org" realname = "Bob" use_envelope_from = yes hostname = "laptop.example"
set editor = "{editor}" include = no fast_reply = yes abort_unmodified = no
set delete = yes quit = yes wait_key = no header_cache = "{cache}" sleep_time = 0
"""


def test_neomutt(reading, sending, authority, tmp_path):
    mutt = tool("neomutt")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "thanks for the apples" >> "$1"\n')
    editor.chmod(0o700)
    settings = tmp_path / "neomuttrc"
    settings.write_text(
        SETTINGS.format(**reading.ports, **sending.ports, ca=authority.ca, editor=editor, cache=tmp_path / "cache")
    )
    environment = {**os.environ, "HOME": str(tmp_path), "TERM": "xterm", "LANG": "C.UTF-8"}
    with run_in_terminal((mutt, "-n", "-F", str(settings)), environment) as terminal:
        terminal.wait_for("Harvest")
        terminal.type("\r")
        terminal.wait_for("apples")
        terminal.type("r")
        terminal.wait_for("Security:")
        terminal.type("y")
        terminal.wait_until(lambda: counted(reading)["Sent"] == 1)
        terminal.type("id$")
        terminal.wait_until(lambda: counted(reading)["INBOX"] == 0)
        terminal.type("q")

    (answer,) = sending.box.letters
    assert (answer.mailbox, b"thanks for the apples" in answer.body) == ("alice", True)
    assert b"In-Reply-To: <1@x>" in answer.body


def counted(host: Host) -> dict[str, int]:
    return {folder.name: folder.messages for folder in host.storage.folders("bob")}
