"""What a filter learns from what people do, on both storages and both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.sources import Role
from mailsite_ext.junk import memory, service
from mailsite_ext.junk.judging import JunkFilters
from mailsite_ext.junk.score import Learned
from mailsite_ext.storage.catalogue_refiled import MOST_OF_A_STEP, lesson_of
from mailsite_ext.storage.values import SEEN, Content, Delivery, Placement
from tests.conftest import START


@pytest.mark.parametrize(
    ("source", "target", "lesson"),
    [
        (Role.INBOX, Role.JUNK, True),
        (None, Role.JUNK, True),
        (Role.TRASH, Role.JUNK, True),
        (Role.JUNK, Role.INBOX, False),
        (Role.JUNK, None, False),
        (Role.JUNK, Role.ARCHIVE, False),
        (Role.JUNK, Role.TRASH, None),  # thrown away is not taken back
        (Role.JUNK, Role.JUNK, None),
        (Role.INBOX, Role.TRASH, None),
        (Role.INBOX, None, None),
    ],
)
def test_what_a_move_says(source, target, lesson):
    assert lesson_of(source, target) is lesson


def test_a_message_moved_to_junk_is_learned_once(post):
    uid = post.move(post.put("cheap pills"), "INBOX", "Junk")
    post.learn()
    assert post.counts() == (0, 1)
    assert post.words()["cheap pills"] == (0, 1)
    post.storage.copy(post.folder("Junk").id, [uid], post.folder("Trash").id)
    post.move(post.move(uid, "Junk", "Trash"), "Trash", "Junk")  # the same message once more
    post.learn()
    assert post.counts() == (0, 1)
    assert post.words()["cheap pills"] == (0, 1)


def test_one_moved_back_is_taken_back(post):
    uid = post.move(post.put("dear friend"), "INBOX", "Junk")
    post.learn()
    post.move(uid, "Junk", "INBOX")
    post.learn()
    assert post.counts() == (1, 0)
    assert post.words()["dear friend"] == (1, 0)
    assert post.lessons() == [False]


def test_a_copy_teaches_as_a_move_does(post):
    """Mail clients without MOVE copy, and expunge later (RFC 6851 §1)."""
    uid = post.put("cheap pills")
    post.storage.copy(post.folder("INBOX").id, [uid], post.folder("Junk").id)
    post.learn()
    assert post.counts() == (0, 1)


def test_the_filter_learns_nothing_from_what_it_did_itself(post):
    message = b"From: a@x.org\r\nSubject: pills\r\n\r\npills\r\n"
    delivery = Delivery(Content(message, len(message)), [Placement("alice", "Junk")], START)
    post.storage.deliver(delivery).result(30)
    assert post.storage.refiled_mailboxes() == []
    assert post.learn() == 0


def test_with_each_junk_message_one_that_was_read_and_kept_is_learned_as_good(post):
    for number in range(3):
        post.put_read(f"meeting{number}")
    post.put("unreadmail")
    post.put("brandnew", flags=frozenset({SEEN}), at=START - timedelta(hours=1))
    post.put_read("thrownaway", "Trash")
    for number in range(2):
        post.move(post.put(f"pills{number}"), "INBOX", "Junk")
    post.learn()
    assert post.counts() == (2, 2)
    assert {"meeting2", "meeting1"} <= post.words().keys()
    assert not {"meeting0", "unreadmail", "brandnew", "thrownaway"} & post.words().keys()


def test_a_kept_message_found_to_be_junk_later_is_turned_round(post):
    kept = post.put_read("meeting")
    post.move(post.put("pills"), "INBOX", "Junk")
    post.learn()
    assert post.words()["meeting"] == (1, 0)
    post.move(kept, "INBOX", "Junk")
    post.learn()
    assert post.words()["meeting"] == (0, 1)
    assert post.counts() == (0, 2)


def test_what_is_gone_before_it_was_learned_teaches_nothing(post):
    uid = post.move(post.put("pills"), "INBOX", "Junk")
    post.storage.expunge(post.folder("Junk").id, [uid], only_deleted=False)
    post.learn()
    assert post.counts() == (0, 0)
    assert post.storage.refiled_mailboxes() == []


def test_a_filter_that_is_off_learns_nothing(post):
    with post.parts.public.session() as db:
        service.switch(db, post.hosted.id, is_on=False)
    post.move(post.put("pills"), "INBOX", "Junk")
    post.learn()
    assert (post.counts(), post.words()) == ((0, 0), {})


def test_many_at_once_are_learned_a_few_a_step(post):
    uids = [post.put(f"pills{number}") for number in range(25)]
    post.storage.move(post.folder("INBOX").id, uids, post.folder("Junk").id)
    assert post.learn() == 3
    assert post.counts() == (0, 25)


def test_of_a_whole_folder_the_newest_are_noted(post, monkeypatch):
    monkeypatch.setattr("mailsite_ext.storage.catalogue_refiled.MOST_OF_A_STEP", 2)
    uids = [post.put(f"pills{number}") for number in range(4)]
    post.storage.move(post.folder("INBOX").id, uids, post.folder("Junk").id)
    post.learn()
    assert post.counts() == (0, 2)
    assert MOST_OF_A_STEP > 2


def test_nobody_learns_from_anothers_mail(post, parts):
    post.storage.create_mailbox("bob")
    bobs = post.storage.find_folder("bob", "Junk")
    post.storage.move(post.folder("INBOX").id, [post.put("pills")], bobs.id)
    assert post.storage.refiled_mailboxes() == []


def test_a_storage_of_another_machine_is_nobodys_lesson(post, monkeypatch):
    from mailsite_ext.errors import StorageElsewhere

    def elsewhere(*_all):
        raise StorageElsewhere

    monkeypatch.setattr("mailsite_ext.junk.learning.open_storage", elsewhere)
    assert post.learn() == 0


# Memory
def test_two_at_once_learn_a_message_once(post, db):
    assert memory.claim_lesson(db, post.hosted.id, "M1", START, is_junk=True, again=False)
    db.commit()
    assert not memory.claim_lesson(db, post.hosted.id, "M1", START, is_junk=True, again=False)
    assert memory.claim_lesson(db, post.hosted.id, "M1", START, is_junk=False, again=True)
    assert not memory.claim_lesson(db, post.hosted.id, "M1", START, is_junk=False, again=True)


def test_counts_never_fall_below_none(post, db):
    memory.count(db, post.hosted.id, {"old"}, Learned(-1, 1), START)
    memory.count(db, post.hosted.id, {"old"}, Learned(-1, 1), START)
    db.commit()
    assert post.words() == {"old": (0, 2)}
    assert post.counts() == (0, 2)


def test_old_words_seen_once_go_first(post, db, monkeypatch):
    monkeypatch.setattr(memory, "MOST_WORDS", 20)
    monkeypatch.setattr(memory, "MOST_LESSONS", 10)
    mailbox = post.hosted.id
    for _time in range(2):
        memory.count(db, mailbox, {"often"}, Learned(0, 1), START - timedelta(days=90))
    for day in range(25):
        memory.count(db, mailbox, {f"once{day:02}"}, Learned(0, 1), START + timedelta(days=day))
        memory.claim_lesson(db, mailbox, f"M{day}", START + timedelta(days=day), is_junk=True, again=False)
    memory.age(db, mailbox)
    db.commit()
    assert len(post.words()) == 18
    assert {"often", "once24"} <= post.words().keys()
    assert "once00" not in post.words()
    assert len(post.lessons()) == 9


# Judging
def teach(db, mailbox_id, count=20):
    for _number in range(count):
        memory.count(db, mailbox_id, {"pills", "subject:pills", "cheap pills", "cheap", "buy"}, Learned(0, 1), START)
        memory.count(db, mailbox_id, {"meeting", "subject:meeting", "agenda"}, Learned(1, 0), START)
    db.commit()


JUNK = b"Subject: pills\r\n\r\nbuy cheap pills\r\n"


def test_a_trained_filter_judges_for_its_owner_alone(post, db):
    teach(db, post.hosted.id)
    judged = JunkFilters(post.parts.public).judge(["alice", "bob"], JUNK)
    assert judged.keys() == {"alice"}
    assert judged["alice"].is_junk
    assert "cheap pills" in {each.word for each in judged["alice"].strongest}
    assert not JunkFilters(post.parts.public).judge(["alice"], b"Subject: meeting\r\n\r\nagenda\r\n")["alice"].is_junk


def test_one_that_learned_little_or_is_off_says_nothing(post, db):
    filters = JunkFilters(post.parts.public)
    teach(db, post.hosted.id, 19)
    assert filters.judge(["alice"], JUNK) == {}
    teach(db, post.hosted.id, 1)
    assert filters.judge(["alice"], JUNK)
    service.switch(db, post.hosted.id, is_on=False)
    assert filters.judge(["alice"], JUNK) == {}


def test_one_made_to_forget_knows_nothing_and_stays_as_it_was_switched(post, db):
    teach(db, post.hosted.id)
    service.switch(db, post.hosted.id, is_on=False)
    service.forget(db, post.hosted.id)
    db.expire_all()
    assert (post.counts(), post.words(), post.lessons()) == ((0, 0), {}, [])
    assert not service.get_filter(db, post.hosted.id).is_on


def test_a_broken_database_is_no_reason_to_lose_mail(post, db):
    teach(db, post.hosted.id)
    db.execute(text("DROP TABLE mailsite_junk_word"))
    db.commit()
    assert JunkFilters(post.parts.public).judge(["alice"], JUNK) == {}
