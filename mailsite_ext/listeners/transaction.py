"""One SMTP transaction as a listener keeps it (RFC 5321 §3.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.extension_api import MailError
from mailsite_ext.delivery.spool import Spool
from mailsite_ext.domains.directory import Recipient
from mailsite_ext.protocol.smtp_grammar import MailFrom, RcptTo


@dataclass(slots=True)
class Transaction:
    """MAIL, its recipients, and the message as far as it is here."""

    mail: MailFrom
    spool: Spool
    local: list[Recipient] = field(default_factory=list)
    outside: list[RcptTo] = field(default_factory=list)
    fault: MailError | None = None  # of the spool
