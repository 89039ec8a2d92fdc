"""A mail of the site's own, as a value and as a message.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid


@dataclass(frozen=True, slots=True)
class Notice:
    """What to tell whom, in plain text."""

    to: str
    subject: str
    text: str


def as_message(notice: Notice, from_address: str, now: datetime) -> EmailMessage:
    """The message on the wire; marked as automatic, so that nothing answers it (RFC 3834 §5).  Raises ValueError."""
    message = EmailMessage(policy=SMTP)
    message["From"] = from_address
    message["To"] = notice.to
    message["Subject"] = notice.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=from_address.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.text)
    return message
