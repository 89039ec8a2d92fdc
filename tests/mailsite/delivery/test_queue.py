"""The delivery queue on both databases: taken once, claimed once, every fate written down."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from mailsite_ext.delivery import queue
from mailsite_ext.delivery.models import QueuedBlock, QueuedMessage, QueuedRecipient
from mailsite_ext.delivery.queue import Submission
from mailsite_ext.delivery.remote import Answer
from mailsite_ext.delivery.retry import KEPT_FOR, Fate, Notice
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.protocol.smtp_grammar import Body, MailFrom, Notify, RcptTo
from mailsite_ext.replies import Reply

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MESSAGE = b"Subject: Tea\r\n\r\nAt five.\r\n"
OK, LATER, NEVER = Reply(250, "2.0.0 ok"), Reply(451, "4.3.0 later"), Reply(550, "5.1.1 no such user")
MINUTE = timedelta(minutes=1)


def take(db, *addresses, token="t1", blocks=(MESSAGE,), notify=frozenset(), mail=None, now=NOW):
    mail = mail or MailFrom(Address("ada", "here.example"))
    rcpts = [RcptTo(Address(*address.split("@")), notify) for address in addresses or ("bob@there.example",)]
    queue.enqueue(db, Submission(token, "ada", mail, rcpts), blocks, now)
    return db.scalars(select(QueuedMessage.id).where(QueuedMessage.token == token)).one()


def claim(db, domain="there.example", token="c1", now=NOW):
    db.rollback()
    return queue.claim(db, domain, token, now)


def settle(db, claimed, reply, now=NOW, **options):
    answers = {
        (one.message.id, each.address): Answer(reply, "mx", **options) for one in claimed for each in one.recipients
    }
    queue.settle(db, claimed, answers, now, lambda: 0.5)
    db.expire_all()


def recipients(db):
    db.expire_all()
    return {each.address: each for each in db.scalars(select(QueuedRecipient))}


def due(db, now=NOW, besides=()):
    db.rollback()
    return list(queue.due_domains(db, now, besides=besides, most=10))


def test_a_message_is_kept_octet_for_octet(parts, db):
    blocks = [b"a" * 100_000, b"", b"\xc3\xa9" * 200_000]
    message_id = take(db, blocks=blocks)
    assert b"".join(queue.read_blocks(parts.public, message_id)) == b"".join(blocks)
    message = db.get_one(QueuedMessage, message_id)
    assert (message.octets, message.is_eight_bit, message.is_whole) == (500_000, True, True)
    assert max(len(block.octets) for block in db.scalars(select(QueuedBlock))) == queue.BLOCK_OCTETS


def test_the_same_message_is_taken_once(parts, db):
    take(db)
    take(db)
    assert len(recipients(db)) == 1


def test_a_taking_that_broke_off_is_never_sent_and_taken_anew(parts, db):
    def breaks_off():
        yield b"x" * queue.BLOCK_OCTETS
        raise OSError

    with pytest.raises(OSError):
        take(db, blocks=breaks_off())
    db.rollback()
    assert due(db) == []
    message_id = take(db)
    assert b"".join(queue.read_blocks(parts.public, message_id)) == MESSAGE
    assert due(db) == ["there.example"]


def test_what_a_message_needs_is_kept(parts, db):
    mail = MailFrom(
        Address("ada", "here.example"), body=Body.EIGHT_BIT, utf8=True, require_tls=True, ret="HDRS", envid="x"
    )
    take(db, mail=mail, notify=frozenset({Notify.SUCCESS, Notify.FAILURE}))
    [claimed] = claim(db)
    sent = claimed.mail
    assert (sent.sender, sent.needs_utf8, sent.requires_tls, sent.ret, sent.envid) == (
        "ada@here.example", True, True, "HDRS", "x",
    )  # fmt: skip
    assert sent.recipients[0].notify == {Notify.SUCCESS, Notify.FAILURE}


def test_destinations_that_are_due_longest_first(parts, db):
    take(db, "a@two.example", token="2", now=NOW - MINUTE)
    take(db, "a@one.example", "b@one.example", token="1", now=NOW - 2 * MINUTE)
    take(db, "a@later.example", token="3", now=NOW + MINUTE)
    assert due(db) == ["one.example", "two.example"]
    assert due(db, besides=["one.example"]) == ["two.example"]


def test_a_claim_is_one_processs_alone(parts, db):
    take(db, "bob@there.example", "eve@there.example", "a@other.example")
    [claimed] = claim(db)
    assert [each.address for each in claimed.recipients] == ["bob@there.example", "eve@there.example"]
    assert claim(db, token="c2") == []
    assert due(db) == ["other.example"]


def test_two_processes_that_claim_at_once_share(parts, db):
    for number in range(queue.MESSAGES_OF_A_CLAIM + 5):
        take(db, token=str(number))
    with parts.public.session() as other:
        first, second = claim(db, token="c1"), claim(other, token="c2")
    assert (len(first), len(second)) == (queue.MESSAGES_OF_A_CLAIM, 5)
    assert not {one.message.id for one in first} & {one.message.id for one in second}


def test_a_destination_gets_few_connections_at_a_time(parts, db):
    for number in range(queue.CLAIMS_OF_A_DOMAIN + 1):
        take(db, token=f"m{number}")
        assert len(claim(db, token=f"c{number}")) == (number < queue.CLAIMS_OF_A_DOMAIN)


def test_a_process_that_died_is_followed_by_another_later(parts, db, caplog):
    take(db)
    claim(db)
    assert due(db, NOW + queue.CLAIMED_FOR - MINUTE) == []
    after = NOW + queue.CLAIMED_FOR
    assert due(db, after) == ["there.example"]
    [again] = claim(db, token="c2", now=after)
    assert again.recipients[0].tries == 2
    assert "may arrive twice" in caplog.text


def test_a_claim_that_was_lost_writes_nothing(parts, db, caplog):
    take(db)
    lost = claim(db)
    with parts.public.session() as other:
        claim(other, token="c2", now=NOW + queue.CLAIMED_FOR)
    settle(db, lost, NEVER)
    assert recipients(db)["bob@there.example"].fate is Fate.WAITING
    assert "claim" in caplog.text


@pytest.mark.parametrize(
    ("reply", "fate", "to_tell"),
    [(OK, Fate.DELIVERED, ""), (NEVER, Fate.FAILED, Notice.FAILED), (LATER, Fate.WAITING, "")],
)
def test_what_came_of_it(parts, db, reply, fate, to_tell):
    take(db)
    settle(db, claim(db), reply)
    found = recipients(db)["bob@there.example"]
    assert (found.fate, found.to_tell, found.code, found.words) == (fate, to_tell, reply.code, reply.words)
    assert (found.claim, found.claimed_until) == ("", None)
    if fate is Fate.WAITING:
        assert found.next_at == NOW + 2 * MINUTE
        assert due(db, NOW + 2 * MINUTE) == ["there.example"]
    assert due(db, NOW + MINUTE) == []


def test_a_delay_is_told_once_and_the_end_too(parts, db):
    take(db)
    told = []
    now = NOW
    while (found := recipients(db)["bob@there.example"]).fate is Fate.WAITING:
        now = found.next_at
        settle(db, claim(db, now=now), LATER, now)
        if (told_now := recipients(db)["bob@there.example"].to_tell) and (not told or told[-1] != told_now):
            told.append(told_now)
    assert told == [Notice.DELAYED, Notice.FAILED]
    assert KEPT_FOR - timedelta(hours=5) < now - NOW <= KEPT_FOR


def test_who_asked_for_success_hears_of_it_unless_the_server_tells(parts, db):
    take(db, notify=frozenset({Notify.SUCCESS}))
    settle(db, claim(db), OK)
    assert recipients(db)["bob@there.example"].to_tell == Notice.RELAYED
    take(db, "eve@there.example", token="t2", notify=frozenset({Notify.SUCCESS}))
    settle(db, claim(db), OK, tells_itself=True)
    assert recipients(db)["eve@there.example"].to_tell == ""


def test_the_null_sender_hears_nothing(parts, db):
    take(db, mail=MailFrom(None))
    settle(db, claim(db), NEVER)
    assert recipients(db)["bob@there.example"].to_tell == ""


def test_notices_are_grouped_by_message(parts, db):
    take(db, "bob@there.example", "eve@there.example")
    take(db, token="t2")
    settle(db, claim(db), NEVER)
    db.rollback()
    first, second = queue.find_to_tell(db)
    assert [each.address for each in first.recipients] == ["bob@there.example", "eve@there.example"]
    assert first.token != second.token
    queue.told(db, first)
    assert [one.message.id for one in queue.find_to_tell(db)] == [second.message.id]


def test_octets_go_when_all_is_known_and_told_rows_later(parts, db):
    message_id = take(db, "bob@there.example", "eve@other.example")
    settle(db, claim(db), NEVER)
    queue.tidy(db, NOW)
    assert list(queue.read_blocks(parts.public, message_id)), "one is still on its way"
    settle(db, claim(db, "other.example"), OK)
    queue.tidy(db, NOW)
    assert list(queue.read_blocks(parts.public, message_id)), "one is still to be told"
    for one in queue.find_to_tell(db):
        queue.told(db, one)
    queue.tidy(db, NOW)
    assert list(queue.read_blocks(parts.public, message_id)) == []
    assert len(recipients(db)) == 2
    queue.tidy(db, NOW + queue.REMEMBERED_FOR + MINUTE)
    assert recipients(db) == {}
    assert db.scalar(select(func.count()).select_from(QueuedMessage)) == 0


def test_a_message_on_its_way_is_never_forgotten(parts, db):
    message_id = take(db)
    db.execute(update(QueuedRecipient).values(fate=Fate.HELD))
    db.commit()
    queue.tidy(db, NOW + 2 * queue.REMEMBERED_FOR)
    assert list(queue.read_blocks(parts.public, message_id))
