"""The test mail itself, and reading what came back.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import SMTP

from app.extension_api import decode

MOST_LINES = 40
LONGEST_LINE = 300
MOST_PARTS = 50
PART_OCTETS = 64 * 1024
METHOD = r"(?:spf|dkim|dmarc|arc|iprev|dnssec|rdns|tls|spam ?assassin|sender-?id)"
RESULT = r"(?:pass(?:ed)?|fail(?:ed|ure)?|soft-?fail|neutral|none|(?:temp|perm)-?error|ham|spam|invalid|valid|ok)"
VERDICT = re.compile(rf"\b{METHOD}\b.{{0,80}}\b{RESULT}\b", re.IGNORECASE)
RESULTS_FIELD = "authentication-results"
FOLDED = re.compile(r"\r?\n[ \t]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    token: str  # letters and digits, in Subject and Message-ID
    sender: str
    recipient: str
    written_at: datetime
    subject: str
    text: str

    @property
    def octets(self) -> bytes:
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"] = self.sender, self.recipient
        message["Subject"] = f"{self.subject} [{self.token}]"
        message["Date"] = self.written_at
        message["Message-ID"] = f"<{self.token}@{self.sender.rpartition('@')[2]}>"
        message.set_content(self.text, cte="quoted-printable")  # no server on the way has to change it
        return message.as_bytes()


def verdicts(reply: bytes) -> Sequence[str]:
    """What a reply says about the mail it answers: Authentication-Results of what it quotes or has attached, and lines
    of its text that name a check and its result.

    Its own are about the reply, so they are none of these.
    """
    found = (line.strip()[:LONGEST_LINE] for text in _texts(message_from_bytes(reply)) for line in _lines(text))
    return list(dict.fromkeys(line for line in found if line))[:MOST_LINES]


def _texts(reply: Message) -> Iterator[str]:
    """The text parts, and the headers of messages that are attached."""
    for number, part in enumerate(reply.walk()):
        if number >= MOST_PARTS:
            return
        if part is not reply and RESULTS_FIELD in part:
            yield "\n".join(f"Authentication-Results: {value}" for value in part.get_all(RESULTS_FIELD, []))
        if part.get_content_maintype() == "text":
            yield _text_of(part)


def _text_of(part: Message) -> str:
    payload = part.get_payload(decode=True)
    octets = payload[:PART_OCTETS] if isinstance(payload, bytes) else b""
    text = decode.text(octets, part.get_content_charset() or "")
    return re.sub(r"<[^<>]{0,1000}>", " ", text) if part.get_content_subtype() == "html" else text


def _lines(text: str) -> Iterator[str]:
    for line in FOLDED.sub(" ", text).splitlines():
        bare = line.lstrip("> \t")
        if bare.lower().startswith(f"{RESULTS_FIELD}:") or VERDICT.search(bare[:2_000]):
            yield "".join(letter for letter in bare if letter.isprintable())
