"""Sending what is due: `sending` is written before the first octet, what came of it right after the last reply."""

from __future__ import annotations

from app.accounts.models import MailAccount
from app.bus import Bell, Topic
from app.errors import FateUnknown, MailError, SubmissionRefused
from app.outbox import service
from app.outbox.models import Outgoing
from app.outbox.states import Event, Outcome, judge
from app.outbox.submitter import Envelope, MailSubmitter
from app.outbox.submitters import submitter_for
from app.runtime import Runtime


def send_due(
    parts: Runtime, account: MailAccount, outgoing: Outgoing, *, submitter: MailSubmitter | None = None
) -> None:
    """Send one due message of `account`; the engine calls this for each of `service.due`.

    Never raises a MailError: whatever happens stands in the row, and the person's pages are rung.  A message that
    somebody else started, or the person took back, is left alone.  Whoever dies in here leaves the row in `sending`,
    which `service.recover` turns into `unknown`.
    """
    with parts.public.session() as db:
        if not service.start(db, outgoing.id, parts.clock.now()):
            return
        sent = db.get_one(Outgoing, outgoing.id)
        message = sent.message
        db.commit()  # nothing is held over the network
        parts.bus.ring(Bell(Topic.SENT, sent.user_id))
        try:
            outcome = _try(parts, account, submitter, sent, message)
        except BaseException:  # a bug, or the process ends: nobody knows how far it came
            service.lose(db, sent.id, "")
            raise
        if isinstance(outcome, Outcome):
            service.finish(db, sent, outcome, parts.clock.now())
        else:
            service.lose(db, sent.id, outcome.detail)
    parts.bus.ring(Bell(Topic.SENT, sent.user_id), Bell(Topic.OUTBOX, account.id))


def _try(
    parts: Runtime, account: MailAccount, submitter: MailSubmitter | None, sent: Outgoing, message: bytes
) -> Outcome | FateUnknown:
    envelope = Envelope(sent.uuid, sent.mail_from, tuple(sent.recipients), sent.needs_smtputf8)
    try:
        refused = (submitter or submitter_for(parts, account)).submit(envelope, message)
    except FateUnknown as fault:
        return fault
    except SubmissionRefused as refusal:
        return Outcome(Event.REFUSE, {}, words=refusal.detail)
    except MailError as fault:
        return Outcome(Event.DEFER, {}, words=f"{type(fault).__name__}: {fault.detail}".rstrip(": "))
    return judge(sent.recipients, refused)
