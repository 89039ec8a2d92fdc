"""The page of the queue and what an admin does on it: hold, release, try now, drop; on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, text, update

from app.errors import NotFound
from app.mail_services.modes import Mode
from mailsite_ext.delivery import queue, queue_page
from mailsite_ext.delivery.care import Deed, Done, carry_out, of_destination, of_message, of_recipient
from mailsite_ext.delivery.models import DeliveryAttempt, QueuedRecipient
from mailsite_ext.delivery.retry import Fate, Notice
from mailsite_ext.protocol.smtp_grammar import MailFrom, Notify
from tests.conftest import START
from tests.mailsite.delivery.test_queue import LATER, MINUTE, NEVER, claim, due, recipients, settle, take

SURE = {"confirmed": "1"}
HOSTILE = "550 <script>alert(1)</script>"
DEEDS = [
    (Deed.HOLD, Fate.WAITING, Fate.HELD),
    (Deed.RELEASE, Fate.HELD, Fate.WAITING),
    (Deed.RETRY, Fate.WAITING, Fate.WAITING),
    (Deed.DROP, Fate.WAITING, Fate.DROPPED),
    (Deed.DROP, Fate.HELD, Fate.DROPPED),
    (Deed.DROP_SILENTLY, Fate.HELD, Fate.DROPPED),
]


def set_fate(db, fate, **values):
    db.rollback()
    db.execute(update(QueuedRecipient).values(fate=fate, **values))
    db.commit()


def do(db, deed, these, now=START):
    db.rollback()
    return carry_out(db, deed, these, now)


@pytest.mark.parametrize(("deed", "before", "after"), DEEDS)
def test_what_a_deed_does(db, deed, before, after):
    message_id = take(db, now=START)
    set_fate(db, before, next_at=START + timedelta(hours=1))
    assert do(db, deed, of_message(message_id)) == Done(1, 0)
    assert recipients(db)["bob@there.example"].fate is after
    assert due(db, START) == (["there.example"] if deed in (Deed.RELEASE, Deed.RETRY) else [])


@pytest.mark.parametrize("deed", Deed)
@pytest.mark.parametrize("fate", [Fate.DELIVERED, Fate.FAILED, Fate.DROPPED])
def test_what_is_over_stays_as_it_is(db, deed, fate):
    message_id = take(db, now=START)
    set_fate(db, fate)
    assert do(db, deed, of_message(message_id)) == Done(0, 0)
    assert recipients(db)["bob@there.example"].fate is fate


@pytest.mark.parametrize("deed", Deed)
def test_what_is_being_delivered_is_left_to_who_delivers_it(db, deed):
    message_id = take(db, now=START)
    claimed = claim(db, now=START)
    assert do(db, deed, of_message(message_id)) == Done(0, 1)
    settle(db, claimed, NEVER, START)
    assert recipients(db)["bob@there.example"].fate is Fate.FAILED


def test_a_claim_whose_process_died_hinders_nobody(db):
    message_id = take(db, now=START)
    claim(db, now=START)
    late = START + queue.CLAIMED_FOR
    assert do(db, Deed.HOLD, of_message(message_id), late) == Done(1, 0)
    assert due(db, late) == []


def test_a_deed_reaches_whom_it_names(db):
    first = take(db, "bob@there.example", "eve@there.example", "joe@else.example", now=START)
    take(db, "ann@there.example", token="t2", now=START)
    bob = recipients(db)["bob@there.example"].id
    for these, number in [(of_recipient(bob), 1), (of_message(first), 2), (of_destination("there.example"), 1)]:
        assert do(db, Deed.HOLD, these) == Done(number, 0)
    assert {each.fate for each in recipients(db).values()} == {Fate.HELD}


@pytest.mark.parametrize("these", [of_recipient(7), of_message(7), of_destination("nowhere.example")])
def test_what_is_not_there_is_not_found(db, these):
    take(db, now=START)
    with pytest.raises(NotFound):
        do(db, Deed.DROP, these)


@pytest.mark.parametrize(
    ("deed", "notify", "sender", "told"),
    [
        (Deed.DROP, frozenset(), None, Notice.FAILED),
        (Deed.DROP, frozenset({Notify.FAILURE, Notify.DELAY}), None, Notice.FAILED),
        (Deed.DROP, frozenset({Notify.NEVER}), None, ""),
        (Deed.DROP, frozenset({Notify.SUCCESS}), None, ""),
        (Deed.DROP, frozenset(), MailFrom(None), ""),  # a notice answers nobody
        (Deed.DROP_SILENTLY, frozenset(), None, ""),
    ],
)
def test_who_hears_of_what_was_dropped(db, deed, notify, sender, told):
    message_id = take(db, notify=notify, mail=sender, now=START)
    do(db, deed, of_message(message_id))
    dropped = recipients(db)["bob@there.example"]
    assert (dropped.to_tell, dropped.code) == (told, 554)


def test_destinations_with_the_most_first(db):
    take(db, "a@one.example", "b@one.example", "c@two.example", now=START)
    do(db, Deed.HOLD, of_destination("two.example"))
    do(db, Deed.HOLD, of_recipient(recipients(db)["b@one.example"].id))
    found = [(one.domain, one.waiting, one.held) for one in queue_page.list_destinations(db)]
    assert found == [("one.example", 1, 1), ("two.example", 0, 1)]
    assert queue_page.count_waiting(db) == 1
    times = [one.next_at for one in queue_page.list_destinations(db)]
    assert times == [START, None]


def test_pages_hold_every_row_once(db):
    number = queue_page.PAGE_ROWS * 2 + 3
    take(db, *(f"u{each}@there.example" for each in range(number)), now=START)
    seen, before = [], None
    while True:
        listed = queue_page.list_rows(db, Fate.WAITING, "there.example", before)
        seen += [row.recipient.id for row in listed.rows]
        if listed.older is None:
            break
        before = listed.older
    assert len(seen) == number
    assert seen == sorted(set(seen), reverse=True)


@pytest.mark.parametrize("domain", ["", "there.example"])
def test_a_page_is_read_from_an_index_in_its_order(db, domain):
    """However much was delivered: PostgreSQL chooses by figures, so it is shown enough rows to choose well."""
    message_id = take(db, now=START)
    rows = [
        {"message_id": message_id, "address": f"u{each}@there.example", "domain": "there.example", "notify": "",
         "orcpt": "", "fate": Fate.DELIVERED, "tries": 1, "next_at": START, "claim": "", "code": 250, "words": "",
         "host": "", "told_of_delay": False, "to_tell": ""}
        for each in range(3000)
    ]  # fmt: skip
    db.execute(insert(QueuedRecipient), rows)
    db.commit()
    db.execute(text("ANALYZE"))
    db.commit()
    statement = queue_page.rows_query(Fate.DELIVERED, domain, 1500).compile(
        dialect=db.bind.dialect, compile_kwargs={"literal_binds": True}
    )
    is_sqlite = db.bind.dialect.name == "sqlite"
    how = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
    plan = " | ".join(str(row) for row in db.execute(text(f"{how} {str(statement).replace(':', chr(92) + ':')}")))
    assert "TEMP B-TREE" not in plan, plan
    assert "Sort" not in plan, plan
    assert "Seq Scan on mailsite_queued_recipient" not in plan, plan


@pytest.mark.parametrize(
    ("attempts", "says"),
    [([], False), ([True] * 2, False), ([True] * 3, True), ([True] * 3 + [False] * 3, False),
     ([True] * 4 + [False] * 3, True), ([False] * 20, False)],
)  # fmt: skip
def test_when_port_25_seems_blocked(attempts, says):
    assert queue_page.seems_blocked(attempts) is says


@pytest.fixture
def browser(app, parts, db, admin, set_mode, browser_of):
    set_mode(Mode.BOTH)
    return browser_of(admin)


def note(db, message_id, begun_at, transcript="", blocked=True):
    db.add(
        DeliveryAttempt(
            message_id=message_id,
            domain="there.example",
            begun_at=begun_at,
            port_25_blocked=blocked,
            transcript=transcript,
        )
    )
    db.commit()


def test_the_page_says_what_waits_and_that_nobody_delivers_it(browser, db, clock):
    take(db, "bob@there.example", "eve@else.example", now=clock.now())
    page = browser.get("/admin/queue").text
    assert "The delivery service does not run" in page
    assert "1 message waits." in page
    assert "bob@there.example" in page
    only = browser.get("/admin/queue?domain=else.example&fragment=1").text
    assert "eve@else.example" in only
    assert "<strong>bob@there.example</strong>" not in only
    assert "<html" not in only


@pytest.mark.parametrize("query", ["fate=nonsense", "before=-1", "before=99999999999999999999", "before=x"])
def test_what_makes_no_sense_is_answered_like_nothing_asked(browser, db, query):
    assert browser.get(f"/admin/queue?{query}").status_code == 200


def test_port_25_is_said_to_be_blocked_of_late_only(browser, db, clock):
    message_id = take(db, now=clock.now())
    for _ in range(3):
        note(db, message_id, clock.now() - timedelta(days=2))
    assert "Port 25 seems to be blocked" not in browser.get("/admin/queue").text
    for _ in range(3):
        note(db, message_id, clock.now() - MINUTE)
    assert "Port 25 seems to be blocked" in browser.get("/admin/queue").text


def test_a_message_its_transcript_and_its_end(browser, db, clock):
    message_id = take(db, "bob@there.example", "eve@there.example", now=clock.now())
    settle(db, claim(db, now=clock.now()), LATER, clock.now())
    note(db, message_id, clock.now(), HOSTILE)
    page = browser.get(f"/admin/queue/messages/{message_id}").text
    assert "451 4.3.0 later" in page
    assert "550 &lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    eve = recipients(db)["eve@there.example"].id
    done = browser.post(
        f"/admin/queue/messages/{message_id}/recipients/{eve}/drop", data=SURE, follow_redirects=True
    ).text
    assert "1 recipient is dropped; the sender is told." in done
    browser.post(f"/admin/queue/messages/{message_id}/hold")
    browser.post("/admin/queue/destinations/there.example/release")
    fates = {each.address: each.fate for each in recipients(db).values()}
    assert fates == {"bob@there.example": Fate.WAITING, "eve@there.example": Fate.DROPPED}


def test_a_recipient_of_another_message_is_not_found_there(browser, db, clock):
    first, second = take(db, now=clock.now()), take(db, "eve@there.example", token="t2", now=clock.now())
    eve = recipients(db)["eve@there.example"].id
    assert browser.post(f"/admin/queue/messages/{first}/recipients/{eve}/drop", data=SURE).status_code == 404
    assert browser.get("/admin/queue/messages/99999").status_code == 404
    assert browser.post(f"/admin/queue/messages/{second}/explode").status_code == 404
    assert {each.fate for each in recipients(db).values()} == {Fate.WAITING}


@pytest.mark.parametrize("deed", ["drop", "drop-silently"])
def test_what_is_dropped_is_asked_first(browser, db, clock, deed):
    message_id = take(db, *(f"{who}@there.example" for who in "abcdefg"), now=clock.now())
    places = [f"messages/{message_id}", "destinations/there.example"]
    for place in places:
        page = browser.post(f"/admin/queue/{place}/{deed}")
        assert page.status_code == 200
        assert "Drop it for 7 recipients" in page.text
        assert "a@there.example, b@there.example" in page.text
        assert ("Nobody is told." in page.text) is (deed == "drop-silently")
    assert {each.fate for each in recipients(db).values()} == {Fate.WAITING}
    assert browser.post(f"/admin/queue/{places[0]}/{deed}", data=SURE).status_code == 303
    assert {each.fate for each in recipients(db).values()} == {Fate.DROPPED}
    assert browser.post(f"/admin/queue/{places[0]}/{deed}").status_code == 303, "nothing is left to ask about"
    assert browser.post(f"/admin/queue/messages/{message_id + 9}/{deed}").status_code == 404
