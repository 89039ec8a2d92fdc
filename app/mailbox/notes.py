"""What the folder tree says under an account that is not well (E14), or not complete yet."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _

from app.accounts.models import AccountState
from app.actions.models import BulkDeed, BulkState
from app.actions.words import progress_words
from app.mirror.tree import AccountRow
from app.web.filters import Calendar


@dataclass(frozen=True, slots=True)
class Note:
    """What is the matter, and the link that leads to its remedy; `badge` stands beside the account's name."""

    words: str
    remedy: str
    badge: str
    is_bad: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the first sync is, in messages."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """How far a deed on a whole folder is, in messages, and the id it is undone by; 0 while that is being done."""

    words: str
    done: int
    total: int
    undo_id: int

    @classmethod
    def of(cls, deed: BulkDeed) -> BulkProgress:
        undo_id = deed.id if deed.state is BulkState.RUNNING else 0
        return cls(progress_words(deed), min(deed.done, deed.total), deed.total, undo_id)


def find_note(account: AccountRow, calendar: Calendar) -> Note | None:
    """The note of an account in trouble or paused."""
    if account.paused:
        return Note(_("Mail is not fetched."), _("Resume"), _("Paused"), is_bad=False)
    if not account.error:
        return None
    what, remedy, badge = _trouble(account)
    return Note(f"{what} {_shown_until(account, calendar)}".strip(), remedy, badge)


def find_progress(account: AccountRow) -> Progress | None:
    """The progress of a first sync that is under way."""
    if account.state is not AccountState.NEW or account.sync_done >= account.sync_total:
        return None
    return Progress(account.sync_done, account.sync_total)


def _trouble(account: AccountRow) -> tuple[str, str, str]:
    """What happened, what to do, and the state in a word, by the error's class."""
    quoted = _quote(account.error_detail)
    stopped, offline = _("Stopped"), _("Offline")
    check = _("Check the account")
    table = {
        "LoginRefused": (_("The password no longer works."), _("Sign in again"), stopped),
        "GrantRevoked": (_("The permission to read this mail was taken back."), _("Connect again"), stopped),
        "NameNotFound": (_("No server of this name is known."), check, offline),
        "ConnectionRefused": (_("The server refuses connections. It is tried again by itself."), check, offline),
        "AddressRefused": (_("The server has a private address, which an admin must allow."), check, stopped),
        "TlsFailed": (_("The connection is not secure: %(detail)s", detail=quoted), check, stopped),
        "TooManyConnections": (_("The server allows no more connections now. It is tried again."), check, offline),
    }
    return table.get(account.error, (_("The server does not answer. It is tried again by itself."), check, offline))


def _quote(detail: str) -> str:
    return f"“{detail[:120]}”" if detail else _("no reason was given.")


def _shown_until(account: AccountRow, calendar: Calendar) -> str:
    if account.last_sync_at is None:
        return ""
    return str(_("Mail up to %(time)s is shown.", time=calendar.date_and_time(account.last_sync_at)))
