"""What a server's NO, BAD and BYE mean: its words and response codes (RFC 5530) as errors of ours.  Pure."""

from __future__ import annotations

import re

from app.errors import (
    ActionRefused,
    ConnectionLost,
    FolderFull,
    FolderMissing,
    LoginRefused,
    MailError,
    ProtocolError,
    ServerUnreachable,
    TooManyConnections,
)

MAX_WORDS_CHARS = 500

CODE = re.compile(r"\[([A-Z0-9-]+)(?: ([^\]]*))?\] ?", re.IGNORECASE)
BUSY_CODES = frozenset({"LIMIT", "INUSE"})
TEMPORARY_CODES = frozenset({"UNAVAILABLE", "SERVERBUG", "CONTACTADMIN"})
BUSY_WORDS = re.compile(
    r"too many (?:simultaneous |concurrent |open |imap )*(?:connections|sessions|logins)"
    r"|maximum (?:number of |allowed )?(?:\w+ )?(?:connections|sessions)"
    r"|(?:connections?|sessions?) limit|limit of \w+ (?:connections|sessions)|exceeded .{0,20}(?:connection|bandwidth)"
    r"|(?:rate|command|bandwidth) (?:is )?(?:limit|exceeded)|authenticated but not connected",
    re.IGNORECASE,
)
MISSING_WORDS = re.compile(
    r"(?:does ?n.t|does not|not) exist|no such (?:mailbox|folder)|unknown (?:mailbox|folder|namespace)"
    r"|(?:mailbox|folder) (?:not found|is missing)|non-?existent",
    re.IGNORECASE,
)
FULL_WORDS = re.compile(
    r"over ?quota|quota (?:is )?exceeded|mailbox is full|not enough (?:disk )?(?:quota|space)", re.I
)


def code_of(words: str) -> str:
    """The response code words begin with, in capitals; empty if there is none."""
    match = CODE.match(words)
    return match[1].upper() if match else ""


def readable(words: str) -> str:
    """The server's words without response code, controls and endless length: shown to people as its own."""
    plain = CODE.sub("", words, count=1) if CODE.match(words) else words
    return " ".join(plain.split())[:MAX_WORDS_CHARS]


def is_busy(words: str) -> bool:
    """Whether the server says that too many connections are open: to wait helps, another password does not."""
    return code_of(words) in BUSY_CODES or BUSY_WORDS.search(words) is not None


def login_error(words: str) -> MailError:
    """Why a login answered NO.  A server that cannot check passwords just now has not refused one (RFC 5530 §3)."""
    if is_busy(words):
        return TooManyConnections(readable(words))
    if code_of(words) in TEMPORARY_CODES:
        return ServerUnreachable(readable(words))
    return LoginRefused(readable(words))


def bye_error(words: str) -> MailError:
    """Why the server ended the session by itself."""
    return TooManyConnections(readable(words)) if is_busy(words) else ConnectionLost(readable(words))


def command_error(status: bytes, words: str) -> MailError:
    """Why a command after login answered NO or BAD."""
    if status == b"BAD":
        return ProtocolError(readable(words))
    code = code_of(words)
    if code == "OVERQUOTA" or (not code and FULL_WORDS.search(words)):
        return FolderFull(readable(words))
    if code in ("NONEXISTENT", "TRYCREATE") or (not code and MISSING_WORDS.search(words)):
        return FolderMissing(readable(words))
    if code in BUSY_CODES - {"INUSE"}:  # INUSE after login: the folder is locked (RFC 5530 §3), as the words say
        return TooManyConnections(readable(words))
    return ActionRefused(readable(words))
