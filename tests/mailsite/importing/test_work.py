"""An import brings every message exactly once, whatever happens in between."""

from __future__ import annotations

import sqlite3
from collections import Counter

import pytest
from sqlalchemy import delete

from app.accounts.models import MailAccount
from app.engine.leases import LeaseLost
from app.errors import ActionRefused, ConnectionLost, ProtocolError, TimedOut
from app.mail_services.modes import Mode
from app.sources import Role
from mailsite_ext.domains import service as domains
from mailsite_ext.domains.models import MailboxState
from mailsite_ext.importing import bodies, work
from mailsite_ext.importing.models import ImportState
from mailsite_ext.importing.records import Records
from mailsite_ext.storage.open import mail_folder
from mailsite_ext.storage.values import Content
from tests.factories import make_folder
from tests.fake_gmail import ALL_MAIL, GmailServer
from tests.fake_messages import simple_message
from tests.fake_source import FakeServer, FakeSource

LARGE = 3 * bodies.SMALL_OCTETS

sqlite_only = pytest.mark.parametrize("config", ["sqlite"], indirect=True)


def deliver(server: FakeServer, *subjects: str, folder: str = "INBOX", flags: str = "") -> None:
    for subject in subjects:
        server.deliver(simple_message(subject), folder, flags.split())


def fill(server: FakeServer) -> None:
    """One of each kind."""
    deliver(server, "one", "two", flags="\\Seen $Forwarded work")
    server.deliver(b"Subject: no id\r\n\r\nHello\r\n")
    server.deliver(simple_message("large", "x" * 70 + "\r\n" + "y" * LARGE), flags=["\\Flagged"])
    server.deliver(simple_message("one"))  # the same octets once more: two messages
    deliver(server, "sent", folder="Sent")
    deliver(server, "filed", folder="Archive", flags="\\Answered")


def test_everything_comes_with_flags_dates_and_octets(post):
    fill(post.server)
    post.start("INBOX", "Sent", "Archive")
    post.run()
    for name in ("INBOX", "Sent", "Archive"):
        assert post.here(name) == post.there(name)
    progress = post.progress()
    assert (progress.imported.state, progress.done, progress.total, progress.failed) == (ImportState.DONE, 7, 7, 0)
    assert not list((mail_folder(post.parts.config) / "spool").glob("*"))


@sqlite_only
def test_apart_it_goes_below_a_folder_of_the_account(post):
    deliver(post.server, "one")
    post.start("INBOX", is_apart=True)
    post.run()
    assert (post.here("Imported/Old mail/INBOX"), post.here()) == (post.there(), [])


@sqlite_only
def test_started_again_it_brings_what_came_since(post):
    deliver(post.server, "one", "two")
    post.start("INBOX")
    post.run()
    deliver(post.server, "three")
    post.start("INBOX")
    post.run()
    assert post.here() == post.there()
    assert post.progress().done == 3


@sqlite_only
def test_what_is_here_already_does_not_come_again(post):
    """From an account that was removed and added again, say."""
    fill(post.server)
    deliver(post.server, "other")
    folder = post.storage.find_folder("alice", "INBOX")
    for raw, flags, received_at in post.there()[:4]:
        post.storage.append(folder.id, [(Content(raw, len(raw)), flags, received_at)]).result()
    post.start("INBOX")
    post.run()
    assert len(post.here()) == 5  # "one" lies here twice there, once here: it has all of it
    assert {raw for raw, _, _ in post.here()} == {raw for raw, _, _ in post.there()}


# Crashes


class Killed(BaseException):
    """The process ends here."""


def killed_in(monkeypatch, owner, name, *, after_it: bool):
    """The next call of a method ends the process, before or after its work."""
    method = getattr(owner, name)

    def kill(*args, **kwargs):
        monkeypatch.setattr(owner, name, method)
        if after_it:
            result = method(*args, **kwargs)
            if hasattr(result, "result"):
                result.result()
        raise Killed

    monkeypatch.setattr(owner, name, kill)


@pytest.mark.parametrize("after_it", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("where", ["begin", "announce", "append", "done", "complete", "finish"])
def test_killed_anywhere_every_message_comes_once(post, monkeypatch, where, after_it):
    fill(post.server)
    owner = type(post.storage) if where == "append" else Records
    post.start("INBOX", "Sent")
    killed_in(monkeypatch, owner, where, after_it=after_it)
    with pytest.raises(Killed):
        post.run()
    post.taken_over()
    post.run()
    for name in ("INBOX", "Sent"):
        assert post.here(name) == post.there(name)
    assert post.progress().done == 6


@sqlite_only
def test_killed_at_every_append_of_many_batches(post, monkeypatch):
    monkeypatch.setattr(work, "BATCH_MESSAGES", 3)
    post.server.deliver_many(10)
    post.start("INBOX")
    for after_it in (True, False, True, True):
        killed_in(monkeypatch, type(post.storage), "append", after_it=after_it)
        with pytest.raises(Killed):
            post.run()
        post.taken_over()
    post.run()
    assert post.here() == post.there()


@sqlite_only
def test_what_was_under_way_and_is_gone_there_by_then_does_not_stop_it(post, monkeypatch):
    deliver(post.server, "one", "two")
    post.start("INBOX")
    killed_in(monkeypatch, type(post.storage), "append", after_it=True)
    with pytest.raises(Killed):
        post.run()
    for uid in (1, 2):
        post.server.expunge("INBOX", uid)
    deliver(post.server, "three")
    post.taken_over()
    post.run()
    assert [raw for raw, _, _ in post.here()] == [simple_message(one) for one in ("one", "two", "three")]


@sqlite_only
def test_an_engine_that_lost_its_lease_stores_nothing(post):
    deliver(post.server, "one")
    post.start("INBOX")
    post.run(1)  # it knows the folder by now
    stale = post.desk
    post.taken_over()
    with pytest.raises(LeaseLost):
        work.step(stale, post.server.connect())
    assert post.here() == []
    post.run()
    assert post.here() == post.there()


@sqlite_only
def test_killed_again_while_it_looks_for_what_was_stored_before(post, db, monkeypatch):
    """Messages of one batch go to several folders; one folder has its part, the other does not, twice over."""
    post.server = GmailServer()
    post.server.deliver_labelled("in the inbox", "\\Inbox")
    post.server.deliver_labelled("archived")
    make_folder(db, post.account, ALL_MAIL, Role.ALL)
    post.start(ALL_MAIL)
    for after_it in (True, False, False):
        killed_in(monkeypatch, type(post.storage), "append", after_it=after_it)
        with pytest.raises(Killed):
            post.run()
        post.taken_over()
    post.server.label(1)  # archived there meanwhile: it is found all the same
    post.run()
    found = [raw for name in ("INBOX", "Archive") for raw, _, _ in post.here(name)]
    assert found == [simple_message("in the inbox"), simple_message("archived")]


# The other server


@pytest.mark.parametrize("error", [ConnectionLost, TimedOut, ProtocolError])
@pytest.mark.parametrize("method", ["changes", "headers", "previews", "stream"])
@sqlite_only
def test_a_connection_lost_costs_no_message_and_doubles_none(post, method, error):
    fill(post.server)
    post.server.failures[method] = [error(), error()]
    post.start("INBOX")
    post.run()
    assert post.here() == post.there()
    assert len(post.errors) == 2
    assert post.progress().failed == 0


class BadMessages(FakeSource):
    """What was asked for of the messages in `bad` is refused, or ends the session."""

    bad: dict[int, type[Exception]] = {}

    def previews(self, folder, wanted, octets, uidvalidity=None):
        for uid in wanted:
            if uid in self.bad:
                raise self.bad[uid]("nothing doing")
        return super().previews(folder, wanted, octets, uidvalidity)


@sqlite_only
@pytest.mark.parametrize("error", [ActionRefused, ProtocolError])
def test_a_message_that_cannot_be_had_is_told_of_and_passed_over(post, monkeypatch, error):
    monkeypatch.setattr(BadMessages, "bad", {2: error})
    monkeypatch.setattr(post.server, "session", lambda: BadMessages(post.server))
    deliver(post.server, "one", "two", "three")
    post.start("INBOX")
    post.run()
    assert post.here() == [post.there()[0], post.there()[2]]
    ((failure, folder),) = post.progress().failures
    assert (failure.subject, failure.error, failure.error_detail) == ("two", error.__name__, "nothing doing")
    assert (folder, post.progress().done, post.progress().failed) == ("INBOX", 3, 1)


@sqlite_only
def test_a_server_that_refuses_one_after_the_other_is_given_time(post, monkeypatch, clock):
    monkeypatch.setattr(BadMessages, "bad", dict.fromkeys(range(1, 9), ActionRefused))
    monkeypatch.setattr(post.server, "session", lambda: BadMessages(post.server))
    post.server.deliver_many(20)
    post.start("INBOX")
    post.run()
    assert (post.row().failed, post.progress().imported.error) == (5, "ActionRefused")
    monkeypatch.setattr(BadMessages, "bad", {})
    clock.advance(work.LONG_WAIT_S)
    post.run()
    assert (len(post.here()), post.progress().imported.error) == (15, "")


@sqlite_only
def test_other_uids_for_the_same_messages_bring_none_again(post, monkeypatch):
    monkeypatch.setattr(work, "BATCH_MESSAGES", 3)
    fill(post.server)
    post.start("INBOX")
    post.run(2)  # begun, and three of five are here
    post.server.start_over("INBOX")
    deliver(post.server, "new")
    post.run()
    assert len(post.here()) == 6 - 1  # the second "one" has the octets of a message that is here
    assert {raw for raw, _, _ in post.here()} == {raw for raw, _, _ in post.there()}
    assert post.progress().imported.state is ImportState.DONE


@sqlite_only
def test_messages_that_vanish_meanwhile_are_left_out(post):
    deliver(post.server, "one", "two", "three")
    post.start("INBOX")
    gate = post.server.gate("headers")
    gate.open()
    post.run(1)
    post.server.expunge("INBOX", 2)
    post.run()
    assert post.here() == post.there()


@sqlite_only
def test_a_folder_that_is_gone_ends_no_other(post):
    deliver(post.server, "sent", folder="Sent")
    post.start("Sent", "Archive")
    del post.server.folders["Archive"]
    post.run()
    assert post.here("Sent") == post.there("Sent")
    assert post.row("Archive").error == "NoSuchFolder"
    assert post.progress().imported.state is ImportState.DONE


# Here


@pytest.mark.parametrize("config", ["sqlite"], indirect=True)
def test_a_full_mailbox_stops_it_and_room_lets_it_go_on(post, clock):
    post.server.deliver_many(6)
    octets = len(post.there()[0][0])
    post.storage.set_quota("alice", 4 * octets)
    post.start("INBOX")
    post.run()
    assert (len(post.here()), post.progress().imported.error) == (4, "MailboxFull")
    assert post.run() == 0  # before its time it does not even ask
    clock.advance(work.WAIT_S)
    post.run()
    assert [method for method, _ in post.server.calls].count("previews") == 1  # nothing is fetched in vain
    post.storage.set_quota("alice", None)
    clock.advance(work.WAIT_S)
    post.run()
    assert post.here() == post.there()
    assert (post.progress().imported.state, post.progress().imported.error) == (ImportState.DONE, "")


@sqlite_only
def test_a_message_larger_than_the_quota_stops_nothing(post):
    post.server.deliver(simple_message("large", "x" * 5_000))
    deliver(post.server, "small")
    post.storage.set_quota("alice", 2_000)
    post.start("INBOX")
    post.run()
    assert post.here() == post.there()[1:]
    assert [failure.error for failure, _ in post.progress().failures] == ["MessageTooLarge"]


@sqlite_only
def test_a_folder_removed_here_meanwhile_is_made_again(post, monkeypatch):
    monkeypatch.setattr(work, "BATCH_MESSAGES", 1)
    post.server.folders["Work"] = type(post.server.get("INBOX"))("Work")
    deliver(post.server, "one", "two", folder="Work")
    with post.parts.public.session() as db:
        make_folder(db, db.get_one(MailAccount, post.account.id), "Work")
    post.start("Work")
    post.run(2)
    post.storage.delete_folder(post.storage.find_folder("alice", "Work").id)
    post.run()
    assert post.here("Work") == post.there("Work")[1:]


@sqlite_only
@pytest.mark.parametrize("mode", [Mode.EXTERNAL, Mode.MAILSITE])
def test_in_other_modes_it_rests(post, set_mode, mode):
    deliver(post.server, "one")
    post.start("INBOX")
    set_mode(mode)
    assert post.run() == 0
    set_mode(Mode.BOTH)
    post.run()
    assert post.here() == post.there()


@sqlite_only
def test_a_closed_mailbox_takes_nothing(post, db, clock):
    mailbox = domains.find_mailbox(db, post.account.owner_id)
    domains.set_state(db, mailbox.id, MailboxState.CLOSED)
    deliver(post.server, "one")
    post.start("INBOX")
    post.run()
    assert (post.here(), post.progress().imported.error) == ([], "NoSuchMailbox")
    domains.set_state(db, mailbox.id, MailboxState.OPEN)
    clock.advance(work.WAIT_S)
    post.run()
    assert post.here() == post.there()


@sqlite_only
def test_paused_it_rests_and_stopped_it_ends(post, monkeypatch):
    monkeypatch.setattr(work, "BATCH_MESSAGES", 1)
    deliver(post.server, "one", "two", "three")
    post.start("INBOX")
    post.run(2)
    post.change("pause")
    assert post.run() == 0
    post.change("resume")
    post.run(1)
    post.change("stop")
    assert post.run() == 0
    assert len(post.here()) == 2
    post.start("INBOX")
    post.run()
    assert post.here() == post.there()


@sqlite_only
def test_gone_with_its_account(post, db):
    deliver(post.server, "one")
    post.start("INBOX")
    post.run(1)
    db.execute(delete(MailAccount).where(MailAccount.id == post.account.id))
    db.commit()
    assert post.run() == 0
    assert post.rows() == [[], [], []]
    assert post.here() == []


@sqlite_only
def test_an_account_removed_in_the_shell_of_sqlite_leaves_nothing(post, monkeypatch):
    monkeypatch.setattr(BadMessages, "bad", {1: ActionRefused})
    monkeypatch.setattr(post.server, "session", lambda: BadMessages(post.server))
    deliver(post.server, "one")
    post.start("INBOX")
    post.run()
    assert Counter(map(len, post.rows())) == {1: 3}
    with sqlite3.connect(post.parts.public.url.database) as shell:
        shell.execute("DELETE FROM mail_account")
    shell.close()
    assert post.rows() == [[], [], []]


@sqlite_only
def test_large_messages_never_lie_in_memory_whole(post, monkeypatch):
    longest = []

    def stream(self, folder, uid, section, chunk_octets, uidvalidity=None):
        longest.append(chunk_octets)
        return original(self, folder, uid, section, chunk_octets, uidvalidity)

    original = FakeSource.stream
    monkeypatch.setattr(FakeSource, "stream", stream)
    post.server.deliver(simple_message("large", "y" * LARGE))
    post.start("INBOX")
    post.run()
    assert longest == [bodies.CHUNK_OCTETS]
    assert post.here() == post.there()
