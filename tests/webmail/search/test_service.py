"""Searching: at once in the mirror, behind on the server, whose findings join in."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from app.bus import Bell, Topic
from app.errors import ActionRefused, BadInput, ConnectionLost, NoSuchFolder, NotFound
from app.mail_services.modes import Mode
from app.mirror.queries import folder_tree
from app.search import carry_out, local, service
from app.search.models import SearchState, ServerSearch
from app.search.query import parse
from app.search.service import Scope
from app.sources import Role
from tests.factories import make_account, make_folder, make_message

TODAY = date(2026, 11, 23)
EVERYWHERE = Scope()


class Source:
    """A server that finds what it is told to, by folder."""

    def __init__(self):
        self.finds = {}
        self.asked = []

    def search(self, folder, terms):
        self.asked.append((folder, tuple(term.value for term in terms)))
        found = self.finds.get(folder, [])
        if isinstance(found, Exception):
            raise found
        return found


class World:
    def __init__(self, db, parts, clock, alice):
        self.db, self.parts, self.clock, self.user, self.source = db, parts, clock, alice, Source()
        self.account = make_account(db, alice, label="Home")
        self.inbox = make_folder(db, self.account)
        self.archive = make_folder(db, self.account, "Archive", Role.ARCHIVE)
        self.trash = make_folder(db, self.account, "Trash", Role.TRASH)

    def search(self, text, scope=EVERYWHERE, before=None, limit=50):
        query = parse(text, TODAY)
        places = service.find_places(folder_tree(self.db, self.user.id), scope, query)
        return service.search(
            self.parts, self.db, self.user.id, text, query, scope, places, UTC, before=before, limit=limit
        )

    def ids(self, text, scope=EVERYWHERE):
        return [row.id for row in self.search(text, scope).rows]

    def server_searches(self):
        """All that is wanted."""
        while wanted := carry_out.find_wanted(self.db, self.account.id, self.clock.now()):
            carry_out.step(self.db, self.source, wanted, self.parts.bus)


@pytest.fixture
def world(db, parts, clock, alice, set_mode):
    set_mode(Mode.EXTERNAL)
    return World(db, parts, clock, alice)


def test_all_folders_newest_first_but_trash(world, db):
    old = make_message(db, world.archive, subject="Kitchen tiles", received_at=datetime(2026, 1, 1, tzinfo=UTC))
    new = make_message(db, world.inbox, subject="The KITCHEN", received_at=datetime(2026, 2, 1, tzinfo=UTC))
    gone = make_message(db, world.trash, subject="Kitchen, gone")
    make_message(db, world.inbox, subject="Something else")
    assert world.ids("kitchen") == [new.id, old.id]
    assert world.ids("kitchen in:trash") == [gone.id]
    assert world.ids("kitchen in:archive") == [old.id]
    assert world.ids("kitchen", Scope("folder", world.archive.id)) == [old.id]
    assert world.ids("kitchen", Scope("folder", world.trash.id)) == [gone.id]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ferreira", True), ("ines@press", True), ("from:ines", True), ("from:tobias", False), ("to:linnea", True),
        ("subject:proofs", True), ("subject:page", False), ("page", True), ("proofs page", True),
        ("proofs nothing", False), ("100%", False), ("_roofs", False), ("grüße", True), ("GRÜẞE", True),
        ("is:unread", True), ("is:read", False), ("is:starred", True), ("is:answered", False),
        ("has:attachment", True), ("-has:attachment", False), ("-from:tobias", True), ("-from:ines", False),
        ("after:2026-03-01 before:2026-03-02", True), ("before:2026-03-01", False), ("after:2026-03-02", False),
        ("larger:1k", True), ("smaller:1k", False), ('"spring catalogue"', True), ('"catalogue spring"', False),
    ],
)  # fmt: skip
def test_what_envelopes_tell(world, db, text, found):
    message = make_message(
        db, world.inbox, subject="Proofs for the spring catalogue, Grüße", from_name="Ines Ferreira",
        from_address="ines@press.example", recipients="Linnea Okafor", preview="Page 14 has", flags=["\\Flagged"],
        has_attachments=True, size_octets=2_000, received_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )  # fmt: skip
    assert world.ids(text) == ([message.id] if found else [])


def test_older_pages_follow(world, db):
    rows = [make_message(db, world.inbox, subject="Same") for _ in range(5)]
    first = world.search("same", limit=3)
    second = world.search("same", before=first.older, limit=3)
    assert [row.id for row in (*first.rows, *second.rows)] == [row.id for row in reversed(rows)]
    assert second.older is None


def test_an_exact_page_has_no_older_one(world, db):
    for _ in range(3):
        make_message(db, world.inbox, subject="Same")
    assert world.search("same", limit=3).older is None


def test_only_the_newest_of_a_huge_folder_are_looked_at(world, db, monkeypatch):
    monkeypatch.setattr(local, "LOOKED_AT", 2)
    rows = [make_message(db, world.inbox, subject="Same") for _ in range(4)]
    assert world.ids("same") == [rows[3].id, rows[2].id]


def test_the_server_is_asked_and_what_it_finds_joins_in(world, db):
    near = make_message(db, world.inbox, subject="Kitchen")
    far = make_message(db, world.archive, subject="Only the body has it", uid=7)
    with world.parts.bus.subscribe() as ear:
        found = world.search("kitchen")
        assert Bell(Topic.SEARCH, world.account.id) in ear.wait(5.0)
    assert (found.waits_for, [row.id for row in found.rows]) == (["Home"], [near.id])
    world.source.finds = {"INBOX": [near.uid], "Archive": [7, 8]}
    world.server_searches()
    found = world.search("kitchen")
    assert {row.id for row in found.rows} == {near.id, far.id}
    assert (found.waits_for, found.not_here) == ([], 1)
    assert world.source.asked == [("INBOX", ("kitchen",)), ("Archive", ("kitchen",))]


def test_a_server_is_not_asked_twice_within_minutes(world, db, clock):
    world.search("kitchen")
    world.search("kitchen")
    assert len(db.scalars(select(ServerSearch)).all()) == 1
    clock.advance(180)
    world.search("kitchen")
    assert len(db.scalars(select(ServerSearch)).all()) == 2


def test_bodies_are_only_known_to_the_server(world, db):
    message = make_message(db, world.inbox, preview="The kitchen")
    assert world.ids("body:kitchen") == []
    world.source.finds = {"INBOX": [message.uid]}
    world.server_searches()
    assert world.ids("body:kitchen") == [message.id]


def test_attachments_are_known_here(world, db):
    world.search("body:tiles has:attachment")
    plain = make_message(db, world.inbox)
    full = make_message(db, world.inbox, has_attachments=True)
    world.source.finds = {"INBOX": [plain.uid, full.uid]}
    world.server_searches()
    assert world.ids("body:tiles has:attachment") == [full.id]


def test_what_was_found_and_moved_away_is_not_shown(world, db):
    message = make_message(db, world.inbox)
    world.search("body:kitchen")
    world.source.finds = {"INBOX": [message.uid]}
    world.server_searches()
    message.folder_id = world.trash.id
    db.commit()
    assert world.ids("body:kitchen") == []


def test_words_of_a_server_that_refuses_are_told_and_other_folders_asked(world, db):
    far = make_message(db, world.archive, uid=7)
    world.search("body:kitchen")
    world.source.finds = {"INBOX": ActionRefused("[BADCHARSET] no"), "Archive": [7]}
    world.server_searches()
    found = world.search("body:kitchen")
    assert (found.refused, [row.id for row in found.rows]) == (["[BADCHARSET] no"], [far.id])


def test_a_broken_connection_leaves_the_search_wanted(world, db):
    world.search("kitchen")
    world.source.finds = {"INBOX": ConnectionLost()}
    with pytest.raises(ConnectionLost):
        world.server_searches()
    assert carry_out.find_wanted(db, world.account.id, world.clock.now())


def test_nobody_waits_for_ever(world, clock):
    world.search("kitchen")
    clock.advance(service.PATIENCE.total_seconds())
    assert world.search("kitchen").waits_for == []
    assert carry_out.find_wanted(world.db, world.account.id, clock.now()) is None


def test_the_newest_search_goes_first_and_old_ones_are_forgotten(world, db, monkeypatch):
    monkeypatch.setattr(service, "KEPT", 3)
    for number in range(6):
        world.search(f"word{number}")
    searches = db.scalars(select(ServerSearch).order_by(ServerSearch.id)).all()
    assert [search.text for search in searches] == ["word2", "word3", "word4", "word5"]
    assert carry_out.find_wanted(db, world.account.id, world.clock.now()).text == "word5"


def test_found_rows_are_bounded(world, db, monkeypatch):
    monkeypatch.setattr(carry_out, "MOST", 1)
    rows = [make_message(db, world.inbox) for _ in range(3)]
    world.source.finds = {"INBOX": [row.uid for row in rows], "Archive": [1]}
    world.search("body:x")
    world.server_searches()
    search = db.scalars(select(ServerSearch)).one()
    assert (search.state, [name for name, _terms in world.source.asked]) == (SearchState.DONE, ["INBOX"])


def test_labels_of_gmail_are_searched_in_all_mail(world, db):
    all_mail = make_folder(db, world.account, "[Gmail]/All Mail", Role.ALL)
    view = make_folder(db, world.account, "Travel", label="Travel")
    message = make_message(db, all_mail, subject="Kitchen")
    assert world.ids("kitchen", Scope("folder", view.id)) == [message.id]


def test_anothers_folder_or_account_is_none(world, db, bob):
    theirs = make_folder(db, make_account(db, bob))
    make_message(db, theirs, subject="kitchen")
    assert world.ids("kitchen") == []
    for scope in (Scope("folder", theirs.id), Scope("account", theirs.account_id)):
        with pytest.raises(NoSuchFolder):
            world.search("kitchen", scope)


@pytest.mark.parametrize(
    ("text", "scope"),
    [("", Scope()), ("folder-12", Scope("folder", 12)), ("account-3", Scope("account", 3)), ("folder-x", Scope())],
)
def test_scopes_in_addresses(text, scope):
    assert Scope.of(text) == scope
    assert Scope.of(scope.encode()) == scope


def test_searches_are_kept_by_name(db, alice, bob):
    service.save(db, alice.id, "Kitchen", "kitchen is:unread")
    service.save(db, alice.id, "Kitchen", "kitchen")
    service.save(db, bob.id, "Kitchen", "his")
    (kept,) = service.list_saved(db, alice.id)
    assert (kept.name, kept.text) == ("Kitchen", "kitchen")
    with pytest.raises(NotFound):
        service.remove(db, bob.id, kept.id)
    service.remove(db, alice.id, kept.id)
    assert not service.list_saved(db, alice.id)
    with pytest.raises(BadInput):
        service.save(db, alice.id, "", "kitchen")


def test_kept_searches_are_bounded(db, alice, monkeypatch):
    monkeypatch.setattr(service, "MAX_SAVED", 1)
    service.save(db, alice.id, "One", "one")
    with pytest.raises(BadInput):
        service.save(db, alice.id, "Two", "two")
