"""The Mail activity's pages: what they show, to whom, and at what cost."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from app.accounts.models import AccountState, MailAccount
from app.engine.models import Engine
from app.mail_services.modes import Mode
from app.mirror.bodies import store_section
from app.sources import Role
from tests.conftest import START
from tests.factories import make_account, make_folder, make_message


@pytest.fixture
def config(sqlite_config):
    """The mirror's queries are tried on both databases by their own tests; these are about pages."""
    return sqlite_config


@pytest.fixture(autouse=True)
def _mail_is_on(set_mode):
    set_mode(Mode.EXTERNAL)


@pytest.fixture
def make_letters(db, inbox, monkeypatch):
    """Messages "Letter 0", "Letter 1", … in one transaction."""

    def make_letters(number: int) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(db, "commit", db.flush)
            for place in range(number):
                make_message(db, inbox, subject=f"Letter {place}")
        db.commit()

    return make_letters


@pytest.fixture
def inbox(db, alice, parts):
    return make_folder(db, make_account(db, alice, label="Home", address="alice@example.net", vault=parts.vault))


@pytest.fixture
def browser(browser_of, alice):
    return browser_of(alice)


def subjects(page: str) -> list[str]:
    return re.findall(r'<span class="row-subject">(.*?)</span>', page)


def test_mail_begins_in_the_first_inbox(browser, inbox):
    assert browser.get("/mail").location == f"/mail/folder/{inbox.id}"


def test_without_an_account_the_page_says_what_to_do(browser):
    assert "Add your first account" in browser.get("/mail").text


def test_before_the_first_folders_the_page_says_that_they_come(browser, db, alice):
    make_account(db, alice)
    page = browser.get("/mail").text
    assert "Your folders are on the way" in page
    assert "Fetching the folders" in page


def test_a_folder_shows_the_newest_50_and_leads_to_the_older_ones(browser, inbox, make_letters):
    make_letters(150)  # the last page is just full
    seen, address = [], f"/mail/folder/{inbox.id}"
    for rows in (50, 50, 50):
        page = browser.get(address).text
        assert len(subjects(page)) == rows
        seen += subjects(page)
        found = re.search(r'id="older"><span role="gridcell"><a href="([^"]+)"', page)
        address = found.group(1).replace("&amp;", "&") if found else ""
    assert seen == [f"Letter {number}" for number in reversed(range(150))]
    assert not address


def test_messages_that_arrive_while_paging_are_neither_skipped_nor_repeated(browser, db, inbox, make_letters):
    make_letters(60)
    first = browser.get(f"/mail/folder/{inbox.id}").text
    make_message(db, inbox, subject="New")
    older = re.findall(r'id="older"><span role="gridcell"><a href="([^"]+)"', first)[0].replace("&amp;", "&")
    assert subjects(first) + subjects(browser.get(older).text) == [f"Letter {n}" for n in reversed(range(60))]


def test_conversations_are_rows_and_single_messages_a_choice(browser, db, inbox):
    first = make_message(db, inbox, subject="Tiles", from_name="Ines", flags=["\\Seen"])
    make_message(db, inbox, subject="Re: Tiles", from_name="Alice", from_address="Alice@example.net", answers=first)
    page = browser.get(f"/mail/folder/{inbox.id}").text
    assert subjects(page) == ["Re: Tiles"]
    assert "Ines, me" in page
    assert re.search(r'row-count">2<', page)
    assert subjects(browser.get(f"/mail/folder/{inbox.id}?view=messages").text) == ["Re: Tiles", "Tiles"]


def test_the_person_may_prefer_single_messages(browser, db, alice, inbox):
    first = make_message(db, inbox)
    make_message(db, inbox, answers=first)
    alice.conversations = False
    db.commit()
    assert len(subjects(browser.get(f"/mail/folder/{inbox.id}").text)) == 2


@pytest.mark.parametrize(("wanted", "shown"), [
    ("", ["clip", "star", "new", "plain"]), ("unread", ["new"]), ("flagged", ["star"]), ("attachments", ["clip"]),
    ("nonsense", ["clip", "star", "new", "plain"]),
])  # fmt: skip
def test_filters(browser, db, inbox, wanted, shown):
    make_message(db, inbox, subject="plain", flags=["\\Seen"])
    make_message(db, inbox, subject="new")
    make_message(db, inbox, subject="star", flags=["\\Seen", "\\Flagged"])
    make_message(db, inbox, subject="clip", flags=["\\Seen"], has_attachments=True)
    assert subjects(browser.get(f"/mail/folder/{inbox.id}?filter={wanted}").text) == shown


@pytest.mark.parametrize(("flags", "columns", "told"), [
    ((), {}, "Unread."), (("\\Answered",), {}, "Answered."), (("$Forwarded",), {}, "Forwarded."),
    ((), {"has_attachments": True}, "Has attachments."), ((), {"subject": ""}, "(no subject)"),
    ((), {"from_name": "", "from_address": ""}, "(no sender)"), ((), {"labels": "\\Important\nReading"}, "Reading"),
])  # fmt: skip
def test_marks_stand_in_words_too(browser, db, inbox, flags, columns, told):
    make_message(db, inbox, flags=flags, **columns)
    assert told in browser.get(f"/mail/folder/{inbox.id}").text


def test_what_was_sent_is_listed_by_its_recipients(browser, db, inbox):
    sent = make_folder(db, _account(db, inbox), "Sent", Role.SENT)
    make_message(db, sent, recipients="Ines Ferreira, Jonas")
    assert (
        'row-from"><span class="sr-only">Unread. </span>Ines Ferreira, Jonas'
        in browser.get(f"/mail/folder/{sent.id}").text
    )


def _account(db, folder):
    return db.get(MailAccount, folder.account_id)


def test_words_of_mail_are_escaped(browser, db, inbox):
    evil = '<img src=x onerror="alert(1)">'
    make_message(db, inbox, subject=evil, from_name=evil, preview=evil, labels=evil)
    page = browser.get(f"/mail/folder/{inbox.id}").text
    assert "<img" not in page
    assert "&lt;img src=x onerror=&#34;" in page


def test_the_tree_stands_in_order_with_unread_counts(browser, db, inbox):
    account = _account(db, inbox)
    for name, role in (("Zebra", None), ("Zebra/Stripes", None), ("Trash", Role.TRASH), ("Sent", Role.SENT)):
        make_folder(db, account, name, role)
    make_message(db, inbox)
    page = browser.get(f"/mail/folder/{inbox.id}").text
    names = re.findall(r'class="folder depth-(\d)[^"]*".*?<span>(.*?)</span>', page, re.DOTALL)
    assert names == [("0", "Inbox"), ("0", "Sent"), ("0", "Trash"), ("0", "Zebra"), ("1", "Stripes")]
    assert '<span class="count">1<span class="sr-only"> unread</span>' in page
    assert "<title>(1) Inbox, Home: Satchel</title>" in page


@pytest.mark.parametrize(("columns", "told"), [
    ({"error": "LoginRefused", "state": AccountState.REFUSED}, "The password no longer works."),
    ({"error": "GrantRevoked", "state": AccountState.REFUSED}, "Connect again"),
    ({"error": "TlsFailed", "error_detail": "certificate expired <b>"}, "“certificate expired &lt;b&gt;”"),
    ({"error": "TimedOut"}, "The server does not answer. It is tried again by itself."),
    ({"error": "SomethingNew"}, "The server does not answer."),
    ({"paused": True}, "Paused"),
    ({"state": AccountState.NEW, "sync_total": 41_870, "sync_done": 26_300}, "26,300 of 41,870"),
])  # fmt: skip
def test_an_account_in_trouble_says_so_beside_its_name_and_the_others_work_on(browser, db, alice, inbox, columns, told):
    make_account(db, alice, label="Choir", **{"state": AccountState.READY, "last_sync_at": START, **columns})
    make_message(db, inbox, subject="Still here")
    page = browser.get(f"/mail/folder/{inbox.id}").text
    assert told in page
    assert subjects(page) == ["Still here"]


def test_the_page_says_when_no_engine_runs(browser, db, inbox, clock):
    address = f"/mail/folder/{inbox.id}"
    silent = '<div class="notice list-notice" id="engine-note" role="status">'
    assert silent in browser.get(address).text
    db.add(Engine(machine="one", pid=1, started_at=clock.now(), heartbeat_at=clock.now()))
    db.commit()
    assert silent not in browser.get(address).text
    clock.advance(60)
    assert silent in browser.get(address).text


def test_fragments_are_the_page_s_parts_alone(browser, db, inbox):
    make_message(db, inbox, subject="Tiles")
    rows = browser.get(f"/mail/folder/{inbox.id}?fragment=rows").text
    assert subjects(rows) == ["Tiles"]
    assert "<html" not in rows
    tree = browser.get(f"/mail/tree?folder={inbox.id}").text
    assert tree.startswith('<div id="tree"')
    assert 'aria-current="page"' in tree


def test_a_refresh_may_ask_for_as_many_rows_as_are_shown_within_bounds(browser, inbox, make_letters):
    make_letters(80)
    for limit, rows in (("80", 80), ("10", 50), ("-1", 50), ("x", 50), ("9" * 30, 50), ("99999", 80)):
        page = browser.get(f"/mail/folder/{inbox.id}?fragment=rows&limit={limit}").text
        assert len(subjects(page)) == rows, limit
        assert ('id="older"' in page) == (rows == 50), limit


@pytest.mark.parametrize("before", ["x", "1", "1.2.3", "9" * 40 + ".1", "-1.0", "1.1;drop"])
def test_a_place_that_is_none_shows_the_newest(browser, db, inbox, before):
    make_message(db, inbox, subject="Tiles")
    assert browser.get(f"/mail/folder/{inbox.id}?before={before}").status_code == 200


# ------------------------------------------------------------------------------------------- one message


@pytest.fixture
def letter(db, parts, inbox):
    message = make_message(db, inbox, subject="Tiles")
    store_section(db, parts.vault, _account(db, inbox), message.id, "1", iter([b"The matt one."]), START)
    return message


def test_a_message_is_shown_beside_its_list(browser, inbox, letter):
    page = browser.get(f"/mail/folder/{inbox.id}/message/{letter.id}").text
    assert 'data-view="message"' in page
    assert "The matt one." in page
    assert re.search(r'class="row[^"]* is-open"', page)


def test_opening_a_page_marks_read_but_fetching_its_pane_ahead_does_not(browser, db, inbox, letter):
    address = f"/mail/folder/{inbox.id}/message/{letter.id}"
    pane = browser.get(f"{address}?fragment=message").text
    assert "The matt one." in pane
    assert "<html" not in pane
    db.refresh(letter)
    assert not letter.seen
    browser.get(address)
    db.refresh(letter)
    assert letter.seen


@pytest.mark.parametrize("delay_s", [-1, 2])
def test_a_chosen_delay_is_the_script_s_to_keep(browser, db, alice, inbox, letter, delay_s):
    alice.mark_read_after_s = delay_s
    db.commit()
    browser.get(f"/mail/folder/{inbox.id}/message/{letter.id}")
    db.refresh(letter)
    assert not letter.seen


# ------------------------------------------------------------------------------------------- others' mail


@pytest.mark.parametrize("address", [
    "/mail/folder/{folder}", "/mail/folder/{folder}?fragment=rows", "/mail/folder/{folder}/message/{message}",
    "/mail/folder/{folder}/message/{message}?fragment=message", "/mail/folder/{own}/message/{message}",
])  # fmt: skip
def test_others_mail_answers_like_mail_that_does_not_exist(browser_of, db, alice, bob, mallory, inbox, letter, address):
    for stranger in (bob, mallory):
        own = make_folder(db, make_account(db, stranger))
        wanted = address.format(folder=inbox.id, message=letter.id, own=own.id)
        missing = address.format(folder=99_999, message=99_999, own=own.id)
        found, nothing = browser_of(stranger).get(wanted), browser_of(stranger).get(missing)
        assert (found.status_code, nothing.status_code) == (404, 404)
        assert "Tiles" not in found.text


def test_a_message_of_another_account_of_the_same_person_is_not_in_this_folder(browser, db, alice, letter):
    other = make_folder(db, make_account(db, alice))
    assert browser.get(f"/mail/folder/{other.id}/message/{letter.id}").status_code == 404


def test_the_tree_holds_nobody_elses_folders(browser_of, mallory, inbox):
    page = browser_of(mallory).get(f"/mail/tree?folder={inbox.id}").text
    assert f'data-folder="{inbox.id}"' not in page


@pytest.mark.parametrize("address", ["/mail", "/mail/tree", "/mail/folder/1", "/mail/folder/1/message/1"])
def test_signed_out_one_is_asked_to_sign_in_and_without_mail_there_is_nothing(anonymous, set_mode, address):
    assert "/sign-in" in anonymous.get(address).location
    set_mode(Mode.DISABLED)
    assert anonymous.get(address).status_code == 404


# ------------------------------------------------------------------------------------------- what it costs


def test_a_list_costs_a_few_statements_however_much_there_is(browser, db, parts, alice, inbox, make_letters):
    make_letters(60)
    for number in range(5):
        make_folder(db, make_account(db, alice), f"Folder {number}")
    statements = []
    browser.get(f"/mail/folder/{inbox.id}")  # what is cached once is cached

    def note(_connection, _cursor, statement, *_rest):
        statements.append(statement)

    sa.event.listen(parts.public.engine, "before_cursor_execute", note)
    browser.get(f"/mail/folder/{inbox.id}")
    sa.event.remove(parts.public.engine, "before_cursor_execute", note)
    assert len(statements) <= 8, "\n".join(statements)
    assert not [statement for statement in statements if "count(" in statement.lower()]
