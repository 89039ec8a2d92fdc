"""Changes of folders: written, told to the server, refused, done once."""

import pytest
from sqlalchemy import select

from app.bus import Bell, Topic
from app.errors import ActionRefused, BadInput, ConnectionLost, NoSuchFolder, NotFound
from app.folders import carry_out, service
from app.folders.models import FolderChange, FolderDeed
from app.mirror.models import Folder
from app.sources import RemoteFolder, Role
from tests.factories import make_account, make_folder, make_message


class Server:
    """Folders of a server; `refuses` raises instead of doing, `breaks` raises after it was done."""

    def __init__(self, *names):
        self.names = list(names)
        self.subscribed = set(names)
        self.told = []
        self.refuses = None
        self.breaks = None

    def folders(self):
        return [RemoteFolder(name, "/") for name in self.names]

    def _do(self, words, deed):
        self.told.append(words)
        if self.refuses:
            raise self.refuses
        deed()
        if self.breaks:
            raise self.breaks

    def create_folder(self, name):
        self._do(f"create {name}", lambda: self.names.append(name))

    def rename_folder(self, name, new_name):
        self._do(f"rename {name} {new_name}", lambda: self._rename(name, new_name))

    def _rename(self, name, new_name):
        self.names = [new_name + each[len(name) :] if each.startswith(name) else each for each in self.names]

    def delete_folder(self, name):
        self._do(f"delete {name}", lambda: self.names.remove(name))

    def subscribe(self, name, *, subscribed):
        self._do(f"{'' if subscribed else 'un'}subscribe {name}", lambda: None)


class World:
    def __init__(self, db, parts, alice):
        self.db, self.parts = db, parts
        self.account = make_account(db, alice)
        self.inbox = make_folder(db, self.account)
        self.trash = make_folder(db, self.account, "Trash", Role.TRASH)
        self.work = make_folder(db, self.account, "Work")
        self.year = make_folder(db, self.account, "Work/2026")
        self.server = Server("INBOX", "Trash", "Work", "Work/2026")

    def create(self, leaf, parent_id=None):
        service.create(self.parts, self.db, self.account, leaf, parent_id)

    def rename(self, folder, leaf, parent_id=None):
        service.rename(self.parts, self.db, self.account, folder, leaf, parent_id)

    def remove(self, folder):
        service.remove(self.parts, self.db, self.account, service.plan_removal(self.db, self.account, folder))

    def carry_out(self):
        return carry_out.carry_out(self.db, self.server, self.account.id)

    @property
    def changes(self):
        self.db.expire_all()
        return service.list_changes(self.db, self.account)

    @property
    def names(self):
        self.db.expire_all()
        return list(
            self.db.scalars(select(Folder.name).where(Folder.account_id == self.account.id).order_by(Folder.id))
        )


@pytest.fixture
def world(db, parts, alice):
    return World(db, parts, alice)


def test_a_folder_is_created_where_it_was_asked_for(world):
    world.create("Receipts")
    world.create("May", world.year.id)
    assert world.carry_out() == 2
    assert world.server.told == ["create Receipts", "create Work/2026/May"]
    assert not world.changes


def test_the_engine_hears_of_a_change(world, parts):
    with parts.bus.subscribe() as ear:
        world.create("Receipts")
        assert Bell(Topic.ACTIONS, world.account.id) in ear.wait(5.0)


def test_where_all_folders_are_below_the_inbox_new_ones_are_too(db, parts, alice):
    account = make_account(db, alice)
    for name in ("INBOX", "INBOX.Sent", "INBOX.Work"):
        make_folder(db, account, name, delimiter=".")
    service.create(parts, db, account, "Receipts", None)
    assert [change.name for change in service.list_changes(db, account)] == ["INBOX.Receipts"]


@pytest.mark.parametrize(
    ("leaf", "field"),
    [("Work", "name"), ("inbox", "name"), ("a/b", "name"), ("", "name"), ("bad\r\nA1 DELETE INBOX", "name")],
)
def test_names_that_cannot_be(world, leaf, field):
    with pytest.raises(BadInput) as refusal:
        world.create(leaf)
    assert refusal.value.field == field
    assert not world.changes


def test_a_name_that_waits_is_taken(world):
    world.create("Receipts")
    with pytest.raises(BadInput):
        world.create("Receipts")


def test_depth_and_number_are_bounded(world, db):
    deep = make_folder(db, world.account, "/".join("abcdefghijklmnopqrst"))
    with pytest.raises(BadInput, match="too deep"):
        world.create("u", deep.id)
    for number in range(service.MAX_WAITING):
        db.add(FolderChange(account_id=world.account.id, deed=FolderDeed.CREATE, name=f"{number}",
                            created_at=world.parts.clock.now()))  # fmt: skip
    db.commit()
    with pytest.raises(BadInput, match="wait"):
        world.create("One more")


def test_a_renamed_folder_keeps_its_messages_and_those_below_come_along(world, db):
    message = make_message(db, world.year)
    world.rename(world.work, "Projects")
    assert world.names == ["INBOX", "Trash", "Work", "Work/2026"]  # not before the server has done it
    world.carry_out()
    assert world.names == ["INBOX", "Trash", "Projects", "Projects/2026"]
    db.refresh(message)
    assert message.folder_id == world.year.id
    assert world.server.told == ["rename Work Projects", "subscribe Projects/2026", "unsubscribe Work/2026"]


def test_a_folder_moves_to_another_and_to_the_top(world):
    world.rename(world.year, "2026", world.trash.id)
    world.carry_out()
    assert "Trash/2026" in world.names
    world.rename(world.year, "2026")
    world.carry_out()
    assert "2026" in world.names


def test_the_same_name_again_is_no_change(world):
    world.rename(world.year, "2026", world.work.id)
    assert not world.changes


@pytest.mark.parametrize("into", ["work", "year"])
def test_a_folder_cannot_be_put_into_itself(world, into):
    with pytest.raises(BadInput) as refusal:
        world.rename(world.work, "Work", getattr(world, into).id)
    assert refusal.value.field == "parent"


def test_folders_with_a_task_stay(world):
    for deed in (lambda: world.rename(world.inbox, "Mine"), lambda: world.remove(world.trash)):
        with pytest.raises(BadInput):
            deed()
    assert not world.changes


def test_deleting_moves_to_trash_and_from_there_for_good(world):
    world.remove(world.work)
    world.carry_out()
    assert world.names == ["INBOX", "Trash", "Trash/Work", "Trash/Work/2026"]
    world.remove(world.work)
    world.carry_out()
    assert world.server.told[-2:] == ["delete Trash/Work/2026", "delete Trash/Work"]


def test_a_second_folder_of_a_name_finds_room_in_trash(world, db):
    make_folder(db, world.account, "Trash/Work")
    assert service.plan_removal(db, world.account, world.work).into == "Trash/Work 2"


def test_labels_of_gmail_and_folders_without_a_trash_go_for_good(world, db):
    world.account.is_gmail = True
    assert service.plan_removal(db, world.account, world.work).into is None
    world.account.is_gmail = False
    db.delete(world.trash)
    db.commit()
    removal = service.plan_removal(db, world.account, world.work)
    assert (removal.into, removal.below) == (None, [world.year])


def test_what_the_server_refuses_is_kept_with_its_words_until_it_is_read(world, db):
    world.server.refuses = ActionRefused("[NOPERM] Not yours")
    world.create("Receipts")
    world.create("More")
    world.carry_out()
    assert [(change.name, change.refused, change.error) for change in world.changes] == [
        ("Receipts", True, "[NOPERM] Not yours"),
        ("More", True, "[NOPERM] Not yours"),
    ]
    assert world.carry_out() == 0
    service.dismiss(db, world.account, world.changes[0].id)
    assert [change.name for change in world.changes] == ["More"]
    with pytest.raises(NotFound):
        service.dismiss(db, world.account, 999_999)


def test_a_change_that_waits_is_cancelled_until_the_server_was_told(world, db):
    world.create("Receipts")
    world.create("More")
    service.dismiss(db, world.account, world.changes[0].id)
    world.server.breaks = ConnectionLost()
    with pytest.raises(ConnectionLost):
        world.carry_out()
    with pytest.raises(NotFound):
        service.dismiss(db, world.account, world.changes[0].id)
    assert world.server.told == ["create More"]


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (lambda world: world.create("Receipts"), "create Receipts"),
        (lambda world: world.rename(world.year, "2027", world.work.id), "rename Work/2026 Work/2027"),
        (lambda world: world.remove(world.year), "rename Work/2026 Trash/2026"),
    ],
)
def test_what_was_done_when_the_connection_broke_is_not_done_again(world, deed, told):
    deed(world)
    world.server.breaks = ConnectionLost()
    with pytest.raises(ConnectionLost):
        world.carry_out()
    assert len(world.changes) == 1
    world.server.breaks = None
    world.carry_out()
    assert world.server.told == [told]
    assert not world.changes


def test_what_was_not_done_when_the_connection_broke_is_done_then(world):
    world.create("Receipts")
    world.server.refuses = ConnectionLost()
    with pytest.raises(ConnectionLost):
        world.carry_out()
    world.server.refuses = None
    world.carry_out()
    assert "Receipts" in world.server.names


def test_a_folder_that_came_by_its_new_name_meanwhile_makes_room(world, db):
    world.rename(world.year, "2027", world.work.id)
    make_folder(db, world.account, "Work/2027")
    world.carry_out()
    assert world.names == ["INBOX", "Trash", "Work", "Work/2027"]


def test_anothers_folder_is_none(world, db, bob):
    theirs = make_folder(db, make_account(db, bob))
    with pytest.raises(NoSuchFolder):
        world.create("Receipts", theirs.id)
    with pytest.raises(NoSuchFolder):
        service.get_folder(db, world.account, theirs.id)


def test_changes_go_with_their_account(world, db):
    world.create("Receipts")
    db.delete(world.account)
    db.commit()
    assert not db.scalars(select(FolderChange)).all()
