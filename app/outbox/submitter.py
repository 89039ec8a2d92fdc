"""The MailSubmitter seam: handing a finished message over to be delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom (RFC 5321 §2.3.1); domains as A-labels.  `id` is the outbox row's, the same at every try."""

    id: str
    mail_from: str
    recipients: tuple[str, ...]
    needs_smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer to one recipient (RFC 5321 §4.2): three digits, and its own words."""

    code: int
    words: str

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500

    def __str__(self) -> str:
        return f"{self.code} {self.words}"


class MailSubmitter(Protocol):
    """Whoever takes messages: the account's SMTP server, or MailSite's delivery.

    Returning means the message is accepted, durably, for everybody not named in what is returned.  Idempotent by
    `Envelope.id` where the taker can tell (MailSite); where it cannot (SMTP), FateUnknown is raised rather than trying
    twice.
    """

    def submit(self, envelope: Envelope, message: bytes) -> Mapping[str, Reply]:
        """The refused recipients with the answers they got; empty when all were accepted.

        All of them refused: nobody has the message.  Raises, and then nobody has the message either:
        SubmissionRefused (5xx for the sender or the message), SubmissionDeferred (4xx), ServerUnreachable,
        TooManyConnections, LoginRefused, ProtocolError, VaultError.  Raises FateUnknown when the message may have been
        accepted: the connection went away between its last octet and the reply.
        """
        ...
