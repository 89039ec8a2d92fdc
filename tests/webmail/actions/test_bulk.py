"""One deed on everything in a folder that matches."""

import threading
from contextlib import suppress

import pytest
from sqlalchemy import delete, select

from app.actions import bulk, carry_out
from app.actions.deeds import Doer
from app.actions.models import Action, ActionState, BulkDeed, BulkState
from app.bus import Bell, Topic
from app.errors import ActionRefused, BadInput, NoSuchFolder, NotFound
from app.mirror import queries
from app.mirror.models import Message
from app.mirror.queries import ListFilter
from app.sources import Applied, Role
from tests.factories import make_account, make_folder, make_message
from tests.webmail.mirror.test_service import assert_consistent

FEW = 4


class Source:
    """A server that does all it is told, or refuses it."""

    def __init__(self):
        self.told = []
        self.refusal = None

    def apply(self, action):
        self.told.append(action)
        if self.refusal:
            raise self.refusal
        return Applied({uid: uid + 1_000 for uid in action.uids}, 1)


class World:
    """Alice's account with ten messages in the inbox, the even ones read."""

    def __init__(self, db, parts, clock, alice):
        self.db, self.parts, self.clock, self.source = db, parts, clock, Source()
        self.doer = Doer(db, alice.id, clock, parts.bus)
        self.account = make_account(db, alice)
        self.inbox = make_folder(db, self.account)
        self.archive = make_folder(db, self.account, "Archive", Role.ARCHIVE)
        self.trash = make_folder(db, self.account, "Trash", Role.TRASH)
        self.messages = [
            make_message(db, self.inbox, flags=["\\Seen"] if number % 2 == 0 else []) for number in range(10)
        ]

    def start(self, name, object_="", filter=ListFilter.ALL, folder=None, **how):
        self.db.refresh(folder or self.inbox)
        how = {"conversations": False, **how}
        return bulk.start(self.doer, folder or self.inbox, name, object_, filter, **how)

    def server_works(self):
        carry_out.carry_out(self.db, self.source, self.account.id, self.clock, self.parts.bus)

    def engine_works(self):
        """Until nothing is left to do."""
        while deed := bulk.find_at_work(self.db, self.account.id):
            bulk.step(self.doer, deed)
            self.server_works()
        self.server_works()

    def inside(self, folder):
        self.db.expire_all()
        return set(self.db.scalars(select(Message.id).where(Message.folder_id == folder.id)))

    @property
    def ids(self):
        return {message.id for message in self.messages}


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch):
    monkeypatch.setattr(bulk, "AT_ONCE", FEW)
    monkeypatch.setattr(bulk, "CONVERSATIONS_AT_ONCE", FEW)


@pytest.fixture
def world(db, parts, clock, alice):
    return World(db, parts, clock, alice)


def test_the_newest_are_done_at_once_and_the_rest_behind(world, db):
    deed = world.start("archive")
    newest = sorted(world.ids, reverse=True)[:FEW]
    assert world.inside(world.archive) == set(newest)
    assert (deed.total, deed.done, deed.state) == (10, FEW, BulkState.RUNNING)
    world.engine_works()
    assert world.inside(world.archive) == world.ids
    assert_consistent(db)
    db.refresh(deed)
    assert (deed.state, deed.done) == (BulkState.DONE, 10)
    assert [len(action.uids) for action in world.source.told] == [8, 2]  # what waits together is one command


def test_it_never_runs_far_ahead_of_the_server(world):
    deed = world.start("archive")
    assert bulk.step(world.doer, deed)
    assert not bulk.step(world.doer, deed)
    assert len(world.inside(world.archive)) == FEW * bulk.MOST_WAITING
    world.server_works()
    assert bulk.step(world.doer, deed)


def test_only_what_passes_the_filter(world):
    deed = world.start("archive", filter=ListFilter.UNREAD)
    assert deed.total == 5
    world.engine_works()
    assert world.inside(world.archive) == {message.id for message in world.messages if not message.seen}


def test_messages_of_a_filtered_conversation_come_along(world, db):
    unread = make_message(db, world.inbox)
    answer = make_message(db, world.inbox, answers=unread, flags=["\\Seen"])
    world.start("archive", filter=ListFilter.UNREAD, conversations=True)
    world.engine_works()
    assert {unread.id, answer.id} <= world.inside(world.archive)


def test_reading_unread_mail_ends(world, db):
    world.start("read", filter=ListFilter.UNREAD)
    world.engine_works()
    db.refresh(world.inbox)
    assert world.inbox.unread == 0


def test_mail_that_arrives_meanwhile_is_left_alone(world, db):
    world.start("archive")
    old = make_message(db, world.inbox, received_at=world.messages[0].received_at)
    world.engine_works()
    assert world.inside(world.inbox) == {old.id}


def test_undo_takes_all_of_it_back(world, db):
    deed = world.start("archive")
    world.engine_works()
    bulk.undo(world.doer, deed.id)
    assert len(world.inside(world.inbox)) == FEW
    world.engine_works()
    assert world.inside(world.inbox) == world.ids
    assert_consistent(db)
    assert db.get(BulkDeed, deed.id, populate_existing=True).state is BulkState.UNDONE


def test_undo_in_the_middle_stops_it(world, db):
    deed = world.start("archive")
    world.server_works()
    bulk.undo(world.doer, deed.id)
    world.engine_works()
    assert world.inside(world.inbox) == world.ids
    with pytest.raises(BadInput):
        bulk.undo(world.doer, deed.id)


def test_what_the_server_refuses_comes_back_and_the_rest_goes_on(world, db):
    world.source.refusal = ActionRefused("No")
    world.start("archive")
    world.engine_works()
    assert world.inside(world.inbox) == world.ids
    assert {action.state for action in db.scalars(select(Action))} == {ActionState.REFUSED}


def test_emptying_trash_holds_nothing(world, db):
    gone = sorted(make_message(db, world.trash).uid for _ in range(10))
    world.start("delete", folder=world.trash)
    world.engine_works()
    assert not world.inside(world.trash)
    assert sorted(uid for action in world.source.told for uid in action.uids) == gone


def test_a_target_that_is_gone_ends_it(world, db):
    receipts = make_folder(db, world.account, "Receipts")
    deed = world.start("move", str(receipts.id))
    world.server_works()
    db.execute(delete(Message).where(Message.folder_id == receipts.id))
    db.delete(receipts)
    db.commit()
    assert not bulk.step(world.doer, deed)
    assert deed.state is BulkState.DONE
    assert len(world.inside(world.inbox)) == 6


@pytest.mark.parametrize(("name", "object_"), [("nonsense", ""), ("move", "x"), ("move", ""), ("label", " ")])
def test_what_cannot_be_done_leaves_nothing_behind(world, db, name, object_):
    with pytest.raises(BadInput):
        world.start(name, object_)
    assert not db.scalars(select(BulkDeed)).all()


def test_anothers_folder_is_no_target(world, db, bob):
    theirs = make_folder(db, make_account(db, bob))
    with pytest.raises(NoSuchFolder):
        world.start("move", str(theirs.id))
    assert not db.scalars(select(BulkDeed)).all()


def test_only_ones_own_is_undone(world, bob):
    deed = world.start("archive")
    with pytest.raises(NotFound):
        bulk.undo(Doer(world.db, bob.id, world.clock, world.parts.bus), deed.id)


def test_an_empty_folder_is_done_at_once(world, db):
    deed = world.start("archive", folder=world.trash)
    assert (deed.state, deed.total) == (BulkState.DONE, 0)


def test_the_engine_and_the_tree_are_rung(world):
    with world.parts.bus.subscribe() as ear:
        world.start("archive")
        wanted = {Bell(Topic.ACTIONS, world.account.id), Bell(Topic.TREE, world.doer.user_id)}
        heard = set()
        while not heard >= wanted:
            heard |= set(ear.wait(5.0)) or pytest.fail(f"only {heard} rang")


def test_counts_of_filters(world, db):
    make_message(db, world.inbox, flags=["\\Flagged"])
    make_message(db, world.inbox, has_attachments=True)
    db.refresh(world.inbox)
    counted = {filter: bulk.count(db, world.inbox, filter) for filter in ListFilter}
    assert counted == {ListFilter.ALL: 12, ListFilter.UNREAD: 7, ListFilter.FLAGGED: 1, ListFilter.ATTACHMENTS: 1}


def test_not_everything_at_once(world, monkeypatch):
    monkeypatch.setattr(bulk, "MOST_AT_WORK", 1)
    world.start("archive")
    with pytest.raises(BadInput, match="Wait"):
        world.start("read")


def test_the_page_that_begins_it_and_the_engine_do_not_both_do_it(world, parts, monkeypatch):
    """Whoever came second once deleted for good what the first had just moved to Trash."""
    listed, meeting = queries.list_messages, threading.Barrier(2)

    def list_together(*args, **how):
        rows = listed(*args, **how)
        with suppress(threading.BrokenBarrierError):
            meeting.wait(0.2)  # nobody comes where one waits for the other
        return rows

    def engine_steps():
        with parts.public.session() as db:
            deed = bulk.find_at_work(db, world.account.id)
            bulk.step(Doer(db, deed.user_id, world.clock, parts.bus), deed)

    def go_on_beside_the_engine(doer, deed):
        engine = threading.Thread(target=engine_steps)
        engine.start()
        try:
            return go_on(doer, deed)
        finally:
            engine.join()

    go_on = bulk.go_on
    with monkeypatch.context() as patched:
        patched.setattr(queries, "list_messages", list_together)
        patched.setattr(bulk, "go_on", go_on_beside_the_engine)
        patched.setattr(bulk, "step", lambda doer, deed: go_on(doer, deed))
        started = world.start("delete")
    world.engine_works()
    assert world.inside(world.trash) == world.ids
    assert {type(told).__name__ for told in world.source.told} == {"Move"}
    world.db.refresh(started)
    assert started.done == started.total
    bulk.undo(world.doer, started.id)
    world.engine_works()
    assert world.inside(world.inbox) == world.ids
