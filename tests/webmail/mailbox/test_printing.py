"""Rows that are printed once: whatever decides how they read makes another row, for another person above all."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from app.accounts.models import MailAccount
from app.actions import service as actions
from app.mail_services.modes import Mode
from app.mailbox.printing import Manner, print_rows
from app.mailbox.rows import Words
from app.mirror.queries import list_conversations
from app.sources import Role
from app.web.filters import Calendar
from tests.conftest import START
from tests.factories import make_account, make_folder, make_message

WORDS = Words("me", "(no sender)", "(no recipient)", "(no subject)")
NOON = START.replace(hour=12)


@pytest.fixture
def config(sqlite_config):
    """These are about pages; the mirror's queries are tried on both databases by their own tests."""
    return sqlite_config


@pytest.fixture(autouse=True)
def _mail_is_on(set_mode):
    set_mode(Mode.EXTERNAL)


@pytest.fixture
def inbox(db, alice):
    return make_folder(db, make_account(db, alice, address="alice@example.net"))


@pytest.fixture
def browser(browser_of, alice):
    return browser_of(alice)


@pytest.fixture
def rows_of(browser, inbox):
    """The rows of the list as they are printed now, without the headings of days."""

    def rows_of() -> list[str]:
        page = browser.get(f"/mail/folder/{inbox.id}?fragment=rows").text
        return re.findall(r'<div class="row(?: |").*?</button></div></div>', page, re.DOTALL)

    return rows_of


def manner(calendar: Calendar, **changes: object) -> Manner:
    plain = Manner(calendar.style, WORDS, frozenset(), Role.INBOX, "/mail/folder/1/message/", "", "/act?message=")
    return plain._replace(**changes)


@pytest.mark.parametrize(("changes", "now_has"), [
    ({"own": frozenset({"maren@example.com"})}, "me<"),
    ({"role": Role.SENT}, "Alice<"),
    ({"role": Role.ARCHIVE}, 'value="delete"'),
    ({"message_url": "/prefix/mail/folder/2/message/"}, "/prefix/mail/folder/2/message/"),
    ({"query": "?filter=unread&view=messages"}, "?filter=unread&amp;view=messages"),
    ({"act_url": "/prefix/act?message="}, "/prefix/act?message="),
])  # fmt: skip
def test_a_row_is_another_in_another_list(app, db, inbox, changes, now_has):
    make_message(db, inbox)
    found, calendar = list_conversations(db, inbox.id), Calendar(NOON)
    with app.test_request_context():
        (plain,) = print_rows(found, calendar, manner(calendar), 0)
        (other,) = print_rows(found, calendar, manner(calendar, **changes), 0)
        (again,) = print_rows(found, calendar, manner(calendar), 0)
    assert other.html != plain.html == again.html
    assert now_has in other.html


def test_a_nameless_row_says_so_in_the_words_it_is_given(app, db, inbox):
    make_message(db, inbox, subject="")
    found, calendar = list_conversations(db, inbox.id), Calendar(NOON)
    with app.test_request_context():
        (plain,) = print_rows(found, calendar, manner(calendar), 0)
        (other,) = print_rows(found, calendar, manner(calendar, words=WORDS._replace(no_subject="(kein Betreff)")), 0)
    assert "(no subject)" in plain.html
    assert "(kein Betreff)" in other.html


def test_dates_are_of_the_day_the_zone_and_the_language_they_are_read_in(app, db, inbox):
    make_message(db, inbox, received_at=NOON)
    found = list_conversations(db, inbox.id)
    calendars = [
        Calendar(NOON),
        Calendar(NOON, ZoneInfo("Asia/Tokyo")),
        Calendar(NOON + timedelta(days=3)),
        Calendar(NOON + timedelta(days=3), language="de"),
    ]
    for _ in range(2):  # printed, then kept
        with app.test_request_context():
            printed = [next(print_rows(found, calendar, manner(calendar), 0)) for calendar in calendars]
        assert [re.search(r"<time[^>]*>(.*?)<", row.html)[1] for row in printed] == ["12:00", "21:00", "Tue", "Di"]
        assert [row.heading for row in printed] == ["Today", "Today", "Earlier this week", "Earlier this week"]


def test_the_open_row_is_marked_and_no_other(app, db, inbox):
    first, second = make_message(db, inbox), make_message(db, inbox)
    found, calendar = list_conversations(db, inbox.id), Calendar(NOON)
    for opened in (first, second):
        with app.test_request_context():
            printed = list(print_rows(found, calendar, manner(calendar), opened.id))
        assert [row.id for row in printed if "is-open" in row.html] == [opened.id]


def test_a_flag_shows_at_once(db, parts, clock, alice, inbox, rows_of):
    message = make_message(db, inbox)
    (before,) = rows_of()
    actions.flag(db, alice.id, [message.id], {"\\Seen", "\\Flagged"}, set(), clock, parts.bus)
    (after,) = rows_of()
    assert ("is-unread" in before, "is-unread" in after) == (True, False)
    assert 'value="star"' in before
    assert 'value="unstar"' in after


def test_an_answer_elsewhere_shows_in_its_conversation(db, inbox, rows_of):
    first = make_message(db, inbox, from_name="Ines")
    (before,) = rows_of()
    sent = make_folder(db, db.get_one(MailAccount, inbox.account_id), "Sent", Role.SENT)
    make_message(db, sent, answers=first, from_name="Alice", from_address="alice@example.net")
    (after,) = rows_of()
    assert "row-count" not in before
    assert "Ines, me" in after


def test_at_midnight_today_becomes_yesterday(browser, db, clock, inbox):
    make_message(db, inbox, received_at=START)
    address = f"/mail/folder/{inbox.id}?fragment=rows"
    for shown in ("Today", "Today", "Yesterday"):  # at 8:00, 16:00 and 0:00
        assert re.findall(r'role="gridcell">(\w+)</span>', browser.get(address).text) == [shown]
        clock.advance(8 * 3600)


def test_the_time_zone_of_the_settings_counts_at_once(db, alice, inbox, rows_of):
    make_message(db, inbox, received_at=START)
    (before,) = rows_of()
    alice.timezone = "Asia/Tokyo"
    db.commit()
    (after,) = rows_of()
    assert ">08:00<" in before
    assert ">17:00<" in after


def test_people_with_the_same_mail_have_rows_of_their_own(browser_of, db, alice, mallory):
    pages = {}
    for person in (alice, mallory):
        folder = make_folder(db, make_account(db, person))
        message = make_message(db, folder, subject="The same", received_at=START, message_id="same@example.net")
        pages[message.id] = browser_of(person).get(f"/mail/folder/{folder.id}?fragment=rows").text
    for own in pages:
        assert re.findall(r'data-id="(\d+)"', pages[own]) == [str(own)]
        assert set(re.findall(r"message=(\d+)", pages[own])) == {str(own)}


def test_folders_and_toolbars_are_of_the_person_who_looks(browser_of, db, alice, mallory):
    places = {}
    for person in (alice, mallory):
        account = make_account(db, person, label=f"{person.name}'s mail")
        inbox = make_folder(db, account)
        make_folder(db, account, f"Plans of {person.name}")
        places[person] = inbox
    for _ in range(2):  # printed, then kept
        for person, other in ((alice, mallory), (mallory, alice)):
            page = browser_of(person).get(f"/mail/folder/{places[person].id}").text
            assert page.count(f"Plans of {person.name}") == 2, "in the tree, and in the menu that moves"
            assert other.name not in page


def test_the_tree_follows_its_counters(browser, db, inbox):
    make_message(db, inbox)
    first = browser.get(f"/mail/tree?folder={inbox.id}").text
    make_message(db, inbox)
    second = browser.get(f"/mail/tree?folder={inbox.id}").text
    assert ('class="count">1<' in first, 'class="count">2<' in second) == (True, True)
