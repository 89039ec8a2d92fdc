"""What changed in a folder since the last look: every MailSource tells it so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from app.errors import (
    ActionRefused,
    NoSuchFolder,
    NoSuchMessage,
)
from app.imap.wire import Wire
from app.sources import (
    Copy,
    Expunge,
    MailSource,
    StoreFlags,
)

pytestmark = pytest.mark.servers


def test_an_empty_folder_gives_an_empty_delta(account):
    delta = account.sync()
    assert (delta.messages, list(delta.new), list(delta.unfetched)) == (0, [], [])
    assert account.sync().new == []


def test_first_delta_brings_everything_newest_first(account):
    account.deliver(3)
    delta = account.sync()
    assert [one.uid for one in delta.new] == [3, 2, 1]
    newest = delta.new[0]
    assert b"Subject: Message 3" in newest.header
    assert newest.bodystructure.startswith(b'("text" "plain"')
    assert newest.flags == frozenset()
    assert abs((datetime.now(UTC) - newest.received_at).total_seconds()) < 3600
    assert newest.size_octets > 100


def test_a_folder_larger_than_a_delta_tells_the_other_uids(account, monkeypatch):
    monkeypatch.setattr(account.delta_limit, 2)
    account.deliver(5)
    delta = account.sync()
    assert [one.uid for one in delta.new] == [5, 4]
    assert list(delta.unfetched) == [3, 2, 1]


def test_what_a_broken_off_first_sync_left_out_is_told_again(account, monkeypatch):
    monkeypatch.setattr(account.delta_limit, 2)
    account.deliver(5)
    account.sync()
    again = account.sync()
    assert [one.uid for one in again.new] == [3, 2]
    assert list(again.unfetched) == [1]


def test_new_mail_comes_with_its_header(account):
    account.deliver(2)
    account.sync()
    account.deliver(2, start=3)
    delta = account.sync()
    assert [one.uid for one in delta.new] == [4, 3]
    assert delta.messages == 4
    assert not delta.vanished


def test_more_new_mail_than_a_delta_holds(account, monkeypatch):
    account.deliver(1)
    account.sync()
    monkeypatch.setattr(account.delta_limit, 2)
    account.deliver(4, start=2)
    delta = account.sync()
    assert [one.uid for one in delta.new] == [5, 4]
    assert list(delta.unfetched) == [3, 2]


def test_flags_changed_elsewhere(account):
    account.deliver(3)
    account.sync()
    account.other.apply(StoreFlags("INBOX", (1, 3), add=frozenset({"\\Seen", "$Forwarded"})))
    delta = account.sync()
    assert {"\\Seen", "$Forwarded"} == delta.flags[3].flags == delta.flags[1].flags
    assert account.mirror().flags[2] == frozenset()


def test_messages_removed_elsewhere(account):
    account.deliver(4)
    account.sync()
    account.other.apply(Expunge("INBOX", (2, 3)))
    delta = account.sync()
    assert delta.vanished == {2, 3}
    assert account.mirror().known == [1, 4]
    assert delta.messages == 2


def test_new_changed_and_gone_at_once(account):
    account.deliver(3)
    account.sync()
    account.other.apply(Expunge("INBOX", (1,)))
    account.other.apply(StoreFlags("INBOX", (2,), add=frozenset({"\\Flagged"})))
    account.deliver(1, start=4)
    account.sync()
    assert account.mirror().flags == {2: frozenset({"\\Flagged"}), 3: frozenset(), 4: frozenset()}


def test_a_message_that_came_and_went_between_two_deltas_is_no_news(account):
    account.deliver(1)
    account.sync()
    account.deliver(1, start=2)
    account.other.apply(Expunge("INBOX", (2,)))
    delta = account.sync()
    assert not delta.new
    assert not delta.vanished


def test_a_delta_may_be_applied_twice(account):
    account.deliver(3)
    account.sync()
    state, known = account.mirror().state, account.mirror().known
    account.other.apply(Expunge("INBOX", (1,)))
    account.deliver(1, start=4)
    mirror = account.mirror()
    for _ in range(2):
        mirror.apply(account.source.changes("INBOX", state, known))
    assert mirror.known == [2, 3, 4]


def test_a_delta_after_which_nothing_happened_is_empty(account):
    account.deliver(2)
    account.sync()
    delta = account.sync()
    assert not delta.new
    assert not delta.vanished
    assert all(state.flags == account.mirror().flags[uid] for uid, state in delta.flags.items())


def test_news_take_one_turn(account, monkeypatch):
    """Latency is paid once: everything a delta needs goes out in one write, unless messages vanished untold."""
    account.deliver(2)
    account.sync()
    account.deliver(1, start=3)
    account.other.apply(StoreFlags("INBOX", (1,), add=frozenset({"\\Seen"})))
    writes: list[bytes] = []
    send = Wire.send

    def counted(wire: Wire, octets: bytes) -> None:
        writes.append(octets)
        send(wire, octets)

    monkeypatch.setattr(Wire, "send", counted)
    account.sync()
    assert account.mirror().flags == {1: frozenset({"\\Seen"}), 2: frozenset(), 3: frozenset()}
    account.source.folders()
    assert len(writes) == 2 + (not account.source._session.has("LIST-STATUS"))


def test_unseen_is_counted_where_the_server_can(account):
    account.deliver(3)
    account.other.apply(StoreFlags("INBOX", (1,), add=frozenset({"\\Seen"})))
    assert account.sync().unseen in (2, None)
    assert account.folder("INBOX").status.unseen == 2


def test_another_uidvalidity_starts_over(account):
    account.deliver(2)
    account.other.create_folder("Work")
    account.other.apply(Copy("INBOX", (1, 2), "Work"))
    account.sync("Work")
    account.other.delete_folder("Work")
    account.other.create_folder("Work")
    account.other.apply(Copy("INBOX", (2,), "Work"))
    account.server.doveadm("mailbox", "update", "-u", account.user.name, "--uid-validity", "1999999999", "Work")
    account.open()
    delta = account.sync("Work")
    assert delta.reset
    assert delta.state.uidvalidity == 1999999999
    assert account.mirror("Work").known == [1]


def test_actions_and_bodies_of_another_uidvalidity_touch_nothing(account):
    account.deliver(1)
    stale = account.sync().state.uidvalidity - 1
    asked: list[Callable[[MailSource], object]] = [
        lambda source: source.fetch("INBOX", 1, ["1"], stale),
        lambda source: list(source.stream("INBOX", 1, "1", 100, stale)),
        lambda source: source.previews("INBOX", {1: "1"}, 10, stale),
        lambda source: list(source.headers("INBOX", [1], stale)),
    ]
    for ask in asked:
        with pytest.raises(NoSuchMessage):
            ask(account.source)
    with pytest.raises(ActionRefused, match="made anew"):
        account.source.apply(Expunge("INBOX", (1,), uidvalidity=stale))
    assert account.sync().messages == 1


def test_a_folder_deleted_elsewhere_is_no_such_folder(account):
    account.other.create_folder("Gone")
    account.sync("Gone")
    account.other.delete_folder("Gone")
    with pytest.raises(NoSuchFolder):
        account.sync("Gone")
    account.source.noop()  # the session lives on
    assert account.sync().messages == 0


def test_a_folder_renamed_elsewhere_keeps_its_messages(account):
    account.deliver(2)
    account.other.create_folder("Old")
    account.other.apply(Copy("INBOX", (1, 2), "Old"))
    account.other.rename_folder("Old", "New")
    assert account.folder("Old") is None
    assert account.folder("New").status.messages == 2
    assert account.sync("New").messages == 2
