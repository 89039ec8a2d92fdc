"""The pages of importing: what can be chosen, how far it is, and that nothing changes without the token."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.accounts.models import AccountState, MailAccount
from app.bus import Bell, Topic
from app.mail_services.modes import Mode
from mailsite_ext.importing.models import Import, ImportFolder, ImportState
from tests.factories import make_account, make_folder
from tests.fake_messages import simple_message

PAGE = "/settings/import"


@pytest.fixture
def config(sqlite_config):
    """The database does not matter here."""
    return sqlite_config


@pytest.fixture
def kind():
    from mailsite_ext.settings.values import StorageKind

    return StorageKind.FILES


@pytest.fixture
def browser(post, browser_of, alice):
    return browser_of(alice)


@pytest.fixture
def page(post):
    return f"{PAGE}/{post.account.id}"


@pytest.mark.parametrize("mode", [Mode.DISABLED, Mode.EXTERNAL, Mode.MAILSITE])
def test_only_the_mode_with_both_has_it(browser, page, set_mode, mode):
    set_mode(mode)
    assert [browser.get(PAGE).status_code, browser.get(page).status_code] == [404, 404]
    assert PAGE not in browser.get("/settings").text


def test_it_is_in_the_side_navigation_and_names_ones_accounts(browser, page):
    assert PAGE in browser.get("/settings").text
    assert page in browser.get(PAGE).text


def test_who_has_no_mailbox_chooses_its_name_first(bob, browser_of, db, post):
    account = make_account(db, bob)
    browser = browser_of(bob)
    assert browser.get(PAGE).headers["Location"].endswith("/settings/mailbox")
    assert browser.get(f"{PAGE}/{account.id}").status_code == 404


def test_all_but_junk_and_trash_is_ticked(browser, page):
    boxes = re.findall(r'name="folder" value="([^"]+)"( checked)?', browser.get(page).text)
    assert {name: bool(ticked) for name, ticked in boxes} == {
        "INBOX": True, "Drafts": True, "Sent": True, "Archive": True, "Junk": False, "Trash": False,
    }  # fmt: skip


def test_a_start_is_rung_and_the_page_shows_how_far_it_is(browser, page, post, clock):
    post.server.deliver(simple_message("one"))
    with post.parts.bus.subscribe() as ear:
        assert browser.post(page, data={"folder": ["INBOX", "Sent"], "place": "apart"}).status_code == 303
        assert Bell(Topic.ACCOUNT, post.account.id) in ear.wait(5)
    assert 'name="folder"' not in browser.get(page).text
    post.run()
    shown = browser.get(page).text
    assert "1 of 1 messages are through." in shown
    assert "Imported/Old mail/Sent" in shown
    assert re.findall(r'name="folder" value="([^"]+)" checked', shown) == ["INBOX", "Sent"]
    assert 'value="apart" checked' in shown


@pytest.mark.parametrize("folders", [[], ["Nobody's"]])
def test_without_a_folder_nothing_starts(browser, page, db, folders):
    answer = browser.post(page, data={"folder": folders})
    assert (answer.status_code, "Choose at least one folder." in answer.text) == (422, True)
    assert db.scalars(select(Import)).all() == []


def test_one_that_is_at_work_is_not_started_anew(browser, page, db):
    browser.post(page, data={"folder": "INBOX"})
    browser.post(page, data={"folder": "Sent"})
    assert [row.name for row in db.scalars(select(ImportFolder))] == ["INBOX"]


def test_pause_resume_and_stop(browser, page, db):
    assert browser.post(f"{page}/pause").status_code == 404  # nothing was ever started
    browser.post(page, data={"folder": "INBOX"})
    for deed, state, offered in (
        ("pause", ImportState.PAUSED, ["resume", "stop"]),
        ("resume", ImportState.RUNNING, ["pause", "stop"]),
        ("stop", ImportState.STOPPED, []),
        ("resume", ImportState.STOPPED, []),
    ):
        assert browser.post(f"{page}/{deed}").status_code == 303
        db.expire_all()
        assert db.scalar(select(Import.state)) == state
        assert re.findall(f'action="{page}/([a-z]+)"', browser.get(page).text) == offered


def test_it_says_why_it_waits(browser, page, post, db):
    post.server.deliver(simple_message("one"))
    post.storage.set_quota("alice", len(simple_message("one")) + 10)
    post.server.deliver(simple_message("two"))
    browser.post(page, data={"folder": "INBOX"})
    post.run()
    assert "Your mailbox is full." in browser.get(page).text
    assert "Waiting" in browser.get(PAGE).text
    browser.post(f"{page}/resume")
    account = db.get_one(MailAccount, post.account.id)
    account.state, account.error = AccountState.REFUSED, "LoginRefused"
    db.commit()
    assert "The account cannot be read at the moment." in browser.get(page).text


def test_what_failed_is_shown_escaped(browser, page, post):
    post.server.deliver(simple_message("<b>too</b> large", "x" * 3_000))
    post.storage.set_quota("alice", 1_000)
    browser.post(page, data={"folder": "INBOX"})
    post.run()
    shown = browser.get(page).text
    assert "&lt;b&gt;too&lt;/b&gt; large" in shown
    assert "larger than your whole quota" in shown


def test_what_failed_is_tried_again_on_a_press(browser, page, post):
    assert browser.post(f"{page}/try-again").status_code == 404  # nothing was ever started
    post.server.deliver(simple_message("Large", "x" * 3_000))
    post.storage.set_quota("alice", 1_000)
    browser.post(page, data={"folder": "INBOX"})
    post.run()
    assert f'action="{page}/try-again"' in browser.get(page).text
    post.storage.set_quota("alice", None)
    with post.parts.bus.subscribe() as ear:
        assert browser.post(f"{page}/try-again").status_code == 303
        assert Bell(Topic.ACCOUNT, post.account.id) in ear.wait(5)
    assert "about to be tried again" in browser.get(page).text
    post.run()
    assert "What could not be imported" not in browser.get(page).text
    assert post.here() == post.there()


def test_nothing_is_tried_again_that_was_paused_or_stopped(browser, page, post):
    post.server.deliver(simple_message("Large", "x" * 3_000))
    post.storage.set_quota("alice", 1_000)
    post.start("INBOX")
    post.run()
    browser.post(page, data={"folder": "INBOX"})
    for deed in ("pause", "stop"):
        browser.post(f"{page}/{deed}")
        state = post.progress().imported.state
        assert f'action="{page}/try-again"' not in browser.get(page).text
        browser.post(f"{page}/try-again")
        assert post.progress().imported.state is state
        assert [failure.error for failure, _folder in post.progress().failures] == ["MessageTooLarge"]


def test_the_part_that_is_renewed_says_when_nothing_more_comes(browser, page, post):
    post.server.deliver(simple_message("one"))
    assert "data-renew" not in browser.get(page).text
    post.start("INBOX")
    assert f'data-renew="{page}?fragment=1"' in browser.get(page).text
    part = browser.get(f"{page}?fragment=1").text
    assert ("<html" in part, "data-final" in part, "0 of 0" in part or "0 of 1" in part) == (False, False, True)
    post.run()
    assert "data-final" in browser.get(f"{page}?fragment=1").text


def test_nobody_elses_account_and_not_ones_mailbox_itself(browser, post, db, mallory, bob, alice):
    theirs = make_account(db, mallory)
    make_folder(db, theirs)
    hosted = db.scalars(select(MailAccount).where(MailAccount.source == "mailsite")).one()
    for account_id in (theirs.id, hosted.id, 999_999):
        assert browser.get(f"{PAGE}/{account_id}").status_code == 404
        for address in ("", "/pause", "/resume", "/stop", "/try-again"):
            assert browser.post(f"{PAGE}/{account_id}{address}", data={"folder": "INBOX"}).status_code == 404
    assert db.scalars(select(Import)).all() == []
    assert "mallory" not in browser.get(PAGE).text


@pytest.mark.parametrize("deed", ["", "/pause", "/resume", "/stop", "/try-again"])
def test_nothing_changes_without_the_token(app, browser, page, post, db, deed):
    post.start("INBOX")
    app.config["WTF_CSRF_ENABLED"] = True
    assert browser.post(page + deed, data={"folder": "Sent"}).status_code in (400, 403)
    assert db.scalar(select(Import.state)) == ImportState.RUNNING


def test_who_is_not_signed_in_is_sent_to_sign_in(anonymous, page):
    assert "/sign-in" in anonymous.get(page).headers["Location"]
