"""Rows of a list as they read: every word worked out here, so that the template only prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.mirror.queries import ListRow
from app.mirror.summaries import Sender
from app.sources import Role
from app.web.filters import Calendar, hue, initials

WRITTEN_BY_ME = (Role.SENT, Role.DRAFTS)
MAX_SENDERS = 3
MAX_LABELS = 2


class Words(NamedTuple):
    """The interface's words that rows are made of, translated once a page."""

    me: str
    nobody: str
    no_recipient: str
    no_subject: str


@dataclass(frozen=True, slots=True)
class RowView:
    """One row; `count` is 0 where there is one message."""

    id: int
    who: str
    initials: str
    hue: str
    count: int
    subject: str
    preview: str
    labels: Sequence[tuple[str, str]]
    date: str
    datetime: str
    unread: bool
    starred: bool
    answered: bool
    forwarded: bool
    has_attachments: bool
    is_draft: bool


def row_view(row: ListRow, calendar: Calendar, *, role: Role | None, own: frozenset[str], words: Words) -> RowView:
    """A row of a folder with `role`; `own` holds the person's addresses, in lower case, shown as "me"."""
    written_by_me = role in WRITTEN_BY_ME
    conversation = row.conversation
    who = (row.recipients or words.no_recipient) if written_by_me else _senders(row, own, words)
    face = who if written_by_me else row.from_name or row.from_address
    return RowView(
        id=row.id,
        who=who,
        initials=initials(face),
        hue=hue(face),
        count=conversation.messages if conversation and conversation.messages > 1 else 0,
        subject=row.subject or words.no_subject,
        preview=row.preview or "",
        labels=_labels(row.labels),
        date=calendar.in_list(row.received_at),
        datetime=f"{calendar.local(row.received_at):%Y-%m-%dT%H:%M}",
        unread=conversation.unread > 0 if conversation else not row.seen,
        starred=conversation.flagged > 0 if conversation else row.flagged,
        answered=row.answered,
        forwarded=row.forwarded,
        has_attachments=conversation.has_attachments if conversation else row.has_attachments,
        is_draft=row.draft,
    )


def _senders(row: ListRow, own: frozenset[str], words: Words) -> str:
    """Who wrote, in order of appearance; in a long conversation the first one and the latest ones."""
    senders = row.conversation.senders if row.conversation else (Sender(row.from_name, row.from_address),)
    names = list(dict.fromkeys(_name(sender, own, words) for sender in senders))
    shown = names if len(names) <= MAX_SENDERS else [names[0], "…", *names[1 - MAX_SENDERS :]]
    return ", ".join(shown)


def _name(sender: Sender, own: frozenset[str], words: Words) -> str:
    return words.me if sender.address.lower() in own else sender.name or sender.address or words.nobody


def _labels(labels: str) -> Sequence[tuple[str, str]]:
    """Gmail's own labels begin with a backslash and are folders here; the person's get a name and a hue."""
    if not labels:
        return ()
    own = [label for label in labels.splitlines() if not label.startswith("\\")]
    return [(label, hue(label)) for label in own[:MAX_LABELS]]
