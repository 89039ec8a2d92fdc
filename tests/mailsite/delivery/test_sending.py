"""What keeps somebody from sending: addresses that bounced, limits, and what admins are told; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.errors import NotFound
from app.mail_services.modes import Mode
from mailsite_ext.delivery import alarms, allowance, fates, suppression
from mailsite_ext.delivery.alarms import Alarm, Kind, busiest_hour, is_near, is_refused_often, list_alarms
from mailsite_ext.delivery.allowance import Recipients
from mailsite_ext.delivery.outbound import DeliveryQueue
from mailsite_ext.delivery.retry import Fate
from mailsite_ext.domains import service
from mailsite_ext.errors import BouncedLately, SendingLimitReached
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.replies import Reply, smtp_reply
from tests.conftest import START
from tests.mailsite.delivery.test_queue import LATER, MINUTE, NEVER, OK, claim, settle, take

BOB = Address("bob", "there.example")
FEW = Limits(recipients_per_hour=10, recipients_per_day=15)


@pytest.fixture
def ada(parts, db, admin, set_mode):
    set_mode(Mode.BOTH)
    return service.ensure_mailbox(parts, db, admin)


@pytest.fixture
def out(parts):
    made = DeliveryQueue(parts, "mail.here.example", FEW)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("reply", "is_it"),
    [
        (NEVER, True),
        (Reply(550, "5.1.10 null MX"), True),
        (Reply(550, "5.1.2 there is no such domain"), True),
        (Reply(550, "5.1.8 bad sender's system address"), False),  # ours is meant
        (Reply(550, "5.1.7 bad sender's mailbox"), False),
        (Reply(550, "5.7.1 spam"), False),
        (Reply(550, "no such user"), False),  # nobody knows whether that is meant
        (Reply(450, "4.1.1 try later"), False),
        (Reply(450, "5.1.1 a code that contradicts itself"), False),
        (OK, False),
    ],
)
def test_what_is_about_the_address(reply, is_it):
    assert suppression.is_about_the_address(reply) is is_it


def bounce(db, reply=NEVER, token="t1", now=START):
    take(db, token=token, now=now)
    settle(db, claim(db, token=f"c-{token}", now=now), reply, now)


def test_what_bounced_is_refused_for_a_week_in_words(db, out, ada, clock):
    bounce(db)
    with pytest.raises(BouncedLately) as caught:
        out.check("ada", Address("BOB", "there.example"), 0)
    reply = smtp_reply(caught.value)
    assert reply.code == 550
    assert reply.words.startswith("5.1.1 mail to it bounced on 24 November 2026: 550 5.1.1 no such user")
    clock.advance(suppression.SUPPRESSED_FOR.total_seconds() - 1)
    with pytest.raises(BouncedLately):
        out.check("ada", BOB, 0)
    clock.advance(1)
    out.check("ada", BOB, 0)
    assert suppression.list_bounced(db, clock.now()) == []


def test_it_is_refused_for_that_sender_alone(parts, db, out, ada, alice):
    service.ensure_mailbox(parts, db, alice)
    bounce(db)
    out.check("alice", BOB, 0)
    out.check("ada", Address("eve", "there.example"), 0)


@pytest.mark.parametrize("reply", [LATER, OK, Reply(550, "5.7.1 spam")])
def test_other_answers_hinder_nobody(db, out, ada, reply):
    bounce(db, reply)
    out.check("ada", BOB, 0)


def test_the_latest_bounce_counts_and_is_lifted_by_its_owner_alone(parts, db, out, ada, alice):
    other = service.ensure_mailbox(parts, db, alice)
    bounce(db)
    bounce(db, Reply(550, "5.1.10 gone"), "t2", START + MINUTE)
    [(row, name)] = suppression.list_bounced(db, START + MINUTE)
    assert (name, row.words) == ("ada", "5.1.10 gone")
    with pytest.raises(NotFound):
        suppression.lift(db, row.id, other.id)
    assert suppression.lift(db, row.id, ada.id) == "bob@there.example"
    out.check("ada", BOB, 0)
    with pytest.raises(NotFound):
        suppression.lift(db, row.id)


def test_words_of_another_server_are_one_short_line(db, out, ada):
    bounce(db, Reply(550, "5.1.1 no\r\n250 \x1b[2Jsuch " + "x" * 5_000))
    with pytest.raises(BouncedLately) as caught:
        out.check("ada", BOB, 0)
    said = smtp_reply(caught.value).encode()
    assert said.count(b"\r\n") == 1
    assert len(said) <= 512
    assert b"\x1b" not in said


def test_a_mailbox_sends_to_so_many_in_an_hour_and_in_a_day(db, out, ada, clock):
    take(db, *(f"u{number}@there.example" for number in range(9)), now=clock.now())
    out.check("ada", BOB, 0)
    with pytest.raises(SendingLimitReached) as caught:
        out.check("ada", BOB, 1)
    assert str(smtp_reply(caught.value).words) == (
        "4.7.1 this mailbox may send to 10 recipients an hour and has, try later"
    )
    clock.advance(3_600)
    out.check("ada", BOB, 5)
    with pytest.raises(SendingLimitReached, match="15 recipients a day"):
        out.check("ada", BOB, 6)
    clock.advance(23 * 3_600)
    out.check("ada", BOB, 9)


def test_an_admin_gives_a_mailbox_more_or_less(db, out, ada):
    service.save_sending(db, ada.id, 0, None)
    with pytest.raises(SendingLimitReached):
        out.check("ada", BOB, 0)
    service.save_sending(db, ada.id, 20, 20)
    out.check("ada", BOB, 19)


def test_what_is_taken_once_more_counts_once(db, ada):
    take(db, token="ada:1", now=START)
    assert allowance.used(db, "ada", START, besides="ada:1") == Recipients(0, 0)
    assert allowance.used(db, "ada", START) == Recipients(1, 1)


@pytest.mark.parametrize(
    ("minutes", "most"), [([], 0), ([0], 5), ([0, 59], 10), ([0, 60], 5), ([0, 30, 60, 89, 90, 200], 15)]
)
def test_the_busiest_hour(minutes, most):
    assert busiest_hour([(START + timedelta(minutes=each), 5) for each in minutes]) == most


@pytest.mark.parametrize(
    ("number", "limit", "near"), [(0, 0, False), (1, 0, True), (399, 500, False), (400, 500, True), (501, 500, True)]
)
def test_near_a_limit(number, limit, near):
    assert is_near(number, limit) is near


@pytest.mark.parametrize(
    ("refused", "settled", "often"), [(19, 19, False), (20, 60, True), (20, 61, False), (40, 40, True)]
)
def test_refused_often(refused, settled, often):
    assert is_refused_often(refused, settled) is often


def test_admins_are_told_for_a_day(db, ada):
    take(db, *(f"u{number}@there.example" for number in range(8)), now=START)
    near = Alarm(ada.id, "ada", Kind.HOUR, 8, 10)
    assert list_alarms(db, START + MINUTE, FEW) == [near]
    take(db, *(f"v{number}@there.example" for number in range(8)), token="t2", now=START + timedelta(hours=2))
    late = list_alarms(db, START + timedelta(hours=3), FEW)
    assert late == [Alarm(ada.id, "ada", Kind.DAY, 16, 15), near]
    assert late[0].is_reached
    assert list_alarms(db, START + timedelta(hours=27), FEW) == []


def test_admins_are_told_of_many_refusals(db, ada):
    take(db, *(f"u{number}@there.example" for number in range(alarms.MANY_REFUSED)), now=START)
    settle(db, claim(db, now=START), Reply(550, "5.7.1 spam"), START)
    found = list_alarms(db, START, Limits())
    assert found == [Alarm(ada.id, "ada", Kind.REFUSED, alarms.MANY_REFUSED, alarms.MANY_REFUSED)]


def test_people_see_what_became_of_their_mail(db, ada):
    take(db, "bob@there.example", "eve@else.example", now=START)
    settle(db, claim(db, now=START), NEVER, START)
    [sent] = fates.list_sent(db, ada, None).sent
    assert [(each.address, each.fate) for each in sent.recipients] == [
        ("bob@there.example", Fate.FAILED), ("eve@else.example", Fate.WAITING),
    ]  # fmt: skip
    assert len(fates.list_troubled(db, ada, START)) == 1
    settle(db, claim(db, "else.example", "c2", START), OK, START)
    assert fates.list_troubled(db, ada, START + timedelta(days=2)) == []
    assert len(fates.list_sent(db, ada, None).sent) == 1


def test_every_message_is_on_one_page(db, ada):
    for number in range(fates.PAGE_MESSAGES + 2):
        take(db, token=f"t{number}", now=START)
    first = fates.list_sent(db, ada, None)
    second = fates.list_sent(db, ada, first.older)
    ids = [one.message.id for listed in (first, second) for one in listed.sent]
    assert (len(first.sent), len(second.sent), second.older) == (fates.PAGE_MESSAGES, 2, None)
    assert ids == sorted(set(ids), reverse=True)


def test_who_gets_a_name_that_was_released_sees_nothing_of_before(db, ada):
    take(db, now=START - MINUTE)
    assert fates.list_sent(db, ada, None).sent == []


@pytest.fixture
def browser(app, ada, admin, browser_of):
    return browser_of(admin)


def test_the_outbox_and_its_page_say_it_and_let_it_go_again(browser, db, out):
    bounce(db, Reply(550, "5.1.1 <script>alert(1)</script>"))
    for path in ("/mail/outbox", "/mail/outbox/elsewhere"):
        page = browser.get(path).text
        assert "Addresses that bounced" in page
        assert "5.1.1 &lt;script&gt;alert(1)" in page
        assert "Refused" in page
    [(row, _)] = suppression.list_bounced(db, START)
    done = browser.post(f"/mail/outbox/elsewhere/bounced/{row.id}/lift", follow_redirects=True).text
    assert "Mail to bob@there.example goes again" in done
    assert "Addresses that bounced" not in done
    out.check("ada", BOB, 0)


def test_an_admin_lifts_it_too(browser, db, out):
    bounce(db)
    [(row, _)] = suppression.list_bounced(db, START)
    assert f'id="lift-{row.id}"' in browser.get("/admin/queue").text
    assert "goes again" in browser.post(f"/admin/queue/bounced/{row.id}/lift", follow_redirects=True).text
    assert browser.post(f"/admin/queue/bounced/{row.id}/lift").status_code == 404


def test_the_queue_shows_alarms(browser, db, ada):
    service.save_sending(db, ada.id, 1, None)
    take(db, now=START)
    page = browser.get("/admin/queue").text
    assert "ada has reached its sending limit" in page
    assert f'href="/admin/mailboxes/{ada.id}"' in page


def test_limits_are_set_on_the_page_of_the_mailbox(browser, db, ada):
    answer = browser.post(f"/admin/mailboxes/{ada.id}", data={"recipients_per_hour": "7", "recipients_per_day": ""})
    assert answer.status_code == 303
    db.expire_all()
    assert (ada.recipients_per_hour, ada.recipients_per_day) == (7, None)
    for wrong in ("-1", "x", "1000001"):
        answer = browser.post(f"/admin/mailboxes/{ada.id}", data={"recipients_per_hour": wrong})
        assert answer.status_code == 422, wrong
