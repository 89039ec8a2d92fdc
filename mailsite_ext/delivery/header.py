"""What delivery looks at in a message's header, and what it adds on top.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from mailsite_ext.errors import BareLineEnding, HeaderTooLarge, NoAuthor

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_OPAQUE = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)', re.DOTALL)
_IN_WORD = r'[^\s<>,;:()"@]'
_ADDRESS = re.compile(rf"(?<!{_IN_WORD}){_IN_WORD}+@{_IN_WORD}+")  # from where a word begins: else quadratic
_AUTHORS_OCTETS = 4_096
_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
_NOT_A_WORD = re.compile(r"[^A-Za-z0-9.:_\[\]-]")


@dataclass(frozen=True, slots=True)
class Field:
    name: str  # in lower case
    value: bytes  # with its folds


def read_header(first: bytes, *, is_whole: bool) -> Sequence[Field]:
    """The fields of the header at the beginning of a message.

    `is_whole`: `first` is all of it.  Raises HeaderTooLarge where the header does not end in `first`, BareLineEnding
    for a CR, LF or NUL in it that is no line end: BINARYMIME lets bodies have them (RFC 3030 §3), and in a header
    another reader would see another From.
    """
    end = 0 if first.startswith(b"\r\n") else first.find(b"\r\n\r\n") + 2
    if end == 1 and not is_whole:
        raise HeaderTooLarge
    block = first if end == 1 else first[:end]
    if _LONE.search(block):
        raise BareLineEnding
    return [Field(found[1].decode().lower(), found[2].strip()) for found in _FIELD.finditer(block)]


def count_fields(fields: Sequence[Field], name: str) -> int:
    return sum(field.name == name for field in fields)


def authors(fields: Sequence[Field]) -> Sequence[str]:
    """Every address in From and Sender.

    Raises NoAuthor unless there is exactly one From that can be read in one way only: whatever another reader might
    take for an address of it must be among those given back (RFC 5322 §3.6.2; RFC 6409 §6.1).
    """
    if count_fields(fields, "from") != 1 or count_fields(fields, "sender") > 1:
        raise NoAuthor
    return [address for field in fields if field.name in ("from", "sender") for address in _addresses(field.value)]


def _addresses(value: bytes) -> Sequence[str]:
    if len(value) > _AUTHORS_OCTETS:
        raise NoAuthor
    try:
        text = _OPAQUE.sub(" ", value.decode())
    except UnicodeDecodeError:
        raise NoAuthor from None
    found = _ADDRESS.findall(text)
    if not found or len(found) != text.count("@") or re.search(r'["()\\]', text):
        raise NoAuthor
    return found


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came from, for its Received field (RFC 5321 §4.4)."""

    peer: str
    hello: str
    extended: bool
    tls: str = ""  # version and cipher; empty: none
    login: str = ""  # the mailbox that signed in; empty: none
    utf8: bool = False

    @property
    def protocol(self) -> str:
        """RFC 3848, RFC 6531 §4.3: ESMTPSA and its kin."""
        base = "UTF8SMTP" if self.utf8 else "ESMTP" if self.extended else "SMTP"
        if base == "SMTP":
            return base
        return base + ("S" if self.tls else "") + ("A" if self.login else "")


def received_field(origin: Origin, host: str, message_id: str, recipient: str, at: datetime) -> bytes:
    """`recipient` is named only where there is one: no copy tells of another (RFC 5321 §7.2)."""
    peer = f"[IPv6:{origin.peer}]" if ":" in origin.peer else f"[{origin.peer}]"
    tls = f" ({origin.tls})" if origin.tls else ""
    for_whom = f"\r\n\tfor <{recipient}>" if recipient else ""
    text = (
        f"Received: from {_word(origin.hello)} ({peer})\r\n\tby {_word(host)} with {origin.protocol}{tls}"
        f" id {message_id}{for_whom};\r\n\t{format_datetime(at)}\r\n"
    )
    return text.encode()


def _word(text: str) -> str:
    """What the peer calls itself, without anything that could end the field or pretend to be more of it."""
    return _NOT_A_WORD.sub("?", text) or "unknown"
