"""What people do: shown at once, carried out, refused, undone."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from app.actions import carry_out, refusals, service
from app.actions.models import Action, ActionKind, ActionState
from app.bus import Bell, Topic
from app.errors import ActionRefused, BadInput, ConnectionLost, FolderMissing, NoSuchFolder, NoSuchMessage, NotFound
from app.mirror.models import Folder, Message
from app.sources import Applied, Copy, Expunge, Move, Role, StoreFlags, StoreLabels
from tests.factories import make_account, make_folder, make_message
from tests.webmail.mirror.test_service import assert_consistent, rows


class Source:
    """A mail source that does as it is told and writes down what; `refuses` raises instead."""

    def __init__(self, refuses=None, copied=None):
        self.told = []
        self.refuses = list(refuses or [])
        self.copied = copied
        self.found = {}

    def apply(self, action):
        self.told.append(action)
        if self.refuses:
            raise self.refuses.pop(0)
        return Applied(self.copied or {}, 1)

    def find_by_message_id(self, folder, message_id):
        return self.found.get((folder, message_id), [])

    def create_folder(self, name):
        self.told.append(f"create {name}")


class World:
    """Alice's account, and short ways to act on it."""

    def __init__(self, db, parts, clock, alice):
        self.db, self.bus, self.clock, self.user = db, parts.bus, clock, alice
        self.account = make_account(db, alice)
        self.inbox = make_folder(db, self.account)
        self.archive = make_folder(db, self.account, "Archive", Role.ARCHIVE)
        self.trash = make_folder(db, self.account, "Trash", Role.TRASH)

    def message(self, folder, **columns):
        """A message as it is now: its UID stays what it was here, whatever is done to the row."""
        row = make_message(self.db, folder, **columns)
        return SimpleNamespace(**{column.name: getattr(row, column.name) for column in Message.__table__.columns})

    def do(self, deed, *arguments, **how):
        return deed(self.db, self.user.id, *arguments, self.clock, self.bus, **how)

    def undo(self, action):
        service.undo(self.db, self.user.id, action.id, self.clock, self.bus)

    def carry_out(self, source):
        return carry_out.carry_out(self.db, source, self.account.id, self.clock, self.bus)

    def state(self, action):
        return self.db.get(Action, action.id, populate_existing=True).state


@pytest.fixture
def world(db, parts, clock, alice):
    world = World(db, parts, clock, alice)
    yield world
    assert_consistent(db)


def test_reading_is_shown_at_once_and_told_the_server(world, db):
    unread, read = world.message(world.inbox), world.message(world.inbox, flags=["\\Seen"])
    action = world.do(service.flag, [unread.id, read.id], ["\\Seen"], [])
    assert [row.seen for row in rows(db, world.inbox)] == [True, True]
    assert action.message_ids == [unread.id]  # the other one had nothing to change
    source = Source()
    assert world.carry_out(source) == 1
    assert source.told == [StoreFlags("INBOX", (unread.uid,), frozenset({"\\Seen"}))]
    assert source.told[0].uidvalidity == world.inbox.uidvalidity is not None  # UIDs of another folder are not touched
    assert world.state(action) is ActionState.DONE
    assert world.carry_out(source) == 0


def test_nothing_to_change_is_no_action(world, db):
    message = world.message(world.inbox, flags=["\\Seen"])
    assert world.do(service.flag, [message.id], ["\\Seen"], []) is None
    assert world.do(service.move, [message.id], world.inbox.id) is None
    assert db.scalars(select(Action)).all() == []


def test_moving_gets_the_new_uid(world, db):
    one, two = world.message(world.inbox), world.message(world.inbox)
    action = world.do(service.archive, [one.id, two.id])
    assert rows(db, world.inbox) == []
    assert {row.uid for row in rows(db, world.archive)} == {-one.id, -two.id}
    source = Source(copied={action.uids[0]: 900, action.uids[1]: 901})
    world.carry_out(source)
    assert source.told == [Move("INBOX", tuple(sorted(action.uids)), "Archive")]
    assert {row.uid for row in rows(db, world.archive)} == {900, 901}


def test_equal_actions_in_a_row_are_one_command(world, db):
    messages = [world.message(world.inbox) for _ in range(3)]
    for message in messages:
        world.do(service.archive, [message.id])
    source = Source(copied={message.uid: 100 + n for n, message in enumerate(messages)})
    assert world.carry_out(source) == 3
    assert len(source.told) == 1
    assert [row.uid for row in rows(db, world.archive)] == [100, 101, 102]


def test_what_is_done_to_a_moved_message_waits_for_its_uid(world, db):
    message = world.message(world.inbox)
    world.do(service.archive, [message.id])
    world.do(service.flag, [message.id], ["\\Flagged"], [])
    world.do(service.delete, [message.id])
    source = Source()
    source.copied = {message.uid: 40, 40: 50}
    world.carry_out(source)
    assert source.told == [
        Move("INBOX", (message.uid,), "Archive"),
        StoreFlags("Archive", (40,), frozenset({"\\Flagged"})),
        Move("Archive", (40,), "Trash"),
    ]
    assert [(row.uid, row.flagged) for row in rows(db, world.trash)] == [(50, True)]


def test_without_uidplus_a_moved_message_is_found_by_its_id(world, db):
    message = world.message(world.inbox)
    world.do(service.archive, [message.id])
    world.carry_out(Source())
    world.do(service.flag, [message.id], ["\\Flagged"], [])
    source = Source()
    source.found["Archive", message.message_id] = [7, 12]
    world.carry_out(source)
    assert source.told == [StoreFlags("Archive", (12,), frozenset({"\\Flagged"}))]


def test_a_refused_move_comes_back_with_the_servers_words(world, db):
    message = world.message(world.inbox)
    first = world.do(service.archive, [message.id])
    second = world.do(service.flag, [message.id], ["\\Flagged"], [])
    world.carry_out(Source(refuses=[ActionRefused("Folder is full")]))
    assert [(row.id, row.uid, row.flagged) for row in rows(db, world.inbox)] == [(message.id, first.uids[0], False)]
    assert [world.state(action) for action in (first, second)] == [ActionState.REFUSED] * 2
    refused = refusals.refused_actions(db, world.user.id)
    assert [row.error for row in refused] == ["Folder is full"] * 2
    refusals.mark_noticed(db, world.user.id, [row.id for row in refused])
    assert refusals.refused_actions(db, world.user.id) == []


def test_refused_flags_go_back_to_what_they_were_but_later_ones_stay(world, db):
    message = world.message(world.inbox, flags=["later"])
    world.do(service.flag, [message.id], ["\\Seen"], ["later"])
    world.do(service.flag, [message.id], ["\\Flagged"], [])
    world.carry_out(Source(refuses=[ActionRefused("no")]))
    (row,) = rows(db, world.inbox)
    assert (row.seen, row.keywords, row.flagged) == (False, "later", True)


def test_a_broken_session_leaves_actions_waiting(world, db):
    message = world.message(world.inbox)
    action = world.do(service.flag, [message.id], ["\\Seen"], [])
    with pytest.raises(ConnectionLost):
        world.carry_out(Source(refuses=[ConnectionLost()]))
    assert world.state(action) is ActionState.PENDING
    assert world.carry_out(Source()) == 0
    world.clock.advance(3_600)
    assert world.carry_out(Source()) == 1


def test_what_a_crash_left_running_is_done_again(world, db):
    message = world.message(world.inbox)
    action = world.do(service.flag, [message.id], ["\\Seen"], [])
    assert carry_out.begin(db, action)
    assert world.carry_out(Source()) == 1


def test_a_folder_of_ours_is_made_when_it_is_needed(world, db):
    message = world.message(world.inbox)
    world.do(service.junk, [message.id])
    source = Source(refuses=[FolderMissing()])
    world.carry_out(source)
    move = Move("INBOX", (message.uid,), "Junk")
    assert source.told == [move, "create Junk", move]


def test_undo_before_the_engine_begins_cancels(world, db):
    message = world.message(world.inbox)
    action = world.do(service.archive, [message.id])
    world.undo(action)
    assert [(row.id, row.uid) for row in rows(db, world.inbox)] == [(message.id, message.uid)]
    assert world.state(action) is ActionState.UNDONE
    assert not carry_out.begin(db, action)
    assert world.carry_out(Source()) == 0


def test_undo_while_the_engine_works_is_done_after(world, db):
    message = world.message(world.inbox)
    action = world.do(service.archive, [message.id])
    carry_out.begin(db, action)
    world.undo(action)
    assert [row.id for row in rows(db, world.inbox)] == [message.id]
    source = Source(copied={message.uid: 40, 40: 90})
    assert world.carry_out(source) == 2
    assert source.told == [Move("INBOX", (message.uid,), "Archive"), Move("Archive", (40,), "INBOX")]
    assert [row.uid for row in rows(db, world.inbox)] == [90]


def test_undo_afterwards_moves_back_by_the_new_uid(world, db):
    message = world.message(world.inbox)
    action = world.do(service.archive, [message.id])
    world.carry_out(Source(copied={message.uid: 40}))
    world.undo(action)
    world.undo(action)  # a second click
    source = Source(copied={40: 90})
    assert world.carry_out(source) == 1
    assert source.told == [Move("Archive", (40,), "INBOX")]
    assert [row.uid for row in rows(db, world.inbox)] == [90]


def test_undo_of_reading_leaves_alone_what_was_read_before(world, db):
    unread, read = world.message(world.inbox), world.message(world.inbox, flags=["\\Seen"])
    action = world.do(service.flag, [unread.id, read.id], ["\\Seen"], [])
    world.carry_out(Source())
    world.undo(action)
    source = Source()
    world.carry_out(source)
    assert source.told == [StoreFlags("INBOX", (unread.uid,), frozenset(), frozenset({"\\Seen"}))]
    assert [row.seen for row in rows(db, world.inbox)] == [False, True]


def test_deleting_goes_to_trash_then_for_good_after_the_undo_time(world, db):
    message = world.message(world.inbox, flags=["\\Flagged"])
    world.do(service.delete, [message.id])
    world.carry_out(Source(copied={message.uid: 40}))
    final = world.do(service.delete, [message.id], seen_in=world.trash.id)
    assert final.kind is ActionKind.EXPUNGE
    assert rows(db, world.trash) == []
    source = Source()
    assert world.carry_out(source) == 0
    assert carry_out.next_due_at(db, world.account.id) == world.clock.now() + timedelta(seconds=10)
    world.clock.advance(10)
    assert world.carry_out(source) == 1
    assert source.told == [Expunge("Trash", (40,))]
    with pytest.raises(ActionRefused):
        world.undo(final)


def test_final_deletion_undone_in_time_brings_everything_back(world, db):
    message = world.message(world.trash, flags=["\\Seen", "work"], header=b"X: \xff\r\n")
    before = vars(message)
    world.undo(world.do(service.delete, [message.id], seen_in=world.trash.id))
    (row,) = rows(db, world.trash)
    assert {name: getattr(row, name) for name in before} == before


def test_a_refused_final_deletion_brings_everything_back(world, db):
    message = world.message(world.trash)
    world.do(service.delete, [message.id])
    world.clock.advance(60)
    world.carry_out(Source(refuses=[ActionRefused("read-only")]))
    assert [row.id for row in rows(db, world.trash)] == [message.id]


def test_copying_shows_the_copies(world, db):
    messages = [world.message(world.inbox) for _ in range(2)]
    action = world.do(service.copy, [message.id for message in messages], world.archive.id)
    copies = [row.id for row in rows(db, world.archive)]
    assert sorted(row.uid for row in rows(db, world.archive)) == sorted(-row_id for row_id in copies)
    source = Source(copied={message.uid: 70 + n for n, message in enumerate(messages)})
    world.carry_out(source)
    assert source.told == [Copy("INBOX", tuple(sorted(action.uids)), "Archive")]
    subjects = {row.uid: row.subject for row in rows(db, world.archive)}
    assert subjects == {70: messages[0].subject, 71: messages[1].subject}
    world.undo(action)
    world.carry_out(source)
    assert source.told[-1] == Expunge("Archive", (70, 71))
    assert rows(db, world.archive) == []
    assert len(rows(db, world.inbox)) == 2


def test_an_undone_copy_never_happened(world, db):
    message = world.message(world.inbox)
    world.undo(world.do(service.copy, [message.id], world.archive.id))
    assert rows(db, world.archive) == []
    assert world.carry_out(Source()) == 0


def test_labels(world, db):
    message = world.message(world.inbox, labels="Garden")
    action = world.do(service.label, [message.id], ["Work"], ["Garden"])
    assert rows(db, world.inbox)[0].labels == "Work"
    source = Source()
    world.carry_out(source)
    assert source.told == [StoreLabels("INBOX", (message.uid,), frozenset({"Work"}), frozenset({"Garden"}))]
    world.undo(action)
    assert rows(db, world.inbox)[0].labels == "Garden"
    with pytest.raises(BadInput):
        world.do(service.label, [message.id], ["a\nb"], [])


def test_gmails_archive_is_all_mail(world, db):
    world.account.is_gmail = True
    db.delete(world.archive)
    db.commit()
    everything = make_folder(db, world.account, "[Gmail]/All Mail", Role.ALL)
    message = world.message(world.inbox)
    assert world.do(service.archive, [message.id]).target_id == everything.id


def test_what_can_be_chosen(world, db, alice):
    message, other = world.message(world.inbox), world.message(world.trash)
    with pytest.raises(BadInput):
        world.do(service.archive, [message.id, other.id])
    with pytest.raises(BadInput):
        world.do(service.archive, range(2_000))
    with pytest.raises(NoSuchMessage):
        world.do(service.archive, [999])
    with pytest.raises(NoSuchMessage):
        world.do(service.archive, [])
    elsewhere = make_folder(db, make_account(db, alice))
    with pytest.raises(BadInput):
        world.do(service.move, [message.id], elsewhere.id)
    with pytest.raises(NoSuchFolder):
        world.do(service.move, [message.id], 999)
    unselectable = make_folder(db, world.account, "Parent", selectable=False)
    with pytest.raises(BadInput):
        world.do(service.move, [message.id], unselectable.id)
    assert world.do(service.archive, [message.id, 999]).message_ids == [message.id]


def test_mallory_reaches_nothing(world, db, mallory, parts, clock):
    message = world.message(world.inbox)
    hers = make_folder(db, make_account(db, mallory))
    action = world.do(service.flag, [message.id], ["\\Flagged"], [])
    for deed, arguments in [
        (service.flag, ([message.id], ["\\Seen"], [])),
        (service.archive, ([message.id],)),
        (service.delete, ([message.id],)),
        (service.move, ([message.id], hers.id)),
        (service.copy, ([message.id], hers.id)),
        (service.label, ([message.id], ["x"], [])),
    ]:
        with pytest.raises(NoSuchMessage):
            deed(db, mallory.id, *arguments, clock, parts.bus)
    with pytest.raises(NotFound):
        service.undo(db, mallory.id, action.id, clock, parts.bus)
    own = make_message(db, hers)
    with pytest.raises(NoSuchFolder):
        service.move(db, mallory.id, [own.id], world.inbox.id, clock, parts.bus)
    assert [row.id for row in rows(db, world.inbox)] == [message.id]


def test_those_who_show_it_and_the_engine_are_rung(world, db, parts):
    message = world.message(world.inbox)
    with parts.bus.subscribe() as ear:
        world.do(service.archive, [message.id])
        wanted = {
            Bell(Topic.ACTIONS, world.account.id),
            Bell(Topic.FOLDER, world.inbox.id),
            Bell(Topic.FOLDER, world.archive.id),
            Bell(Topic.TREE, world.user.id),
        }
        heard = set()
        while not heard >= wanted:
            heard |= set(ear.wait(5.0)) or pytest.fail(f"only {heard} rang")


def test_an_account_removed_meanwhile_takes_its_actions_along(world, db):
    message = world.message(world.inbox)
    action = world.do(service.archive, [message.id])
    db.delete(world.account)
    db.commit()
    assert db.scalars(select(Folder)).all() == []
    with pytest.raises(NotFound):
        carry_out.finish(db, action, Applied(), world.clock.now(), world.bus)


def test_what_is_in_trash_meanwhile_is_not_deleted_for_good(world, db):
    """Two tabs, or two clicks: the second did not see it in Trash."""
    message = world.message(world.inbox)
    world.do(service.delete, [message.id], seen_in=world.inbox.id)
    for seen_in in (world.inbox.id, None):
        assert world.do(service.delete, [message.id], seen_in=seen_in) is None
    assert [row.id for row in rows(db, world.trash)] == [message.id]
