"""Mail of people here for others elsewhere: signed as it will leave, and into the delivery queue (A2, X4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.extension_api import Bell, Runtime, Topic, decode
from mailsite_ext.authentication.dkim import sign
from mailsite_ext.authentication.signing_keys import SigningKeys
from mailsite_ext.delivery import allowance, queue, suppression
from mailsite_ext.delivery.header import Field, authors, received_field
from mailsite_ext.delivery.inbound import Arrival, check_loops, missing_fields
from mailsite_ext.delivery.queue import Submission
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.errors import NoSuchMailbox, QueueUnavailable
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.smtp_address import Address, parse_address
from mailsite_ext.protocol.smtp_grammar import RcptTo
from mailsite_ext.storage.values import Content

THREADS = 4
PIECE_OCTETS = 256 * 1024
LONGEST_SUBJECT, LONGEST_SUBJECT_OCTETS = 200, 2_000


class DeliveryQueue:
    """The queue's entrance; one for each process that takes mail from people here."""

    def __init__(self, parts: Runtime, host: str, limits: Limits) -> None:
        self._parts = parts
        self._host = host
        self._limits = limits
        self._keys = SigningKeys(parts.config, parts.clock)
        self._threads = ThreadPoolExecutor(THREADS, "outbound")

    def submit(
        self, arrival: Arrival, recipients: Sequence[RcptTo], content: Content, fields: Sequence[Field]
    ) -> Future[None]:
        """See inbound.Outbound."""
        return self._threads.submit(self.take, arrival, recipients, content, fields)

    def check(self, mailbox: str, recipient: Address, others: int, message_id: str = "") -> None:
        """See inbound.Outbound."""
        now = self._parts.clock.now()
        with self._parts.public.session() as db:
            suppression.check(db, _get_mailbox(db, mailbox).id, str(recipient), now)
            self._check_allowance(db, mailbox, others + 1, _token(mailbox, message_id))

    def _check_allowance(self, db: Session, mailbox: str, wanted: int, token: str) -> None:
        sent = allowance.used(db, mailbox, self._parts.clock.now(), besides=token)
        allowance.check(allowance.allowed(_get_mailbox(db, mailbox), self._limits), sent, wanted)

    def close(self) -> None:
        self._threads.shutdown()

    def take(self, arrival: Arrival, recipients: Sequence[RcptTo], content: Content, fields: Sequence[Field]) -> None:
        """As `submit`, in the thread that calls.  Raises MailLoop: a relay of ours leads back to us."""
        check_loops(fields, [], self._limits.received_fields)
        top = received_field(arrival.origin, self._host, arrival.id, "", arrival.received_at)
        head = top + missing_fields(arrival, fields)
        message = partial(_blocks, head, content)
        mailbox = arrival.origin.login
        submission = Submission(_token(mailbox, arrival.id), mailbox, arrival.mail, recipients, _subject(fields))
        self._enqueue(submission, chain([self._signature(fields, message())], message()))

    def take_forward(self, submission: Submission, arrival: Arrival, content: Content, fields: Sequence[Field]) -> None:
        """A message for an address here that leads elsewhere.  What came from outside is not signed as ours."""
        received = received_field(arrival.origin, self._host, arrival.id, submission.forwarded_for, arrival.received_at)
        head = f"Delivered-To: {submission.forwarded_for}\r\n".encode() + received + missing_fields(arrival, fields)
        message = partial(_blocks, head, content)
        signature = self._signature(fields, message()) if arrival.origin.login else b""
        self._enqueue(replace(submission, subject=_subject(fields)), chain([signature], message()))

    def _enqueue(self, submission: Submission, blocks: Iterable[bytes]) -> None:
        try:
            with self._parts.public.session() as db:
                if not submission.forwarded_for:
                    self._check_allowance(db, submission.mailbox, len(submission.recipients), submission.token)
                queue.enqueue(db, submission, blocks, self._parts.clock.now())
        except SQLAlchemyError as error:
            raise QueueUnavailable from error
        self._parts.bus.ring(Bell(Topic.DELIVERY))

    def _signature(self, fields: Sequence[Field], message: Iterable[bytes]) -> bytes:
        """Of the From's domain, since that is the one DMARC aligns with; nothing where it has no key yet."""
        key = self._keys.find_signing_key(_author_domain(fields))
        return sign(message, key, self._parts.clock.now()) if key else b""


def _token(mailbox: str, message_id: str) -> str:
    return f"{mailbox}:{message_id}"


def _get_mailbox(db: Session, name: str) -> Mailbox:
    """Raises NoSuchMailbox: it went away since they signed in."""
    found = db.scalar(select(Mailbox).where(Mailbox.name == name))
    if found is None:
        raise NoSuchMailbox
    return found


def _subject(fields: Sequence[Field]) -> str:
    """For lists: one line, decoded, and no more of it than is shown."""
    raw = next((field.value for field in fields if field.name == "subject"), b"")
    text = decode.header(raw[:LONGEST_SUBJECT_OCTETS])
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:LONGEST_SUBJECT]


def _author_domain(fields: Sequence[Field]) -> str:
    """Raises NoAuthor, BadAddress."""
    return parse_address(authors(fields)[0], utf8=True).domain


def _blocks(head: bytes, content: Content) -> Iterator[bytes]:
    yield head
    if isinstance(content.body, bytes):
        yield content.body
        return
    with content.body.open("rb") as file:
        while piece := file.read(PIECE_OCTETS):
            yield piece
