"""A message for local people: what is added on top of it, which folder, and all copies in one durable step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, make_msgid
from functools import partial
from typing import Protocol

from app.extension_api import Standing
from mailsite_ext.authentication.dkim import DkimVerdict
from mailsite_ext.authentication.dmarc import DmarcVerdict, Policy
from mailsite_ext.authentication.spf import SpfVerdict
from mailsite_ext.delivery.header import Field, Origin, count_fields, read_header, received_field
from mailsite_ext.delivery.spool import Spool
from mailsite_ext.delivery.verdict import JUNK, Facts, Verdict, decide
from mailsite_ext.domains.directory import NOBODY, Hosted, Recipient
from mailsite_ext.errors import JunkNotForwarded, MailLoop, RefusedByPolicy, SenderTakesNoMail
from mailsite_ext.junk import explained
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.protocol.smtp_grammar import MailFrom, RcptTo
from mailsite_ext.reception.findings import Findings, Trust
from mailsite_ext.reception.seals import Seals
from mailsite_ext.reports.aggregate import Disposition
from mailsite_ext.settings.values import Posture
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.first_use import ensure_mailbox
from mailsite_ext.storage.values import Content, Delivery, Placement, Stored


@dataclass(frozen=True, slots=True)
class Arrival:
    """A whole message with its envelope; `recipients` are local ones."""

    mail: MailFrom
    recipients: Sequence[Recipient]
    origin: Origin
    id: str  # names it in Received and in logs
    received_at: datetime
    findings: Findings | None = None  # None: nothing was asked, as of all that does not come from outside


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


@dataclass(frozen=True, slots=True)
class Forward:
    """A copy for an address elsewhere: of an alias, or of a mailbox whose person wants it so."""

    target: str
    address: Address  # here
    mailbox: str  # whose it is, and who hears when it fails; empty: an alias's


class Forwards(Protocol):
    """mailsite_ext.forwarding.forwarder.Forwarder: where copies for addresses elsewhere go."""

    def take(
        self, arrival: Arrival, forwards: Sequence[Forward], content: Content, fields: Sequence[Field],
        then: Callable[[], Sequence[Stored]],
    ) -> Future[Sequence[Stored]]:  # fmt: skip
        """Queue the message, then do `then`, whose result the future has.

        Raises AddressTooLong; the future QueueUnavailable, and what `then` does.
        """
        ...


class CountsMail(Protocol):
    """mailsite_ext.reports.tally.Tally: what became of mail from outside, for the reports others ask for."""

    def note(
        self, verdict: DmarcVerdict, spf: SpfVerdict, dkim: Sequence[DkimVerdict], *,
        source_ip: str, envelope_from: str, disposition: Disposition,
    ) -> None:  # fmt: skip
        """Never waits."""
        ...


class Inbound:
    """Delivers to the storage; one for each process.  Without `reports` mail to their addresses is let go."""

    def __init__(
        self,
        storage: StorageEngine,
        host: str,
        posture: Posture,
        limits: Limits,
        seals: Seals,
        *,
        enforces_dmarc: bool = False,
        reports: TakesReports | None = None,
        tally: CountsMail | None = None,
        forwards: Forwards | None = None,
    ) -> None:
        self._storage = storage
        self._host = host
        self._posture = posture
        self._limits = limits
        self._seals = seals
        self._enforces_dmarc = enforces_dmarc
        self._reports = reports
        self._tally = tally
        self._forwards = forwards
        self._known: set[str] = set()

    def deliver(self, arrival: Arrival, content: Content, fields: Sequence[Field]) -> Future[Sequence[Stored]]:
        """Store `content` for all recipients in one step, or for none.

        Raises MailLoop, SenderTakesNoMail, RefusedByPolicy; the future what StorageEngine.deliver raises.
        """
        check_loops(fields, arrival.recipients, self._limits.received_fields)
        if arrival.findings is not None and arrival.findings.takes_no_mail:
            raise SenderTakesNoMail
        placements = self._counted_placements(arrival, fields)
        for placement in placements:
            self._ensure_mailbox(placement.mailbox)
        delivery = Delivery(content, placements, arrival.received_at)
        leading_away = self._leading_away(arrival, placements) if self._forwards is not None else []
        if self._forwards is not None and leading_away:
            then = partial(self._kept, arrival, content, delivery)
            return self._forwards.take(arrival, leading_away, content, fields, lambda: then().result())
        return self._kept(arrival, content, delivery)

    def _kept(self, arrival: Arrival, content: Content, delivery: Delivery) -> Future[Sequence[Stored]]:
        """What stays here: reports where a program finds them, and the copies."""
        if self._reports is not None and any(each.takes_reports for each in arrival.recipients):
            return self._reports.take(arrival, content, lambda: self._storage.deliver(delivery).result())
        return self._storage.deliver(delivery)

    def _leading_away(self, arrival: Arrival, placements: Sequence[Placement]) -> Sequence[Forward]:
        """What is forwarded; junk is not, since it would be said to come from us.  Raises JunkNotForwarded: then nobody
        has it.
        """
        wanted = [
            Forward(target, recipient.address, hosted.name)
            for recipient in arrival.recipients
            for hosted, target in _targets(recipient)
            if decide(self._facts(arrival, hosted)).folder != JUNK
        ]
        if not wanted and not placements and not any(each.takes_reports for each in arrival.recipients):
            raise JunkNotForwarded
        return wanted

    def _counted_placements(self, arrival: Arrival, fields: Sequence[Field]) -> Sequence[Placement]:
        try:
            placements = list(self._placements(arrival, fields))
        except RefusedByPolicy:
            self._count(arrival, Disposition.REJECT)
            raise
        is_disowned = self._policy(arrival.findings) is Policy.QUARANTINE
        self._count(arrival, Disposition.QUARANTINE if is_disowned else Disposition.NONE)
        return placements

    def _count(self, arrival: Arrival, done: Disposition) -> None:
        """What its policy made of it; into which folder something else put it is nobody's business (RFC 9990 §3.1)."""
        findings, sender = arrival.findings, arrival.mail.sender
        if self._tally is not None and findings is not None:
            self._tally.note(
                findings.dmarc,
                findings.spf,
                findings.dkim,
                source_ip=arrival.origin.peer,
                envelope_from=sender.domain if sender else "",
                disposition=done,
            )

    def _policy(self, findings: Findings | None) -> Policy:
        return findings.dmarc.disposition if findings and self._enforces_dmarc else Policy.NONE

    def _ensure_mailbox(self, mailbox: str) -> None:
        """Looked for once a process: one that is removed later refuses the delivery, and is then nobody's address."""
        if mailbox not in self._known:
            ensure_mailbox(self._storage, mailbox)
            self._known.add(mailbox)

    def _placements(self, arrival: Arrival, fields: Sequence[Field]) -> Iterator[Placement]:
        """One copy a mailbox, however many of its addresses were named."""
        is_one = len(arrival.recipients) == 1
        results = arrival.findings.results_field(self._host) if arrival.findings else b""
        seen: set[str] = set()
        for recipient in arrival.recipients:
            address = str(recipient.address)
            received = received_field(
                arrival.origin, self._host, arrival.id, address if is_one else "", arrival.received_at
            )
            below = results + received + missing_fields(arrival, fields)
            for hosted in recipient.mailboxes:
                if hosted.name not in seen:
                    seen.add(hosted.name)
                    verdict = decide(self._facts(arrival, hosted))
                    if self._forwards and hosted.forward_to and not hosted.keeps_copy and verdict.folder != JUNK:
                        continue
                    head = self._head(arrival, address, hosted.name, verdict, below, fields)
                    yield Placement(hosted.name, verdict.folder, head)

    def _facts(self, arrival: Arrival, hosted: Hosted) -> Facts:
        findings = arrival.findings
        return Facts(
            posture=self._posture,
            is_submission=bool(arrival.origin.login),
            over_tls=bool(arrival.origin.tls),
            trust=findings.trust(hosted.user_id) if findings else Trust.NONE,
            junk=findings.junk.get(hosted.name) if findings else None,
            policy=self._policy(findings),
        )

    def _head(
        self, arrival: Arrival, recipient: str, mailbox: str, verdict: Verdict, below: bytes, fields: Sequence[Field]
    ) -> bytes:
        """What stands on top of this recipient's copy, apart from the bytes all share."""
        top = f"Return-Path: <{arrival.mail.sender or ''}>\r\nDelivered-To: {recipient}\r\n".encode()
        if judgement := arrival.findings.junk.get(mailbox) if arrival.findings else None:
            below = f"{explained.field_of(judgement)}\r\n".encode() + below
        if verdict.reasons:
            below = f"X-Satchel-Verdict: {'; '.join([verdict.folder, *verdict.reasons])}\r\n".encode() + below
        return top + self._seals.field(top + below, fields, mailbox, _standing(arrival)) + below


def _targets(recipient: Recipient) -> Iterator[tuple[Hosted, str]]:
    """The addresses elsewhere its mail goes to, and whose verdict counts."""
    yield from ((NOBODY, target) for target in recipient.outside)
    yield from ((hosted, hosted.forward_to) for hosted in recipient.mailboxes if hosted.forward_to)


def _standing(arrival: Arrival) -> Standing:
    if arrival.origin.login:
        return Standing.OURS
    return arrival.findings.standing if arrival.findings else Standing.UNPROVEN


def check_loops(fields: Sequence[Field], recipients: Sequence[Recipient], most_received: int) -> None:
    """Raises MailLoop: too many hops (RFC 5321 §6.3), or delivered to one of these already."""
    if count_fields(fields, "received") > most_received:
        raise MailLoop
    delivered = {field.value.decode("utf-8", "replace").lower() for field in fields if field.name == "delivered-to"}
    if any(str(recipient.address).lower() in delivered for recipient in recipients):
        raise MailLoop


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
    """The header of a finished spool, as it is kept.  Raises HeaderTooLarge, BareLineEnding."""
    return read_header(spool.cleaned, is_whole=len(spool.first) == spool.octets)
