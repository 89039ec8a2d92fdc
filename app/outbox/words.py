"""What has become of a message, told to whoever wrote it."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _

from app.outbox.models import Outgoing
from app.outbox.service import ACCOUNT_REMOVED
from app.outbox.states import OutboxState
from app.web.filters import Calendar


@dataclass(frozen=True, slots=True)
class Notice:
    """A callout: its kind (ok, warn, bad, or empty), what happened, and what that means."""

    kind: str
    title: str
    text: str = ""


def notice_of(outgoing: Outgoing, calendar: Calendar) -> Notice:
    """The state of a message in words."""
    match outgoing.state:
        case OutboxState.HELD if outgoing.attempts == 0 and outgoing.scheduled_at:
            time = calendar.date_and_time(outgoing.not_before)
            return Notice("", _("To be sent %(time)s", time=time), _("Until then it can be taken back and changed."))
        case OutboxState.HELD if outgoing.attempts == 0:
            return Notice("", _("Waiting to be sent"), _("It can still be taken back."))
        case OutboxState.HELD:
            next_try = _("Next try: %(time)s.", time=calendar.date_and_time(outgoing.not_before))
            return Notice("warn", _("Not sent yet"), f"{reason(outgoing.error)} {next_try}")
        case OutboxState.SENDING:
            return Notice("", _("Being sent"))
        case OutboxState.UNKNOWN if outgoing.looked_at is None:
            return Notice("warn", _("The connection broke while this was sent"), _("Looking for it in Sent."))
        case OutboxState.UNKNOWN:
            title = _("It is not known whether “%(subject)s” was sent", subject=outgoing.subject or _("(no subject)"))
            return Notice("warn", title, _("The connection broke before the server answered, and it is not in Sent."))
        case OutboxState.REFUSED:
            return Notice("bad", _("Not sent: the server refused it"), _("It said: %(words)s", words=outgoing.error))
        case OutboxState.CANCELLED if outgoing.error == ACCOUNT_REMOVED:
            return Notice("warn", _("Not sent: the account was removed"), _("The text is kept as a draft."))
        case OutboxState.CANCELLED:
            return Notice("", _("Not sent: taken back"))
    if outgoing.error:
        return Notice("warn", _("Sent, but not to everybody"), _("Refused: %(words)s", words=outgoing.error))
    return Notice("ok", _("Sent"))


def reason(error: str) -> str:
    """Why a message waits, from `Kind: the server's words` as send.py writes it."""
    kind, _colon, words = error.partition(": ")
    said: dict[str, str] = {
        "LoginRefused": _("The server refused the login. It said: %(words)s", words=words),
        "GrantRevoked": _("The provider wants you to sign in again. Reconnect the account in its settings."),
        "SubmissionDeferred": _("The server put it off. It said: %(words)s", words=words),
        "NameNotFound": _("No server has that name: %(words)s.", words=words),
        "ConnectionRefused": _("The server does not take connections: %(words)s.", words=words),
        "TimedOut": _("The server did not answer in time."),
        "AddressRefused": _("The server's address is private, and the admin has not allowed it."),
        "TlsFailed": _("The connection could not be protected: %(words)s.", words=words),
        "StarttlsNotOffered": _("The server does not offer a protected connection."),
        "ConnectionLost": _("The connection broke."),
    }
    return said.get(kind) or _("The server cannot be reached.")
