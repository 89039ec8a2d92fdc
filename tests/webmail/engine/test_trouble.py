"""Servers that are away, refuse, restart or allow little; accounts that pause, go or come back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import delete, text, update

from app.accounts.models import AccountState, MailAccount
from app.bus import Topic
from app.engine import sync
from app.errors import ConnectionRefused, GrantRevoked, LoginRefused
from app.mail_services.modes import Mode
from tests.fake_messages import simple_message
from tests.fake_source import FakeServer
from tests.webmail.engine.conftest import Post, wait_for


def test_a_server_restarted_under_it(post: Post) -> None:
    server = FakeServer()
    post.start_engine()
    account = post.synced(server)
    server.break_connections()
    uid = server.deliver(simple_message("After the restart"))
    wait_for(lambda: uid in post.messages(account.id))
    assert post.account(account.id).error == "", "nobody need know"


def test_a_server_that_is_away_is_retried_and_its_owner_told(quick_post: Post) -> None:
    server = FakeServer()
    server.failures["connect"] = [ConnectionRefused("nobody listens on port 993")] * 2
    quick_post.start_engine()
    account = quick_post.add(server)
    wait_for(lambda: quick_post.account(account.id).error == "ConnectionRefused")
    found = quick_post.account(account.id)
    assert found.state is AccountState.UNREACHABLE
    assert found.error_detail == "nobody listens on port 993"
    assert found.retry_at is not None
    wait_for(lambda: quick_post.is_synced(account.id))
    wait_for(lambda: quick_post.account(account.id).error == "")
    assert quick_post.account(account.id).state is AccountState.READY


@pytest.mark.parametrize("error", [LoginRefused("wrong password"), GrantRevoked("consent was withdrawn")])
def test_a_refused_login_spoils_no_other_account(quick_post: Post, error: LoginRefused) -> None:
    server = FakeServer()
    server.failures["connect"] = [error] * 20
    quick_post.start_engine()
    refused = quick_post.add(server)
    quick_post.synced()
    wait_for(lambda: quick_post.account(refused.id).state is AccountState.REFUSED)
    assert quick_post.account(refused.id).error == type(error).__name__
    tries = len(server.calls)
    server.failures.clear()

    def is_synced_after_another_try() -> bool:
        """The bell is not heard in the middle of a try."""
        quick_post.ring(Topic.ACCOUNT, refused.id)
        return quick_post.is_synced(refused.id)

    wait_for(is_synced_after_another_try)
    assert quick_post.account(refused.id).error == ""
    assert tries <= 3, "many tries lock accounts out"


@pytest.mark.parametrize("most_sessions", [1, 2])
def test_a_server_that_allows_few_connections(quick_post: Post, most_sessions: int) -> None:
    server = FakeServer(most_sessions=most_sessions)
    server.deliver_many(500)
    server.deliver_many(5, "Sent")
    quick_post.start_engine(inbox_poll_s=0.05)
    account = quick_post.synced(server)
    uid = server.deliver(simple_message("New"))
    wait_for(lambda: uid in quick_post.messages(account.id))
    assert quick_post.account(account.id).error == "", "too many connections is no error of the account"


def test_at_most_four_sessions(quick_post: Post) -> None:
    server = FakeServer()
    server.deliver_many(500)
    quick_post.start_engine()
    quick_post.synced(server)
    assert server.most_at_once <= 4
    wait_for(lambda: len(server.sessions) == 2)  # the bulk one is put away when there is nothing left


def test_a_paused_account_has_no_connections(post: Post) -> None:
    server = FakeServer()
    post.start_engine()
    account = post.synced(server)
    set_paused(post, account.id, paused=True)
    wait_for(lambda: not server.sessions)
    server.deliver(simple_message("Meanwhile"))
    set_paused(post, account.id, paused=False)
    wait_for(lambda: post.is_synced(account.id))


def set_paused(post: Post, account_id: int, *, paused: bool) -> None:
    with post.parts.public.session() as db:
        db.execute(update(MailAccount).where(MailAccount.id == account_id).values(paused=paused))
        db.commit()
    post.ring(Topic.ACCOUNT, account_id)


def test_an_account_removed_in_the_middle_of_its_first_sync(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "STEP_MESSAGES", 200)
    server = FakeServer()
    server.deliver_many(1_200)
    gate = server.gate("headers", after=2)
    engine = post.start_engine()
    account = post.add(server)
    wait_for(gate.reached.is_set)
    with post.parts.public.session() as db:
        db.execute(delete(MailAccount).where(MailAccount.id == account.id))
        db.commit()
    wait_for(lambda: not engine.accounts)
    gate.open()
    wait_for(lambda: not server.sessions)
    with post.parts.public.session() as db:
        left = [db.scalar(text(f"SELECT count(*) FROM {table}")) for table in ("folder", "message", "body_request")]
    assert left == [0, 0, 0]


def test_the_mode_is_switched(post: Post, set_mode: Callable[[Mode], None]) -> None:
    server = FakeServer()
    engine = post.start_engine()
    account = post.synced(server)
    set_mode(Mode.DISABLED)
    post.ring(Topic.SETTINGS, 0)
    wait_for(lambda: not server.sessions and not engine.accounts)
    wait_for(lambda: post.account(account.id).engine_id is None)
    server.deliver(simple_message("Dormant"))
    set_mode(Mode.EXTERNAL)
    wait_for(lambda: post.is_synced(account.id), "work to go on without a bell")


def test_an_engine_takes_over_from_one_that_stalls(post: Post) -> None:
    server = FakeServer()
    stalled = post.start_engine()
    account = post.synced(server)
    first = post.account(account.id)
    stalled.turn = lambda bells: None  # type: ignore[method-assign]  # its loop hangs
    post.start_engine(dead_after_s=0.5)
    wait_for(lambda: post.account(account.id).epoch > first.epoch)
    uid = server.deliver(simple_message("For both, written by one"))
    wait_for(lambda: uid in post.messages(account.id))
    wait_for(lambda: stalled.accounts[account.id].stopped, "the stalled one's work to notice")
