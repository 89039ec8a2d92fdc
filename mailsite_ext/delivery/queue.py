"""The delivery queue: every message taken has a fate that can be found (X4).  Its functions commit.

Any number of processes on any number of machines work on it: a claim is a conditional UPDATE, and what came of it is
written only as long as the claim holds.  SQL is the truth; bells only save time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from app.extension_api import Database, row_count
from mailsite_ext.delivery import suppression
from mailsite_ext.delivery.bounce import is_wanted
from mailsite_ext.delivery.models import DeliveryAttempt, QueuedBlock, QueuedMessage, QueuedRecipient
from mailsite_ext.delivery.remote import Answer
from mailsite_ext.delivery.retry import FINAL, Fate, Notice, outcome_of, tells_of_delay
from mailsite_ext.protocol.smtp_client import Mail, To
from mailsite_ext.protocol.smtp_grammar import Body, MailFrom, Notify, RcptTo

log = logging.getLogger(__name__)

BLOCK_OCTETS = 256 * 1024
CLAIMED_FOR = timedelta(hours=1)
MESSAGES_OF_A_CLAIM = 20
RECIPIENTS_OF_A_CLAIM = 500
CLAIMS_OF_A_DOMAIN = 4  # connections to one destination at a time
REMEMBERED_FOR = timedelta(days=14)  # a fate, after it is known
UNFINISHED_FOR = timedelta(days=1)  # a message whose taking broke off


@dataclass(frozen=True, slots=True)
class Submission:
    """A message somebody here sends to others; the same `token` is taken once."""

    token: str
    mailbox: str
    mail: MailFrom
    recipients: Sequence[RcptTo]
    subject: str = ""
    forwarded_for: str = ""  # an address here; empty: `mailbox` sent it


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message and those of its recipients this claim is on."""

    message: QueuedMessage
    recipients: Sequence[QueuedRecipient]

    @property
    def mail(self) -> Mail:
        message = self.message
        return Mail(
            sender=message.sender,
            recipients=tuple(To(each.address, notify_of(each), each.orcpt) for each in self.recipients),
            octets=message.octets,
            is_eight_bit=message.is_eight_bit,
            needs_utf8=message.needs_utf8,
            requires_tls=message.requires_tls,
            ret=message.ret,
            envid=message.envid,
        )


def notify_of(recipient: QueuedRecipient) -> frozenset[Notify]:
    return frozenset(Notify(word) for word in recipient.notify.split(",") if word)


# Taking


def enqueue(db: Session, submission: Submission, blocks: Iterable[bytes], now: datetime) -> None:
    """Take a message; when this returns it is durable.  A token that was taken before is taken already.

    Block by block, each committed, so that a large one never keeps other writers waiting; nothing is sent of a message
    before its recipients are there, which come last.
    """
    if db.scalar(select(QueuedMessage.id).where(QueuedMessage.token == submission.token, QueuedMessage.is_whole)):
        return
    message = _begin(db, submission, now)
    octets = 0
    for number, block in enumerate(_blocks_of(blocks)):
        db.add(QueuedBlock(message_id=message.id, number=number, octets=block))
        db.commit()
        octets += len(block)
        message.is_eight_bit = message.is_eight_bit or not block.isascii()
    message.octets, message.is_whole = octets, True
    db.add_all(_recipient(message.id, rcpt, now) for rcpt in submission.recipients)
    db.commit()


def _begin(db: Session, submission: Submission, now: datetime) -> QueuedMessage:
    """The message's row, in the place of one whose taking broke off."""
    db.execute(delete(QueuedMessage).where(QueuedMessage.token == submission.token, ~QueuedMessage.is_whole))
    mail = submission.mail
    message = QueuedMessage(
        token=submission.token,
        mailbox=submission.mailbox,
        subject=submission.subject,
        forwarded_for=submission.forwarded_for,
        sender=str(mail.sender or ""),
        octets=0,
        is_eight_bit=mail.body is not Body.SEVEN_BIT,
        needs_utf8=mail.utf8,
        requires_tls=mail.require_tls,
        ret=mail.ret,
        envid=mail.envid,
        is_whole=False,
        has_octets=True,
        queued_at=now,
    )
    db.add(message)
    db.commit()
    return message


def _recipient(message_id: int, rcpt: RcptTo, now: datetime) -> QueuedRecipient:
    return QueuedRecipient(
        message_id=message_id,
        address=str(rcpt.recipient),
        domain=rcpt.recipient.domain,
        notify=",".join(sorted(rcpt.notify)),
        orcpt=rcpt.orcpt,
        fate=Fate.WAITING,
        next_at=now,
    )


def _blocks_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= BLOCK_OCTETS:
            yield bytes(waiting[:BLOCK_OCTETS])
            del waiting[:BLOCK_OCTETS]
    if waiting:
        yield bytes(waiting)


# Working on it


def _is_due(now: datetime) -> ColumnElement[bool]:
    unclaimed = or_(QueuedRecipient.claimed_until.is_(None), QueuedRecipient.claimed_until <= now)
    return and_(QueuedRecipient.fate == Fate.WAITING, QueuedRecipient.next_at <= now, unclaimed)


def due_domains(db: Session, now: datetime, *, besides: Collection[str], most: int) -> Sequence[str]:
    """Destinations something is due for, the longest due first."""
    due = select(QueuedRecipient.domain).where(_is_due(now), QueuedRecipient.domain.not_in(besides))
    return db.scalars(
        due.group_by(QueuedRecipient.domain).order_by(func.min(QueuedRecipient.next_at)).limit(most)
    ).all()


def claim(db: Session, domain: str, token: str, now: datetime) -> Sequence[Claimed]:
    """Take on some of what is due for a destination, unless enough processes are at it; `token` names the claim."""
    here = QueuedRecipient.domain == domain
    at_it = select(func.count(func.distinct(QueuedRecipient.claim))).where(here, QueuedRecipient.claimed_until > now)
    if (db.scalar(at_it) or 0) >= CLAIMS_OF_A_DOMAIN:
        return []
    _log_lost_claims(db, domain, now)
    messages = select(QueuedRecipient.message_id).where(here, _is_due(now)).group_by(QueuedRecipient.message_id)
    oldest = messages.order_by(func.min(QueuedRecipient.next_at)).limit(MESSAGES_OF_A_CLAIM)
    wanted = select(QueuedRecipient.id).where(
        here, _is_due(now), QueuedRecipient.message_id.in_(db.scalars(oldest).all())
    )
    some = db.scalars(wanted.order_by(QueuedRecipient.id).limit(RECIPIENTS_OF_A_CLAIM)).all()
    until = now + CLAIMED_FOR
    values = {"claim": token, "claimed_until": until, "next_at": until, "tries": QueuedRecipient.tries + 1}
    db.execute(update(QueuedRecipient).where(QueuedRecipient.id.in_(some), _is_due(now)).values(values))
    db.commit()
    return _claimed(db, token)


def _log_lost_claims(db: Session, domain: str, now: datetime) -> None:
    """A process died between what a server said and writing it down: the only way that mail is sent twice (X4)."""
    lost = select(QueuedRecipient.address).where(
        QueuedRecipient.domain == domain, QueuedRecipient.claim != "", _is_due(now)
    )
    for address in db.scalars(lost.limit(100)):
        log.warning("the delivery to %s broke off and is tried again: it may arrive twice", address)


def _claimed(db: Session, token: str) -> Sequence[Claimed]:
    both = select(QueuedRecipient, QueuedMessage).join(QueuedMessage, QueuedMessage.id == QueuedRecipient.message_id)
    rows = db.execute(both.where(QueuedRecipient.claim == token).order_by(QueuedMessage.id, QueuedRecipient.id)).all()
    grouped = groupby(rows, key=lambda row: row[1].id)
    return [_of_rows([(row[0], row[1]) for row in group]) for _, group in grouped]


def _of_rows(rows: Sequence[tuple[QueuedRecipient, QueuedMessage]]) -> Claimed:
    return Claimed(rows[0][1], [recipient for recipient, _ in rows])


def read_blocks(database: Database, message_id: int) -> Iterator[bytes]:
    """A message's octets, one block at a time; no connection is held while one is sent."""
    number = 0
    while True:
        with database.session() as db:
            block = db.get(QueuedBlock, (message_id, number))
        if block is None:
            return
        yield block.octets
        number += 1


def settle(
    db: Session, claimed: Sequence[Claimed], answers: Mapping[tuple[int, str], Answer], now: datetime,
    chance: Callable[[], float],
) -> None:  # fmt: skip
    """Write down what came of a claim.  Recipients whose claim was lost meanwhile stay as they are."""
    for one in claimed:
        for recipient in one.recipients:
            answer = answers[one.message.id, recipient.address]
            values = _after(one.message, recipient, answer, now, chance())
            mine = update(QueuedRecipient).where(
                QueuedRecipient.id == recipient.id, QueuedRecipient.claim == recipient.claim
            )
            if row_count(db.execute(mine.values(values))) == 0:
                log.warning("the claim on %s was lost: it may arrive twice", recipient.address)
            if not one.message.forwarded_for and suppression.is_about_the_address(answer.reply):
                suppression.remember(db, one.message.mailbox, recipient.address, answer.reply, now)
    db.commit()


def _after(
    message: QueuedMessage, recipient: QueuedRecipient, answer: Answer, now: datetime, chance: float
) -> Mapping[str, object]:
    outcome = outcome_of(answer.reply, recipient.tries, message.queued_at, now, chance)
    notice = _notice(message, recipient, answer, outcome.fate, now)
    told = recipient.told_of_delay or notice is Notice.DELAYED
    return {
        "fate": outcome.fate,
        "next_at": outcome.next_at,
        "claim": "",
        "claimed_until": None,
        "code": answer.reply.code,
        "words": answer.reply.words,
        "host": answer.host,
        "tried_at": now,
        "told_of_delay": told,
        "to_tell": notice if notice and message.sender and is_wanted(notice, notify_of(recipient)) else "",
    }


def _notice(
    message: QueuedMessage, recipient: QueuedRecipient, answer: Answer, fate: Fate, now: datetime
) -> Notice | None:
    if fate is Fate.FAILED:
        return Notice.FAILED
    if fate is Fate.DELIVERED:  # a server that knows DSN tells by itself (RFC 3461 §5.2.2)
        return None if answer.tells_itself else Notice.RELAYED
    if tells_of_delay(message.queued_at, now, told=recipient.told_of_delay):
        return Notice.DELAYED
    return None


def note_attempt(
    db: Session, claimed: Sequence[Claimed], domain: str, begun_at: datetime, transcript: str, *, blocked: bool
) -> None:
    for one in claimed:
        db.add(
            DeliveryAttempt(
                message_id=one.message.id,
                domain=domain,
                begun_at=begun_at,
                port_25_blocked=blocked,
                transcript=transcript,
            )
        )
    db.commit()


# Telling senders


@dataclass(frozen=True, slots=True)
class ToTell:
    """A notice to the sender of a message, about some of its recipients."""

    notice: Notice
    message: QueuedMessage
    recipients: Sequence[QueuedRecipient]

    @property
    def token(self) -> str:
        """The same notice has the same name, so that it is not delivered twice."""
        return f"{self.message.id}.{self.recipients[0].id}.{self.notice}"


def find_to_tell(db: Session, most: int = 50) -> Sequence[ToTell]:
    both = select(QueuedRecipient, QueuedMessage).join(QueuedMessage, QueuedMessage.id == QueuedRecipient.message_id)
    rows = db.execute(both.where(QueuedRecipient.to_tell != "").order_by(QueuedMessage.id, QueuedRecipient.to_tell,
                      QueuedRecipient.id).limit(most)).all()  # fmt: skip
    grouped = groupby(rows, key=lambda row: (row[1].id, row[0].to_tell))
    return [_to_tell([(row[0], row[1]) for row in group]) for _, group in grouped]


def _to_tell(rows: Sequence[tuple[QueuedRecipient, QueuedMessage]]) -> ToTell:
    return ToTell(Notice(rows[0][0].to_tell), rows[0][1], [recipient for recipient, _ in rows])


def told(db: Session, one: ToTell) -> None:
    ids = [recipient.id for recipient in one.recipients]
    these = update(QueuedRecipient).where(QueuedRecipient.id.in_(ids), QueuedRecipient.to_tell == one.notice)
    db.execute(these.values(to_tell=""))
    db.commit()


# Tidying


def tidy(db: Session, now: datetime) -> None:
    """Octets nobody needs any more, rows whose fate was remembered long enough, and takings that broke off."""
    open_ones = exists().where(
        QueuedRecipient.message_id == QueuedMessage.id,
        or_(QueuedRecipient.fate.not_in(FINAL), QueuedRecipient.to_tell != ""),
    )
    ended = select(QueuedMessage.id).where(QueuedMessage.is_whole, QueuedMessage.has_octets, ~open_ones)
    for message_id in db.scalars(ended.limit(500)).all():
        db.execute(delete(QueuedBlock).where(QueuedBlock.message_id == message_id))
        db.execute(update(QueuedMessage).where(QueuedMessage.id == message_id).values(has_octets=False))
        db.commit()
    suppression.forget_old(db, now)
    forgotten = QueuedMessage.queued_at < now - REMEMBERED_FOR
    broken_off = and_(~QueuedMessage.is_whole, QueuedMessage.queued_at < now - UNFINISHED_FOR)
    db.execute(delete(QueuedMessage).where(or_(and_(forgotten, ~QueuedMessage.has_octets), broken_off)))
    db.commit()
