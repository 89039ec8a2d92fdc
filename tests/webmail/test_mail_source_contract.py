"""What every MailSource promises, shown by IMAP against a real Dovecot with all, some and none of its extensions.

Other sources take these tests over, but for OF_IMAP, with an `account` of their own: the storage of MailSite in
tests/mailsite/webmail, its IMAP listener in tests/mailsite/imap.
"""

from __future__ import annotations

import select
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from app.errors import (
    ActionRefused,
    BadInput,
    ConnectionLost,
    FolderMissing,
    NoSuchFolder,
    NoSuchMessage,
    ServerUnreachable,
)
from app.imap.wire import Wire
from app.sources import (
    Copy,
    Delta,
    Expunge,
    FolderState,
    MailSource,
    Move,
    RemoteFolder,
    Role,
    StoreFlags,
)
from tests.servers.certificates import Authority
from tests.servers.dovecot import Dovecot, serve
from tests.webmail.imap.sessions import source_of

pytestmark = pytest.mark.servers

CAPABILITIES = {
    "qresync": "",
    "condstore": (
        "IMAP4rev1 SASL-IR LITERAL+ ENABLE IDLE NAMESPACE UIDPLUS MOVE CONDSTORE ESEARCH "
        "LIST-EXTENDED LIST-STATUS SPECIAL-USE CHILDREN"
    ),
    "plain": "IMAP4rev1 IDLE",
}


OF_IMAP = {
    "test_news_take_one_turn",
    "test_another_uidvalidity_starts_over",
    "test_a_connection_cut_by_the_server_is_lost",
    "test_a_connection_cut_while_watching_is_lost",
    "test_a_server_started_anew_loses_nothing",
}
"""Tests of connections, or by Dovecot's own tools."""


@pytest.fixture(scope="module")
def servers(authority: Authority) -> Iterator[Callable[[str], Dovecot]]:
    """One server for each set of extensions, started when first asked for."""
    with ExitStack() as stack:
        running: dict[str, Dovecot] = {}

        def server(kind: str) -> Dovecot:
            if kind not in running:
                running[kind] = stack.enter_context(serve(authority, capability=CAPABILITIES[kind]))
            return running[kind]

        yield server


@pytest.fixture(scope="session")
def context(authority: Authority) -> ssl.SSLContext:
    return authority.client_context()


@dataclass
class Mirror:
    """The simplest thing a delta can be applied to."""

    state: FolderState | None = None
    flags: dict[int, frozenset[str]] = field(default_factory=dict)
    unfetched: set[int] = field(default_factory=set)

    @property
    def known(self) -> list[int]:
        return sorted(self.flags)

    def apply(self, delta: Delta) -> Delta:
        if delta.reset:
            self.flags.clear()
        for uid in delta.vanished:
            self.flags.pop(uid, None)
        self.flags.update({uid: state.flags for uid, state in delta.flags.items()})
        self.flags.update({message.uid: message.flags for message in delta.new})
        self.unfetched = set(delta.unfetched)
        self.state = delta.state
        return delta


@dataclass
class Account:
    """A user of a server, the source under test, and another client of the same mailbox."""

    server: Any
    user: Any
    source: Any  # a MailSource
    other: Any
    mirrors: dict[str, Mirror] = field(default_factory=dict)
    delta_limit: str = "app.imap.changes.NEW_AT_ONCE"
    chunk_limit: str = "app.imap.source.CHUNK_MESSAGES"

    def sync(self, folder: str = "INBOX") -> Delta:
        mirror = self.mirrors.setdefault(folder, Mirror())
        return mirror.apply(self.source.changes(folder, mirror.state, mirror.known))

    def mirror(self, folder: str = "INBOX") -> Mirror:
        return self.mirrors[folder]

    def deliver(self, number: int = 1, start: int = 1) -> None:
        for each in range(start, start + number):
            self.server.deliver(self.user, message(f"Message {each}", f"m{each}@example.net"))

    def folder(self, name: str) -> RemoteFolder | None:
        return next((folder for folder in self.source.folders() if folder.name == name), None)

    def open(self) -> MailSource:
        """The source anew, as the engine opens another session."""
        self.source.close()
        fresh: MailSource = source_of(self.server, self.user, self.context)
        self.source = fresh
        return fresh

    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)


@pytest.fixture(params=list(CAPABILITIES))
def account(
    request: pytest.FixtureRequest, servers: Callable[[str], Dovecot], context: ssl.SSLContext
) -> Iterator[Account]:
    server = servers(request.param)
    user = server.add_user()
    one, two = (source_of(server, user, context) for _ in range(2))
    made = Account(server, user, one, two, context=context)
    yield made
    made.source.close()
    two.close()


def message(subject: str, message_id: str = "", body: str = "Hello\r\n") -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Ann <ann@example.net>", "bob@example.org", subject
    if message_id:
        made["Message-ID"] = f"<{message_id}>"
    made.set_content(body)
    return made.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def letter_with_file(octets: bytes) -> bytes:
    made = EmailMessage()
    made["From"], made["Subject"] = "ann@example.net", "With a file"
    made.set_content("See the file.")
    made.add_attachment(octets, maintype="application", subtype="octet-stream", filename="data.bin")
    return made.as_bytes().replace(b"\n", b"\r\n")


def wait_for_news(source: MailSource, descriptor: int, deadline_s: float = 20) -> bool:
    """As the engine does: look once, then whenever the socket can be read."""
    give_up_at = time.monotonic() + deadline_s
    while not source.has_news():
        readable, _, _ = select.select([descriptor], [], [], max(give_up_at - time.monotonic(), 0))
        if not readable:
            return False
    return True


def use_until_lost(source: MailSource) -> None:
    """The server needs a moment to hang up."""
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        source.noop()


# Deltas


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


# Headers, bodies


def test_headers_come_in_chunks_and_vanished_ones_are_left_out(account, monkeypatch):
    monkeypatch.setattr(account.chunk_limit, 2)
    account.deliver(5)
    account.other.apply(Expunge("INBOX", (2,)))
    chunks = [[one.uid for one in chunk] for chunk in account.source.headers("INBOX", [5, 4, 3, 2, 1])]
    assert chunks == [[5, 4], [3], [1]]


def test_headers_given_up_half_way_do_not_disturb_what_comes_next(account, monkeypatch):
    monkeypatch.setattr(account.chunk_limit, 1)
    account.deliver(4)
    chunks = account.source.headers("INBOX", [4, 3, 2, 1])
    assert [one.uid for one in next(chunks)] == [4]
    assert account.source.fetch("INBOX", 1, ["1"])["1"].startswith(b"Hello")
    assert [one.uid for one in next(chunks)] == [3]
    assert account.folder("INBOX").status.messages == 4


def test_sections_come_as_they_stand_and_nothing_is_marked_seen(account):
    account.server.deliver(account.user, letter_with_file(b"\0\1\2" * 30))
    sections = account.source.fetch("INBOX", 1, ["1", "2", "HEADER", "2.MIME", ""])
    assert sections["1"].strip() == b"See the file."
    assert sections["2"].replace(b"\r\n", b"").startswith(b"AAEC")
    assert b"Subject: With a file" in sections["HEADER"]
    assert b"octet-stream" in sections["2.MIME"]
    assert sections["1"] in sections[""]
    assert account.sync().new[0].flags == frozenset()


def test_a_message_that_is_gone_is_no_such_message(account):
    account.deliver(1)
    account.other.apply(Expunge("INBOX", (1,)))
    with pytest.raises(NoSuchMessage):
        account.source.fetch("INBOX", 1, ["1"])
    with pytest.raises(NoSuchMessage):
        list(account.source.stream("INBOX", 1, "1", 100))


@pytest.mark.parametrize("octets", [1, 999, 1000, 1001, 5000])
def test_a_stream_gives_the_whole_section_in_pieces(account, octets):
    account.server.deliver(account.user, message("Long", body="x" * (octets - 2) + "\r\n" if octets > 2 else ""))
    whole = account.source.fetch("INBOX", 1, ["1"])["1"]
    pieces = list(account.source.stream("INBOX", 1, "1", 1000))
    assert b"".join(pieces) == whole
    assert all(len(piece) == 1000 for piece in pieces[:-1])


def test_previews_take_the_beginning_of_each_text(account):
    account.server.deliver(account.user, message("Plain", body="First line\r\n" * 100))
    account.server.deliver(account.user, letter_with_file(b"abc"))
    found = account.source.previews("INBOX", {1: "1", 2: "1", 99: "1"}, 10)
    assert found == {1: b"First line", 2: b"See the fi"}


@pytest.mark.parametrize("section", ["1]", "1 FLAGS", "HEADER.FIELDS (X)", "1\r\nA1 LOGOUT", "-1"])
def test_sections_that_are_none_are_refused(account, section):
    with pytest.raises(BadInput):
        account.source.fetch("INBOX", 1, [section])


# Actions


def test_flags_and_keywords_are_set_and_taken_off(account):
    account.deliver(2)
    account.source.apply(StoreFlags("INBOX", (1, 2), add=frozenset({"\\Flagged", "$Label1"})))
    account.source.apply(
        StoreFlags("INBOX", (2,), add=frozenset({"\\Seen"}), remove=frozenset({"\\Flagged", "$Label1"}))
    )
    account.sync()
    assert account.mirror().flags == {1: frozenset({"\\Flagged", "$Label1"}), 2: frozenset({"\\Seen"})}


@pytest.mark.parametrize("flag", ["\\Recent", "a b", "x)", 'q"', "\r\nA1 LOGOUT", "", "é"])
def test_what_cannot_be_a_flag_is_refused(account, flag):
    account.deliver(1)
    with pytest.raises(BadInput):
        account.source.apply(StoreFlags("INBOX", (1,), add=frozenset({flag})))


def test_a_move_leaves_nothing_behind_and_tells_the_new_uid(account):
    account.deliver(3)
    applied = account.source.apply(Move("INBOX", (1, 3), "Archive"))
    assert applied.copied == {1: 1, 3: 2}
    account.sync()
    account.sync("Archive")
    assert account.mirror().known == [2]
    assert account.mirror("Archive").known == [1, 2]


def test_a_copy_leaves_the_original(account):
    account.deliver(1)
    account.source.apply(Copy("INBOX", (1,), "Archive"))
    assert (account.sync().messages, account.sync("Archive").messages) == (1, 1)


def test_a_move_to_a_folder_that_is_missing_moves_nothing(account):
    account.deliver(1)
    with pytest.raises(FolderMissing):
        account.source.apply(Move("INBOX", (1,), "Nowhere"))
    assert account.sync().messages == 1


def test_expunge_takes_only_the_messages_named(account):
    account.deliver(3)
    account.other.apply(StoreFlags("INBOX", (1,), add=frozenset({"\\Deleted"})))
    account.source.apply(Expunge("INBOX", (2,)))
    account.sync()
    assert account.mirror().flags == {1: frozenset({"\\Deleted"}), 3: frozenset()}


def test_an_action_on_messages_that_are_gone_does_nothing(account):
    account.deliver(1)
    account.other.apply(Expunge("INBOX", (1,)))
    account.source.apply(StoreFlags("INBOX", (1,), add=frozenset({"\\Seen"})))
    account.source.apply(Expunge("INBOX", (1,)))
    assert account.source.apply(Move("INBOX", (), "Archive")).copied == {}


def test_append_keeps_octets_flags_and_date(account):
    raw = message("Grüße aus dem Ordner", body="x\r\n" * 5000)
    moment = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    uid = account.source.append("Sent", raw, {"\\Seen", "$Forwarded"}, moment)
    assert uid == 1
    delta = account.sync("Sent")
    assert (delta.new[0].received_at, delta.new[0].flags) == (moment, {"\\Seen", "$Forwarded"})
    assert account.source.fetch("Sent", 1, [""])[""] == raw


def test_append_to_a_missing_folder_says_so_and_the_session_lives_on(account):
    with pytest.raises(FolderMissing):
        account.source.append("Nowhere", message("Lost") * 10, ())
    account.source.noop()


def test_find_by_message_id_is_exact(account):
    for one in ("abc@example.net", "xabc@example.net", "abc@example.net.org"):
        account.server.deliver(account.user, message("Same", one))
    assert account.source.find_by_message_id("INBOX", "abc@example.net") == [1]
    assert account.source.find_by_message_id("INBOX", "<xabc@example.net>") == [2]
    assert not account.source.find_by_message_id("INBOX", 'no"such\\thing@example.net')
    assert not account.source.find_by_message_id("INBOX", "ümlaut@example.net")
    assert not account.source.find_by_message_id("INBOX", "a@b\r\nX1 LOGOUT")


# Folders


def test_folders_come_with_roles_counts_and_subscriptions(account):
    account.deliver(2)
    found = {folder.name: folder for folder in account.source.folders()}
    roles = {name: folder.role for name, folder in found.items()}
    assert roles == {
        "INBOX": Role.INBOX, "Drafts": Role.DRAFTS, "Sent": Role.SENT, "Archive": Role.ARCHIVE, "Junk": Role.JUNK,
        "Trash": Role.TRASH,
    }  # fmt: skip
    assert found["INBOX"].status.messages == 2
    assert found["INBOX"].status.uidnext == 3
    assert found["INBOX"].delimiter == "/"
    assert all(folder.subscribed and folder.selectable for folder in found.values())
    assert all(folder.label is None for folder in found.values())


ODD_NAMES = [
    "Reisen/Österreich", 'He said "no"', "back\\slash", "star*", "per%cent", "amp & and", "&", "日本語", "mail 📬",
    "(paren)", "{5}", "a]b", " leading", "tilde~", "NIL", "'quote'",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_go_there_and_back(account, name):
    account.deliver(1)
    account.source.create_folder(name)
    assert account.folder(name).subscribed
    account.source.apply(Copy("INBOX", (1,), name))
    assert account.sync(name).messages == 1
    account.source.rename_folder(name, name + " 2")
    assert account.folder(name + " 2").subscribed
    account.source.delete_folder(name + " 2")
    assert account.folder(name + " 2") is None


@pytest.mark.parametrize("name", ["", "two\r\nlines", "nul\0", "tab\t", "x" * 1001, "\x7f", "half\ud800pair"])
def test_names_that_would_break_the_protocol_are_refused(account, name):
    for act in (account.source.create_folder, account.source.delete_folder):
        with pytest.raises(BadInput):
            act(name)
    with pytest.raises(BadInput):
        account.sync(name)
    account.source.noop()


def test_what_the_server_refuses_comes_in_its_own_words(account):
    account.source.create_folder("Twice")
    with pytest.raises(ActionRefused, match=r"(?i)exists"):
        account.source.create_folder("Twice")


def test_unsubscribing(account):
    account.source.create_folder("Lists")
    account.source.subscribe("Lists", subscribed=False)
    assert not account.folder("Lists").subscribed
    account.source.subscribe("Lists", subscribed=True)
    assert account.folder("Lists").subscribed


# Watching, and a server that goes away


def test_new_mail_is_noticed_while_watching(account):
    descriptor = account.source.start_watching("INBOX")
    assert not account.source.has_news()
    account.deliver(1)
    assert wait_for_news(account.source, descriptor)
    account.source.stop_watching()
    assert account.sync().messages == 1


def test_flags_changed_elsewhere_are_noticed_while_watching(account):
    account.deliver(1)
    descriptor = account.source.start_watching("INBOX")
    account.other.apply(StoreFlags("INBOX", (1,), add=frozenset({"\\Seen"})))
    assert wait_for_news(account.source, descriptor)
    account.source.stop_watching()


def test_a_connection_cut_by_the_server_is_lost(account):
    account.server.kick(account.user)
    with pytest.raises(ConnectionLost):
        use_until_lost(account.source)
    assert account.open().folders()


def test_a_connection_cut_while_watching_is_lost(account):
    descriptor = account.source.start_watching("INBOX")
    account.server.kick(account.user)
    with pytest.raises(ConnectionLost):
        wait_for_news(account.source, descriptor)


def test_a_server_started_anew_loses_nothing(authority: Authority, context: ssl.SSLContext):
    with serve(authority) as server:
        user = server.add_user()
        with closing(source_of(server, user, context)) as before:
            for number in (1, 2):
                server.deliver(user, message(f"Message {number}"))
            first = before.changes("INBOX", None, ())
            server.kill()
            with pytest.raises(ServerUnreachable):
                before.noop()
        server.start()
        server.deliver(user, message("Message 3"))
        with closing(source_of(server, user, context)) as after:
            delta = after.changes("INBOX", first.state, [1, 2])
        assert ([one.uid for one in delta.new], delta.reset) == ([3], False)
