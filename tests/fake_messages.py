"""Messages and folders of the mail server in memory."""

from __future__ import annotations

import email
import email.message
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.sources import (
    HEADER_FIELDS,
    RemoteMessage,
    Role,
)

FIRST_RECEIVED = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
WANTED = frozenset(name.lower() for name in HEADER_FIELDS)
USUAL = {
    "INBOX": Role.INBOX, "Drafts": Role.DRAFTS, "Sent": Role.SENT, "Archive": Role.ARCHIVE, "Junk": Role.JUNK,
    "Trash": Role.TRASH,
}  # fmt: skip


@dataclass
class FakeMessage:
    uid: int
    raw: bytes
    flags: set[str]
    received_at: datetime
    modseq: int
    labels: set[str] = field(default_factory=set)  # Gmail's; see fake_gmail.py
    thrid: int = 0


@dataclass
class FakeFolder:
    name: str
    role: Role | None = None
    uidvalidity: int = 1
    uidnext: int = 1
    modseq: int = 1
    subscribed: bool = True
    messages: dict[int, FakeMessage] = field(default_factory=dict)
    vanished: dict[int, int] = field(default_factory=dict)  # UID → modseq of its end

    def add(self, raw: bytes, flags: Iterable[str], received_at: datetime) -> int:
        uid, self.uidnext, self.modseq = self.uidnext, self.uidnext + 1, self.modseq + 1
        self.messages[uid] = FakeMessage(uid, raw, set(flags), received_at, self.modseq)
        return uid

    def remove(self, uid: int) -> FakeMessage | None:
        self.modseq += 1
        self.vanished[uid] = self.modseq
        return self.messages.pop(uid, None)

    @property
    def unseen(self) -> int:
        return sum("\\Seen" not in message.flags for message in self.messages.values())


def simple_message(subject: str, text: str = "Hello\r\n", sender: str = "Alice <alice@example.net>") -> bytes:
    """A plain message; its Message-ID is made from the subject."""
    message_id = "".join(char if char.isalnum() else "." for char in subject)
    head = f"From: {sender}\r\nTo: bob@example.org\r\nSubject: {subject}\r\nMessage-ID: <{message_id}@example.net>\r\n"
    return f"{head}Date: Sun, 01 Nov 2026 09:00:00 +0000\r\n\r\n{text}".encode()


def remote_message(message: FakeMessage) -> RemoteMessage:
    parsed = email.message_from_bytes(message.raw)
    wanted = [f"{name}: {value}\r\n" for name, value in parsed.items() if name.lower() in WANTED]
    return RemoteMessage(
        uid=message.uid,
        flags=frozenset(message.flags),
        received_at=message.received_at,
        size_octets=len(message.raw),
        header="".join(wanted).encode("utf-8", "surrogateescape") + b"\r\n",
        bodystructure=bodystructure(parsed),
        modseq=message.modseq,
    )


def section_of(raw: bytes, section: str) -> bytes:
    head, _, body = raw.partition(b"\r\n\r\n")
    if section == "":
        return raw
    if section in ("HEADER", "TEXT"):
        return head + b"\r\n\r\n" if section == "HEADER" else body
    part = _part(email.message_from_bytes(raw), [int(number) for number in section.split(".")])
    payload = part.get_payload()
    assert isinstance(payload, str)
    return payload.encode("utf-8", "surrogateescape").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _part(message: email.message.Message, numbers: Sequence[int]) -> email.message.Message:
    for number in numbers:
        if message.is_multipart():
            message = message.get_payload(number - 1)  # type: ignore[assignment]
    return message


def bodystructure(part: email.message.Message) -> bytes:
    """BODYSTRUCTURE of a simple message, as a server would send it (RFC 9051 §7.5.2); no message/rfc822."""
    if part.is_multipart():
        children = b"".join(bodystructure(child) for child in part.get_payload())  # type: ignore[arg-type]
        return b"(" + children + b' "' + part.get_content_subtype().encode() + b'" NIL NIL NIL NIL)'
    encoding = str(part.get("Content-Transfer-Encoding", "7bit"))
    octets = len(str(part.get_payload()).encode("utf-8", "surrogateescape"))
    name = part.get_filename()
    disposition = f'("attachment" ("filename" "{name}"))' if name else "NIL"
    lines = " 1" if part.get_content_maintype() == "text" else ""
    charset = part.get_content_charset() or "us-ascii"
    kind = f'"{part.get_content_maintype()}" "{part.get_content_subtype()}" ("charset" "{charset}")'
    return f'({kind} NIL NIL "{encoding}" {octets}{lines} NIL {disposition} NIL NIL)'.encode()
