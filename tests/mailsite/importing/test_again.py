"""Messages that failed are tried again: alone, each once, and whatever happens it ends."""

from __future__ import annotations

import pytest

from app.errors import ActionRefused, ConnectionLost
from app.mail_services.modes import Mode
from mailsite_ext.importing import records, service, work
from mailsite_ext.importing.models import ImportState
from tests.fake_messages import simple_message

LARGE = simple_message("Large", "x" * 3_000)


@pytest.fixture
def failed(post):
    """Three messages, of which the second failed; there is room for it now."""
    for message in (simple_message("one"), LARGE, simple_message("three")):
        post.server.deliver(message)
    post.storage.set_quota("alice", 2_000)
    post.start("INBOX")
    post.run()
    assert [failure.error for failure, _folder in post.progress().failures] == ["MessageTooLarge"]
    post.storage.set_quota("alice", None)
    return post


def try_again(post):
    with post.parts.public.session() as db:
        service.try_again(post.parts, db, post.account)


def subjects(post):
    return sorted(raw for raw, _flags, _at in post.here())


def outcome(post):
    """State, messages through, failed, and why."""
    progress = post.progress()
    return progress.imported.state, progress.done, progress.failed, [failure.error for failure, _ in progress.failures]


def test_it_comes_with_flags_and_date_and_the_others_not_twice(failed):
    failed.server.get("INBOX").messages[2].flags = frozenset({"\\Flagged"})
    try_again(failed)
    failed.run()
    assert outcome(failed) == (ImportState.DONE, 3, 0, [])
    assert sorted(failed.here()) == sorted(failed.there())


def test_what_fails_again_says_why_now(failed):
    failed.server.get("INBOX").remove(2)
    try_again(failed)
    failed.run()
    assert outcome(failed) == (ImportState.DONE, 3, 1, ["NoSuchMessage"])


@pytest.mark.parametrize(("error", "times", "errors"), [
    (ConnectionLost, 2, []),
    (ConnectionLost, work.MOST_TRIES, ["ConnectionLost"]),
    (ActionRefused, 1, ["ActionRefused"]),
])  # fmt: skip
def test_a_lost_connection_is_tried_some_times_a_refusal_once(failed, error, times, errors):
    try_again(failed)
    failed.server.failures["headers"] = [error("nothing doing")] * times
    failed.run()
    assert outcome(failed) == (ImportState.DONE, 3, len(errors), errors)


def test_an_engine_that_died_before_it_could_say_so_leaves_one_copy(failed, monkeypatch):
    try_again(failed)

    class Died(BaseException):
        pass

    def die(*_given):
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(records.Records, "came_at_last", die)
        with pytest.raises(Died):
            failed.run()
    failed.taken_over()
    failed.run()
    assert outcome(failed) == (ImportState.DONE, 3, 0, [])
    assert subjects(failed).count(LARGE) == 1


def test_a_folder_that_is_gone_ends_it(failed):
    del failed.server.folders["INBOX"]
    try_again(failed)
    failed.run()
    assert outcome(failed) == (ImportState.DONE, 3, 1, ["NoSuchFolder"])


def test_a_mailbox_without_room_waits_and_goes_on(failed):
    failed.storage.set_quota("alice", len(LARGE) + 100)
    try_again(failed)
    failed.run()
    assert failed.progress().imported.error == "MailboxFull"
    failed.storage.set_quota("alice", None)
    failed.change("resume")
    failed.run()
    assert outcome(failed) == (ImportState.DONE, 3, 0, [])


def test_not_in_a_mode_without_hosting(failed, set_mode):
    try_again(failed)
    set_mode(Mode.EXTERNAL)
    failed.run()
    assert outcome(failed)[0] is ImportState.RUNNING
