"""What the pages ask: right rows, right order, few statements, indexes really used."""

from datetime import timedelta

import pytest
from sqlalchemy import event, text

from app.errors import NoSuchFolder, NoSuchMessage
from app.mail_services.modes import Mode
from app.mirror import queries, service
from app.mirror.labels import find_store
from app.mirror.queries import Cursor, ListFilter
from app.sources import GmailIds, Role
from tests.conftest import START
from tests.factories import make_account, make_folder, make_message, remote_message


@pytest.fixture
def account(db, alice):
    return make_account(db, alice)


@pytest.fixture
def inbox(db, account):
    return make_folder(db, account)


@pytest.fixture
def view(db, account):
    """Gmail's inbox: a label of messages in All Mail."""
    make_folder(db, account, "[Gmail]/All Mail", Role.ALL)
    return make_folder(db, account, label="\\Inbox")


class Statements(list):
    """The SELECTs and others a block sends, with their parameters."""

    def __init__(self, database):
        self._engine = database.engine

    def _note(self, _connection, _cursor, statement, parameters, _context, _many):
        self.append((statement, parameters))

    def __enter__(self):
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_error):
        event.remove(self._engine, "before_cursor_execute", self._note)


def explain(parts, db, statement, parameters):
    connection = db.connection().connection.dbapi_connection
    if parts.public.is_sqlite:
        return " | ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {statement}", parameters)
        return " | ".join(row[0] for row in cursor.fetchall())


def fill(parts, db, folder, count=60):
    store = find_store(db, folder)
    seeds = [
        remote_message(
            n + 1,
            flags=["\\Seen"] * (n % 3 > 0) + ["\\Flagged"] * (n % 10 == 0),
            gmail=None if store is folder else GmailIds(n + 1, n + 1, ("\\Inbox",)),
        )
        for n in range(count)
    ]
    service.add_messages(db, store.id, seeds)
    db.refresh(folder)
    if not parts.public.is_sqlite:  # SQLite decides without statistics, as installed
        db.execute(text("ANALYZE"))
        db.commit()


@pytest.mark.parametrize(
    ("ask", "filter", "index"),
    [
        (queries.list_conversations, ListFilter.ALL, "_list_conversations"),
        (queries.list_messages, ListFilter.ALL, "_list"),
        (queries.list_conversations, ListFilter.UNREAD, "_list_unread"),
        (queries.list_messages, ListFilter.UNREAD, "_list_unread"),
        (queries.list_messages, ListFilter.FLAGGED, "_list_flagged"),
        (queries.list_messages, ListFilter.ATTACHMENTS, "_list_attachments"),
    ],
)
@pytest.mark.parametrize("before", [None, Cursor(START + timedelta(days=9), 5)])
@pytest.mark.parametrize(("place", "table"), [("inbox", "ix_message"), ("view", "ix_label_entry")])
def test_lists_read_their_index_in_order(parts, db, request, place, table, ask, filter, index, before):
    folder = request.getfixturevalue(place)
    fill(parts, db, folder)
    with Statements(parts.public) as statements:
        ask(db, folder.id, before=before, filter=filter)
    plan = explain(parts, db, *statements[1])
    assert f"{table}{index} " in plan + " "
    assert "TEMP B-TREE" not in plan
    assert "SCAN" not in plan.replace("Index Scan", "")
    assert "Sort" not in plan


@pytest.mark.parametrize("place", ["inbox", "view"])
def test_conversations_are_counted_by_their_index(parts, db, request, place):
    if not parts.public.is_sqlite:
        return  # with so few rows its planner takes any index
    folder = request.getfixturevalue(place)
    fill(parts, db, folder)
    with Statements(parts.public) as statements:
        queries.list_conversations(db, folder.id)
    plan = explain(parts, db, *statements[2])
    assert "ix_message_conversation" in plan
    assert "SCAN" not in plan


@pytest.mark.parametrize(
    ("place", "index"), [("inbox", "ix_message_conversation"), ("view", "ix_label_entry_conversation")]
)
def test_the_newest_that_fits_is_found_by_index(parts, db, request, place, index):
    if not parts.public.is_sqlite:
        return  # with so few rows its planner joins otherwise
    folder = request.getfixturevalue(place)
    fill(parts, db, folder)
    with Statements(parts.public) as statements:
        queries.list_conversations(db, folder.id, filter=ListFilter.UNREAD)
    assert index in explain(parts, db, *statements[1])


@pytest.mark.parametrize("place", ["inbox", "view"])
def test_a_page_of_conversations_takes_three_statements(parts, db, request, place):
    """The folder by its key, the page, and the conversations."""
    folder = request.getfixturevalue(place)
    fill(parts, db, folder)
    with Statements(parts.public) as statements:
        rows = queries.list_conversations(db, folder.id)
    assert len(rows) == 50
    assert len(statements) == 3


@pytest.mark.parametrize("mode", [Mode.DISABLED, Mode.MAILSITE])
def test_accounts_that_sleep_in_a_mode_are_not_shown(db, alice, inbox, set_mode, mode):
    set_mode(Mode.BOTH)
    assert queries.find_first_inbox(db, alice.id).id == inbox.id
    set_mode(mode)
    assert not queries.folder_tree(db, alice.id)
    assert queries.find_first_inbox(db, alice.id) is None
    set_mode(Mode.EXTERNAL)
    assert len(queries.folder_tree(db, alice.id)) == 1


def test_the_folder_tree_takes_two_statements(parts, db, alice, account, inbox, set_mode):
    set_mode(Mode.EXTERNAL)
    make_folder(db, make_account(db, alice))
    with Statements(parts.public) as statements:
        trees = queries.folder_tree(db, alice.id)
    assert len(trees) == 2
    assert len(statements) == 2


def test_pages_follow_each_other_without_gap_or_overlap(db, inbox):
    same_moment = [make_message(db, inbox, received_at=START) for _ in range(5)]
    older = [make_message(db, inbox, received_at=START - timedelta(seconds=n)) for n in range(1, 4)]
    wanted = [m.id for m in sorted((*same_moment, *older), key=lambda m: (m.received_at, m.uid), reverse=True)]
    found, before = [], None
    while page := queries.list_messages(db, inbox.id, before=before, limit=3):
        found += [row.id for row in page]
        before = Cursor.decode(Cursor.of(page[-1]).encode())
    assert found == wanted


def test_a_page_is_the_last_also_if_it_is_just_full(db, inbox):
    newer, older = (make_message(db, inbox, received_at=START - timedelta(hours=n)) for n in range(2))
    page = queries.list_messages(db, inbox.id, limit=3)
    assert [row.id for row in page] == [newer.id, older.id]
    assert queries.next_cursor(page, 3) is None
    assert queries.next_cursor(page, 2) is None
    assert queries.next_cursor(page, 1) == Cursor.of(page[0])


@pytest.mark.parametrize("cursor", [Cursor(START, 7), Cursor(START + timedelta(microseconds=1), -99)])
def test_cursor_survives_the_address_bar(cursor):
    assert Cursor.decode(cursor.encode()) == cursor


@pytest.mark.parametrize("text", ["", "1", "a.b", "1.2.3", "1." + "9" * 40, "-" + "9" * 17 + ".1", "١.٢", "1.2\n"])
def test_noise_is_no_cursor(text):
    assert Cursor.decode(text) is None


def test_conversations_show_their_newest_and_count_every_folder(db, account, inbox):
    sent, trash = make_folder(db, account, "Sent", Role.SENT), make_folder(db, account, "Trash", Role.TRASH)
    first = make_message(db, inbox, flags=["\\Seen"], from_name="Maren", from_address="m@x.example")
    answer = make_message(db, sent, answers=first, flags=["\\Seen", "\\Flagged"], from_name="Alice")
    make_message(db, inbox, answers=first, message_id=answer.message_id)  # its copy, by a mailing list
    last = make_message(db, inbox, answers=first, from_name="Maren", from_address="m@x.example", has_attachments=True)
    make_message(db, trash, answers=first)
    make_message(db, inbox)
    rows = queries.list_conversations(db, inbox.id)
    assert [row.id for row in rows][1] == last.id
    conversation = rows[1].conversation
    assert (conversation.messages, conversation.unread, conversation.flagged) == (3, 1, 1)
    assert [sender.name for sender in conversation.senders] == ["Maren", "Alice"]
    assert conversation.has_attachments


def test_filtered_conversations_show_each_once_by_the_newest_that_fits(db, inbox):
    first = make_message(db, inbox)
    second = make_message(db, inbox, answers=first)
    make_message(db, inbox, answers=first, flags=["\\Seen"])
    make_message(db, inbox, flags=["\\Seen"])
    assert [row.id for row in queries.list_conversations(db, inbox.id, filter=ListFilter.UNREAD)] == [second.id]


def test_a_conversation_is_read_oldest_first_each_message_once(db, account, inbox):
    archive, junk = make_folder(db, account, "Archive", Role.ARCHIVE), make_folder(db, account, "Junk", Role.JUNK)
    first = make_message(db, archive)
    second = make_message(db, inbox, answers=first)
    make_message(db, archive, answers=first, message_id=second.message_id)
    spam = make_message(db, junk, answers=first)
    of_it = account.id, first.conversation_id
    assert [row.id for row in queries.conversation_messages(db, *of_it, folder_id=inbox.id)] == [first.id, second.id]
    assert spam.id in [row.id for row in queries.conversation_messages(db, *of_it, folder_id=junk.id)]


def test_nobody_reaches_rows_of_somebody_else(db, alice, mallory, account, inbox):
    message = make_message(db, inbox)
    assert queries.get_folder(db, alice.id, inbox.id).id == inbox.id
    assert queries.get_message(db, alice.id, message.id).id == message.id
    assert queries.find_account(db, alice.id, account.id) is not None
    assert queries.find_account(db, mallory.id, account.id) is None
    assert queries.folder_tree(db, mallory.id) == []
    assert queries.find_first_inbox(db, mallory.id) is None
    with pytest.raises(NoSuchFolder):
        queries.get_folder(db, mallory.id, inbox.id)
    with pytest.raises(NoSuchMessage):
        queries.get_message(db, mallory.id, message.id)


def test_folders_stand_in_the_order_people_expect(db, alice, account, set_mode):
    set_mode(Mode.EXTERNAL)
    for name, role in [
        ("zebra", None), ("INBOX", Role.INBOX), ("[Gmail]/Bin", Role.TRASH), ("Work/2024", None), ("work", None),
        ("Work", None), ("Sent", Role.SENT), ("Drafts", Role.DRAFTS), ("Sent/Old", None), ("INBOX/Kids", None),
    ]:  # fmt: skip
        make_folder(db, account, name, role)
    make_folder(db, account, "[Gmail]", selectable=False)
    make_folder(db, account, "Lists", selectable=False)
    make_folder(db, account, "Lists/Python")
    (tree,) = queries.folder_tree(db, alice.id)
    assert [(folder.label, folder.depth) for folder in tree.folders] == [
        ("INBOX", 0), ("Drafts", 0), ("Sent", 0), ("Old", 1), ("Bin", 0), ("Kids", 0), ("Lists", 0), ("Python", 1),
        ("Work", 0), ("work", 0), ("2024", 1), ("zebra", 0),
    ]  # fmt: skip
