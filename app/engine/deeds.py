"""What people did and wrote, carried out: actions, sending, filing of drafts and sent mail."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.actions import bulk, carry_out
from app.actions.deeds import Doer
from app.actions.models import Action, BulkDeed
from app.actions.pending import WAITING
from app.bus import Topic
from app.compose.models import Draft
from app.engine.desk import Desk
from app.engine.plan import KnownFolder, stores_of
from app.engine.sync import known_folders
from app.folders import carry_out as folder_changes
from app.folders.models import FolderChange
from app.mirror.models import BodyRequest, RequestState
from app.outbox import filing
from app.outbox import service as outbox
from app.outbox.models import Outgoing
from app.outbox.send import send_due
from app.outbox.states import OutboxState
from app.search import carry_out as searching
from app.search.models import ServerSearch
from app.sources import MailSource

Waiting = BodyRequest | ServerSearch | Action | BulkDeed | FolderChange | Outgoing | Draft


def accounts_that_wait(db: Session, engine_id: int, now: datetime, *, all_kinds: bool) -> Sequence[tuple[int, Topic]]:
    """Accounts of this engine with work to do now, and the bell that says so: bodies only, or `all_kinds`."""
    found: list[tuple[int, Topic]] = []
    waiting = _waiting(now) if all_kinds else _waiting(now)[:1]
    for topic, table, condition in waiting:
        held = select(MailAccount.id).where(MailAccount.engine_id == engine_id)
        with_work = held.where(exists().where(table.account_id == MailAccount.id, condition))
        found.extend((account_id, topic) for account_id in db.scalars(with_work))
    return found


def _waiting(now: datetime) -> Sequence[tuple[Topic, type[Waiting], ColumnElement[bool]]]:
    unsent = (Outgoing.state == OutboxState.HELD) & (Outgoing.not_before <= now)
    return (
        (Topic.BODY_WANTED, BodyRequest, BodyRequest.state == RequestState.WANTED),
        (Topic.ACTIONS, Action, Action.state.in_(WAITING) & (Action.not_before <= now)),
        (Topic.SEARCH, ServerSearch, searching.is_wanted(now)),
        (Topic.ACTIONS, BulkDeed, BulkDeed.state.in_(bulk.AT_WORK)),
        (Topic.ACTIONS, FolderChange, FolderChange.refused.is_(False)),
        (Topic.OUTBOX, Outgoing, unsent | (Outgoing.state == OutboxState.ACCEPTED)),
        (Topic.OUTBOX, Draft, (Draft.file_after <= now) & ~Draft.handed_over),
    )


def change_folders(desk: Desk, source: MailSource) -> bool:
    """Tell the source what people did to folders; whether there was anything.  Raises what breaks the session."""
    with desk.session() as db:
        done = folder_changes.carry_out(db, source, desk.account_id)
    if done:
        desk.ring_tree()
    return done > 0


def go_on_in_bulk(desk: Desk) -> bool:
    """Some more of what is done to whole folders; False if nothing is left, or it has to wait for the server."""
    with desk.session() as db:
        deed = bulk.find_at_work(db, desk.account_id)
        if deed is None:
            return False
        doer = Doer(db, deed.user_id, desk.parts.clock, desk.parts.bus)
        more = bulk.step(doer, deed)
    desk.ring_tree()
    return more


def do_actions(desk: Desk, source: MailSource) -> tuple[Sequence[KnownFolder], datetime | None]:
    """Tell the source what people did: the folders that changed by it, and when the next held action is due.

    Raises what breaks the session; what was not done then waits.
    """
    now = desk.parts.clock.now()
    with desk.session() as db:
        due = carry_out.due_actions(db, desk.account_id, now)
        touched = {folder_id for action in due for folder_id in (action.folder_id, action.target_id)}
        carry_out.carry_out(db, source, desk.account_id, desk.parts.clock, desk.parts.bus)
        return _folders(db, desk, touched), carry_out.next_due_at(db, desk.account_id)


def file(desk: Desk, source: MailSource) -> tuple[Sequence[KnownFolder], datetime | None]:
    """File the drafts and sent messages that are due: the folders that changed by it, and when the next are due."""
    with desk.session() as db:
        account = db.get_one(MailAccount, desk.account_id)
    touched = filing.file_due(desk.parts, source, account, open_session=desk.session)
    with desk.session() as db:
        return _folders(db, desk, touched), filing.next_filing_at(db, desk.account_id, desk.parts.clock.now())


def _folders(db: Session, desk: Desk, ids: Collection[int | None]) -> Sequence[KnownFolder]:
    return stores_of(known_folders(db, desk.account_id), ids)


def search(desk: Desk, source: MailSource) -> bool:
    """Ask the server of one more folder; whether there is more to ask.  Raises what breaks the session."""
    with desk.session() as db:
        wanted = searching.find_wanted(db, desk.account_id, desk.parts.clock.now())
        if wanted is not None:
            searching.step(db, source, wanted, desk.parts.bus)
        return wanted is not None


def recover(desk: Desk) -> None:
    """What an engine before left half sent is unknown now."""
    with desk.session() as db:
        outbox.recover(db, desk.account_id)


def send(desk: Desk) -> datetime | None:
    """Send what is due; when the next message is."""
    with desk.session() as db:
        account = db.get_one(MailAccount, desk.account_id)
        due = outbox.due(db, desk.account_id, desk.parts.clock.now())
    for outgoing in due:
        send_due(desk.parts, account, outgoing)
    with desk.session() as db:
        return outbox.next_due_at(db, desk.account_id)
