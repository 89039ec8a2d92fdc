"""Deeds on Gmail: messages keep their place in All Mail, their labels change; only Trash and Junk are real moves."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.actions import carry_out, service
from app.bus import Bell, Topic
from app.errors import ActionRefused
from app.mirror import queries
from app.mirror import service as mirror
from app.mirror.models import Folder, Message
from app.sources import Delta, FolderState, GmailIds, Move, StoreLabels
from tests.factories import make_account, make_folder, remote_message
from tests.webmail.actions.test_service import Source
from tests.webmail.mirror.test_labels import ALL_MAIL, TREE, assert_views_are_right

INBOX, TRASH = "\\Inbox", "[Gmail]/Trash"


class Gmail:
    """Alice's account: message 1 in the inbox and under Travel, 2 its answer in the inbox, 3 archived."""

    def __init__(self, db, parts, clock, alice):
        self.db, self.bus, self.clock, self.user = db, parts.bus, clock, alice
        self.account = make_account(db, alice, is_gmail=True)
        mirror.store_folders(db, self.account.id, TREE)
        named = select(Folder).where(Folder.account_id == self.account.id)
        self.folders = {row.name: row.id for row in db.scalars(named)}
        messages = [(3, 9, ()), (2, 7, (INBOX,)), (1, 7, (INBOX, "Travel"))]
        seeds = [remote_message(uid, gmail=GmailIds(uid, thrid, labels)) for uid, thrid, labels in messages]
        delta = Delta(FolderState(1, 4, 5), messages=3, unseen=3, new=seeds)
        mirror.apply_delta(db, self.folders[ALL_MAIL], delta, clock.now())
        mirror.mark_complete(db, self.folders[ALL_MAIL])
        self.ids = {row.uid: row.id for row in db.scalars(select(Message))}

    def do(self, deed, *arguments, **more):
        return deed(self.db, self.user.id, *arguments, self.clock, self.bus, **more)

    def move(self, uid, target, seen_in=None):
        seen_in = self.folders[seen_in] if seen_in else None
        return self.do(service.move, [self.ids[uid]], self.folders[target], seen_in=seen_in)

    def undo(self, action):
        service.undo(self.db, self.user.id, action.id, self.clock, self.bus)

    def carry_out(self, source):
        carry_out.carry_out(self.db, source, self.account.id, self.clock, self.bus)
        return source.told

    def shown(self, folder):
        named = {row_id: uid for uid, row_id in self.ids.items()}
        return sorted(named[row.id] for row in queries.list_messages(self.db, self.folders[folder]))

    def labels(self, uid):
        return set(self.db.scalar(select(Message.labels).where(Message.id == self.ids[uid])).splitlines())


@pytest.fixture
def gmail(db, parts, clock, alice):
    gmail = Gmail(db, parts, clock, alice)
    yield gmail
    assert_views_are_right(db)


def labelled(uid, add=(), remove=()):
    return StoreLabels(ALL_MAIL, (uid,), frozenset(add), frozenset(remove))


@pytest.mark.parametrize(
    ("uid", "target", "seen_in", "told"),
    [
        (1, "INBOX", "Travel", labelled(1, [INBOX], ["Travel"])),
        (2, "Travel", "INBOX", labelled(2, ["Travel"], [INBOX])),
        (1, ALL_MAIL, "Travel", labelled(1, [], ["Travel"])),
        (3, "Travel", ALL_MAIL, labelled(3, ["Travel"])),
        (3, "Travel", None, labelled(3, ["Travel"])),
        (2, "Travel", "[Gmail]/Starred", labelled(2, ["Travel"])),  # a star is no place
        (1, "Travel", "Travel", None),
        (3, ALL_MAIL, ALL_MAIL, None),
        (1, TRASH, "INBOX", Move(ALL_MAIL, (1,), TRASH)),
    ],
)
def test_what_a_move_is(gmail, uid, target, seen_in, told):
    action = gmail.move(uid, target, seen_in)
    assert gmail.carry_out(Source()) == ([told] if told else [])
    assert (action is None) == (told is None)


def test_a_view_of_somebody_else_takes_no_label_away(gmail, db, mallory):
    hers = make_folder(db, make_account(db, mallory), "Travel", label="Travel")
    gmail.do(service.move, [gmail.ids[1]], gmail.folders["INBOX"], seen_in=hers.id)
    assert gmail.labels(1) == {INBOX, "Travel"}


def test_archiving_takes_the_inbox_away_wherever_it_is_seen(gmail):
    action = gmail.do(service.archive, [gmail.ids[1]])
    assert (gmail.shown("INBOX"), gmail.shown("Travel"), gmail.shown(ALL_MAIL)) == ([2], [1], [1, 2, 3])
    assert gmail.do(service.archive, [gmail.ids[3]]) is None
    gmail.undo(action)
    assert (gmail.shown("INBOX"), gmail.carry_out(Source())) == ([1, 2], [])


def test_a_conversation_is_archived_whole(gmail, db):
    (row,) = queries.list_conversations(db, gmail.folders["INBOX"])
    members = queries.conversation_members(db, gmail.user.id, [row.id], limit=100)
    gmail.do(service.archive, members)
    assert gmail.shown("INBOX") == []


def test_undo_takes_back_only_what_was_changed(gmail):
    first = gmail.move(1, "INBOX", "Travel")
    gmail.do(service.label, [gmail.ids[1]], ["Plans"], [])
    gmail.undo(first)
    assert gmail.labels(1) == {INBOX, "Travel", "Plans"}


@pytest.mark.parametrize("deed", [service.delete, service.junk])
def test_a_refused_move_is_back_under_its_labels(gmail, db, deed):
    make_folder(db, gmail.account, "[Gmail]/Spam")
    gmail.do(deed, [gmail.ids[1]])
    assert (gmail.shown("INBOX"), gmail.shown("Travel")) == ([2], [])
    gmail.carry_out(Source(refuses=[ActionRefused("No")]))
    assert (gmail.shown("INBOX"), gmail.shown("Travel")) == ([1, 2], [1])


def test_undoing_a_deletion_puts_back_into_the_inbox_what_was_there(gmail):
    action = gmail.do(service.delete, [gmail.ids[1], gmail.ids[3]])
    gmail.carry_out(Source(copied={1: 41, 3: 43}))
    gmail.undo(action)
    assert (gmail.shown("INBOX"), gmail.shown("Travel"), gmail.shown(ALL_MAIL)) == ([1, 2], [1], [1, 2, 3])
    told = gmail.carry_out(Source(copied={41: 5_001, 43: 8}))
    assert set(told) == {Move(TRASH, (41,), "INBOX"), Move(TRASH, (43,), ALL_MAIL)}
    uids = dict(gmail.db.execute(select(Message.id, Message.uid)).all())
    assert uids[gmail.ids[3]] == 8
    assert uids[gmail.ids[1]] < 0  # 5001 is a UID in the label's own folder, which All Mail knows nothing of


def test_a_second_place_is_a_second_label(gmail):
    gmail.do(service.copy, [gmail.ids[2]], gmail.folders["Travel"])
    assert gmail.carry_out(Source()) == [labelled(2, ["Travel"])]
    assert gmail.shown(ALL_MAIL) == [1, 2, 3]


def test_pages_of_every_label_are_rung(gmail, parts):
    with parts.bus.subscribe() as ear:
        gmail.do(service.flag, [gmail.ids[1]], ["\\Seen"], [])
        wanted = {Bell(Topic.FOLDER, gmail.folders[name]) for name in (ALL_MAIL, "INBOX", "Travel")}
        heard = set()
        while not heard >= wanted:
            heard |= set(ear.wait(5.0)) or pytest.fail(f"only {heard} rang")
