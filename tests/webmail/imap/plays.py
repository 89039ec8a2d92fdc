"""What scripts of several tests have in common."""

from __future__ import annotations

from collections.abc import Callable

from app.imap import fetch
from app.imap.source import ImapSource
from tests.servers.scripted_imap import ScriptedServer

HEADER = fetch.HEADER_SECTION.decode()
Play = Callable[..., tuple[ImapSource, ScriptedServer]]
SELECTED = """
    S: * 3 EXISTS
    S: * OK [UIDVALIDITY 7] ok
    S: * OK [UIDNEXT 11] ok
    S: * OK [HIGHESTMODSEQ 90] ok
"""
SELECT = f'C: SELECT "INBOX"\n{SELECTED}S: {{tag}} OK selected\n'
