"""The page of a person's junk filter."""

from __future__ import annotations

import pytest

from app.mail_services.modes import Mode
from mailsite_ext.junk import memory, service
from mailsite_ext.junk.score import Learned
from mailsite_ext.settings.values import StorageKind
from tests.conftest import START


@pytest.fixture
def kind():
    return StorageKind.SQL


@pytest.fixture
def page(post, browser_of, alice):
    return browser_of(alice)


def teach(db, mailbox_id, count):
    for _number in range(count):
        memory.count(db, mailbox_id, {"pills"}, Learned(1, 1), START)
    db.commit()


@pytest.mark.parametrize(("learned", "words"), [(0, "Still learning"), (19, "Still learning"), (20, "At work")])
def test_it_says_how_far_the_filter_is(page, post, db, learned, words):
    teach(db, post.hosted.id, learned)
    shown = page.get("/settings/junk").text
    assert words in shown
    assert f"{learned} junk message" in shown


def test_it_is_switched_off_and_on(page, post, db):
    for fields, is_on in (({}, False), ({"is_on": "y"}, True)):
        assert page.post("/settings/junk", data=fields).status_code == 303
        db.expire_all()
        assert service.get_filter(db, post.hosted.id).is_on is is_on
    page.post("/settings/junk")
    assert ">Off<" in page.get("/settings/junk").text


def test_it_forgets_what_its_owner_taught_it_and_nothing_of_others(page, post, parts, db, bob):
    from mailsite_ext.domains import service as domains

    domains.ensure_mailbox(parts, db, bob)
    other = domains.find_mailbox(db, bob.id).id
    teach(db, post.hosted.id, 2)
    teach(db, other, 3)
    assert page.post("/settings/junk/forget").status_code == 303
    db.expire_all()
    assert (service.count_words(db, post.hosted.id), service.count_words(db, other)) == (0, 1)
    assert service.get_filter(db, other).junk == 3


def test_who_has_no_mailbox_has_no_filter(app, set_mode, browser_of, mallory):
    set_mode(Mode.MAILSITE)
    browser = browser_of(mallory)
    assert browser.get("/settings/junk").status_code == 302
    assert browser.post("/settings/junk/forget").status_code == 404


def test_it_is_there_only_where_mail_is_hosted(page, set_mode):
    set_mode(Mode.EXTERNAL)
    assert page.get("/settings/junk").status_code == 404
