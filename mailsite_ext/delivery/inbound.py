"""A message for local people: what is added on top of it, which folder, and all copies in one durable step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, make_msgid
from typing import Protocol

from mailsite_ext.delivery.header import Field, Origin, count_fields, read_header, received_field
from mailsite_ext.delivery.spool import Spool
from mailsite_ext.delivery.verdict import Facts, Verdict, decide
from mailsite_ext.domains.directory import Recipient
from mailsite_ext.errors import MailLoop
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.protocol.smtp_grammar import MailFrom, RcptTo
from mailsite_ext.settings.values import Posture
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.first_use import ensure_mailbox
from mailsite_ext.storage.values import Content, Delivery, Placement, Stored

TrustsSender = Callable[[str, Address], bool]
"""(mailbox, sender) → is the sender on that mailbox's list of trusted ones, and to be believed? (T6)"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A whole message with its envelope; `recipients` are local ones."""

    mail: MailFrom
    recipients: Sequence[Recipient]
    origin: Origin
    id: str  # names it in Received and in logs
    received_at: datetime


class Outbound(Protocol):
    """Where mail of people who signed in goes when it is not for somebody here: the delivery queue."""

    def check(self, mailbox: str, recipient: Address, others: int, message_id: str = "") -> None:
        """May `mailbox` send to `recipient` now, besides `others` of the same message?  May wait for the database.

        `message_id`: of an arrival that may have been taken already.  Raises BouncedLately, SendingLimitReached.
        """
        ...

    def submit(
        self, arrival: Arrival, recipients: Sequence[RcptTo], content: Content, fields: Sequence[Field]
    ) -> Future[None]:
        """Take a message for `recipients` elsewhere; the future is done when it is durable.

        The same arrival of the same login is taken once.  The future raises what the database does.
        """
        ...


class TakesReports(Protocol):
    """Where reports to an address of their own go (mailsite_ext.reports.box)."""

    def take(
        self, arrival: Arrival, content: Content, then: Callable[[], Sequence[Stored]]
    ) -> Future[Sequence[Stored]]:
        """Keep the message, then do `then`, whose result the future has.

        Raises MessageTooLarge; the future TooManyReports, and what `then` does.
        """
        ...


class Inbound:
    """Delivers to the storage; one for each process.  Without `reports` mail to their addresses is let go."""

    def __init__(
        self,
        storage: StorageEngine,
        host: str,
        posture: Posture,
        limits: Limits,
        trusts: TrustsSender | None = None,
        reports: TakesReports | None = None,
    ) -> None:
        self._storage = storage
        self._host = host
        self._posture = posture
        self._limits = limits
        self._trusts = trusts
        self._reports = reports
        self._known: set[str] = set()

    def deliver(self, arrival: Arrival, content: Content, fields: Sequence[Field]) -> Future[Sequence[Stored]]:
        """Store `content` for all recipients in one step, or for none.

        Raises MailLoop; the future what StorageEngine.deliver raises.
        """
        check_loops(fields, arrival.recipients, self._limits.received_fields)
        placements = list(self._placements(arrival, fields))
        for placement in placements:
            self._ensure_mailbox(placement.mailbox)
        delivery = Delivery(content, placements, arrival.received_at)
        if self._reports is not None and any(each.takes_reports for each in arrival.recipients):
            return self._reports.take(arrival, content, lambda: self._storage.deliver(delivery).result())
        return self._storage.deliver(delivery)

    def _ensure_mailbox(self, mailbox: str) -> None:
        """Looked for once a process: one that is removed later refuses the delivery, and is then nobody's address."""
        if mailbox not in self._known:
            ensure_mailbox(self._storage, mailbox)
            self._known.add(mailbox)

    def _placements(self, arrival: Arrival, fields: Sequence[Field]) -> Iterator[Placement]:
        """One copy a mailbox, however many of its addresses were named."""
        is_one = len(arrival.recipients) == 1
        seen: set[str] = set()
        for recipient in arrival.recipients:
            address = str(recipient.address)
            received = received_field(
                arrival.origin, self._host, arrival.id, address if is_one else "", arrival.received_at
            )
            for hosted in recipient.mailboxes:
                if hosted.name not in seen:
                    seen.add(hosted.name)
                    verdict = decide(self._facts(arrival, hosted.name))
                    yield Placement(hosted.name, verdict.folder, _head(arrival, address, received, verdict, fields))

    def _facts(self, arrival: Arrival, mailbox: str) -> Facts:
        sender = arrival.mail.sender
        return Facts(
            posture=self._posture,
            is_submission=bool(arrival.origin.login),
            over_tls=bool(arrival.origin.tls),
            is_trusted=self._trusts is not None and sender is not None and self._trusts(mailbox, sender),
        )


def check_loops(fields: Sequence[Field], recipients: Sequence[Recipient], most_received: int) -> None:
    """Raises MailLoop: too many hops (RFC 5321 §6.3), or delivered to one of these already."""
    if count_fields(fields, "received") > most_received:
        raise MailLoop
    delivered = {field.value.decode("utf-8", "replace").lower() for field in fields if field.name == "delivered-to"}
    if any(str(recipient.address).lower() in delivered for recipient in recipients):
        raise MailLoop


def _head(arrival: Arrival, recipient: str, received: bytes, verdict: Verdict, fields: Sequence[Field]) -> bytes:
    """What stands on top of this recipient's copy, apart from the bytes all share."""
    lines = [f"Return-Path: <{arrival.mail.sender or ''}>", f"Delivered-To: {recipient}"]
    if verdict.reason:
        lines.append(f"X-Satchel-Verdict: {verdict.folder}; {verdict.reason}")
    top = "".join(f"{line}\r\n" for line in lines).encode() + received
    return top + missing_fields(arrival, fields)


def missing_fields(arrival: Arrival, fields: Sequence[Field]) -> bytes:
    """Date and Message-ID, where a mail client left them to us (RFC 6409 §8.1, §8.2)."""
    if not arrival.origin.login:
        return b""
    missing = b""
    if not count_fields(fields, "date"):
        missing += f"Date: {format_datetime(arrival.received_at)}\r\n".encode()
    if not count_fields(fields, "message-id"):
        domain = arrival.mail.sender.domain if arrival.mail.sender else "localhost"
        missing += f"Message-ID: {make_msgid(arrival.id, domain.strip('[]') or 'localhost')}\r\n".encode()
    return missing


def fields_of(spool: Spool) -> Sequence[Field]:
    """The header of a finished spool.  Raises HeaderTooLarge."""
    return read_header(spool.first, is_whole=len(spool.first) == spool.octets)
