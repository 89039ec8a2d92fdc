"""What people wait for: bodies, actions, sending; and what is fetched before they ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import select, update

from app.actions import service as actions
from app.actions.models import Action, ActionState
from app.bus import Bell, Topic
from app.engine import bodies
from app.errors import ActionRefused, ConnectionLost, LoginRefused
from app.mirror import bodies as cache
from app.mirror.models import BodyRequest, Message, RequestState
from app.outbox import submitters
from app.outbox.models import Outgoing
from app.outbox.states import OutboxState
from app.outbox.submitter import Envelope, Reply
from app.sources import Role
from tests.fake_messages import simple_message
from tests.fake_source import FakeServer
from tests.webmail.engine.conftest import Post, wait_for

HELD_S = 600.0


def ask(post: Post, message: Message, *sections: str) -> int:
    """Somebody waits for sections of a message."""
    with post.parts.public.session() as db:
        request = BodyRequest(
            account_id=message.account_id,
            message_id=message.id,
            sections="\n".join(sections),
            requested_at=post.parts.clock.now(),
        )
        db.add(request)
        db.commit()
        return request.id


def answer(post: Post, request_id: int) -> BodyRequest:
    """The request once it is answered."""

    def find() -> BodyRequest:
        with post.parts.public.session() as db:
            return db.get_one(BodyRequest, request_id)

    wait_for(lambda: find().state is not RequestState.WANTED, "an answer")
    return find()


def cached(post: Post, message: Message, *sections: str) -> Mapping[str, bytes]:
    with post.parts.public.session() as db:
        return cache.cached_sections(db, post.parts.vault, message, sections)


def seen_message(server: FakeServer, raw: bytes) -> int:
    """A message nobody prefetches."""
    return server.deliver(raw, flags=["\\Seen"])


def test_a_body_is_fetched_when_asked_for(post: Post) -> None:
    server = FakeServer()
    uid = seen_message(server, simple_message("Wanted", "The text\r\n"))
    post.start_engine()
    message = post.messages(post.synced(server).id)[uid]
    request = ask(post, message, "1", "HEADER")
    with post.parts.bus.subscribe() as ear:
        post.ring(Topic.BODY_WANTED, message.account_id)
        assert answer(post, request).state is RequestState.READY
        wait_for(lambda: Bell(Topic.BODY_READY, request) in ear.wait(0.1), "the bell")
    found = cached(post, message, "1", "HEADER")
    assert found["1"] == b"The text\r\n"
    assert b"Subject: Wanted" in found["HEADER"]


def test_a_request_whose_bell_was_lost_is_found(quick_post: Post) -> None:
    server = FakeServer()
    uid = seen_message(server, simple_message("Wanted"))
    quick_post.start_engine()
    message = quick_post.messages(quick_post.synced(server).id)[uid]
    assert answer(quick_post, ask(quick_post, message, "1")).state is RequestState.READY


def test_a_large_attachment_keeps_nobody_waiting(quick_post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGE_OCTETS", 1_000)
    server = FakeServer()
    large, small = "0123456789" * 200, "short\r\n"
    uids = [seen_message(server, simple_message(f"{len(text)}", text)) for text in (large, small)]
    gate = server.gate("stream")
    quick_post.start_engine()
    messages = quick_post.messages(quick_post.synced(server).id)
    first = ask(quick_post, messages[uids[0]], "1")
    wait_for(gate.reached.is_set)
    assert answer(quick_post, ask(quick_post, messages[uids[1]], "1")).state is RequestState.READY
    gate.open()
    assert answer(quick_post, first).state is RequestState.READY
    assert cached(quick_post, messages[uids[0]], "1")["1"] == large.encode()


def test_a_message_that_is_gone_says_so(quick_post: Post) -> None:
    server = FakeServer()
    uid = seen_message(server, simple_message("Gone"))
    quick_post.start_engine()
    message = quick_post.messages(quick_post.synced(server).id)[uid]
    with server.lock:
        del server.get("INBOX").messages[uid]  # without a word to anybody
    found = answer(quick_post, ask(quick_post, message, "1"))
    assert (found.state, found.error) == (RequestState.FAILED, "NoSuchMessage")


@pytest.mark.parametrize("large", [False, True])
def test_a_body_is_never_taken_for_that_of_another_message(
    quick_post: Post, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    """The mailbox was made anew, unnoticed yet: its UIDs mean other messages (RFC 9051 §2.3.1.1)."""
    if large:
        monkeypatch.setattr(bodies, "LARGE_OCTETS", 1)
    server = FakeServer()
    uid = seen_message(server, simple_message("Mine"))
    quick_post.start_engine()
    message = quick_post.messages(quick_post.synced(server).id)[uid]
    with server.lock:
        server.get("INBOX").uidvalidity += 1
        server.get("INBOX").messages[uid].raw = simple_message("Another")
    found = answer(quick_post, ask(quick_post, message, "1"))
    assert (found.state, found.error) == (RequestState.FAILED, "NoSuchMessage")
    assert cached(quick_post, message, "1") == {}


def test_who_waits_for_a_server_that_is_away_is_told(quick_post: Post) -> None:
    server = FakeServer()
    uid = seen_message(server, simple_message("Far away"))
    quick_post.start_engine()
    account = quick_post.synced(server)
    message = quick_post.messages(account.id)[uid]
    server.failures["connect"] = [LoginRefused("password changed")] * 50
    server.break_connections()
    found = answer(quick_post, ask(quick_post, message, "1"))
    assert (found.state, found.error) == (RequestState.FAILED, "LoginRefused")
    assert found.error_detail == "password changed"


def test_a_lost_connection_is_not_noticed(quick_post: Post) -> None:
    server = FakeServer()
    uid = seen_message(server, simple_message("Twice asked"))
    quick_post.start_engine()
    message = quick_post.messages(quick_post.synced(server).id)[uid]
    server.failures["fetch"] = [ConnectionLost("reset")]
    assert answer(quick_post, ask(quick_post, message, "1")).state is RequestState.READY


def test_unread_texts_and_first_words_are_there_before_anybody_asks(post: Post) -> None:
    server = FakeServer()
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["Message-ID"] = "With more", "a@example.net", "<more@example.net>"
    letter.set_content("Plain words\n> quoted\nand more")
    letter.add_alternative("<p>Rich <b>words</b></p>", subtype="html")
    uid = server.deliver(letter.as_bytes())
    read = seen_message(server, simple_message("Read", "Old words\r\n"))
    post.start_engine()
    account = post.synced(server)
    wait_for(lambda: post.messages(account.id)[uid].preview == "Plain words and more")
    wait_for(lambda: post.messages(account.id)[read].preview == "Old words")
    wait_for(lambda: "2" in cached(post, post.messages(account.id)[uid], "2"))
    assert not cached(post, post.messages(account.id)[read], "1")
    assert server.get("INBOX").messages[uid].flags == set(), "prefetching is not reading"


def test_flags_reach_the_server(post: Post) -> None:
    server = FakeServer()
    uid = server.deliver(simple_message("Mark me"))
    post.start_engine()
    message = post.messages(post.synced(server).id)[uid]
    with post.parts.public.session() as db:
        actions.flag(db, post.owner.id, [message.id], ["\\Flagged"], [], post.parts.clock, post.parts.bus)
    wait_for(lambda: "\\Flagged" in server.get("INBOX").messages[uid].flags)
    wait_for(lambda: action_states(post) == [ActionState.DONE])
    assert post.messages(message.account_id)[uid].flagged


def action_states(post: Post) -> list[ActionState]:
    with post.parts.public.session() as db:
        return list(db.scalars(select(Action.state).order_by(Action.id)))


def test_a_move_arrives_and_keeps_its_row(post: Post) -> None:
    server = FakeServer()
    uid = server.deliver(simple_message("Move me"))
    post.start_engine()
    account = post.synced(server)
    message, archive = post.messages(account.id)[uid], post.get_folder(account.id, "Archive")
    with post.parts.public.session() as db:
        actions.move(db, post.owner.id, [message.id], archive.id, post.parts.clock, post.parts.bus)
    wait_for(lambda: len(server.get("Archive").messages) == 1)
    wait_for(lambda: post.messages(account.id, "Archive").keys() == {1})
    assert post.messages(account.id, "Archive")[1].id == message.id
    assert post.messages(account.id) == {}


def test_what_the_server_refuses_goes_back(quick_post: Post) -> None:
    server = FakeServer()
    uid = server.deliver(simple_message("Mark me"))
    server.failures["apply"] = [ActionRefused("read-only mailbox")]
    quick_post.start_engine()
    message = quick_post.messages(quick_post.synced(server).id)[uid]
    with quick_post.parts.public.session() as db:
        actions.flag(
            db, quick_post.owner.id, [message.id], ["\\Flagged"], [], quick_post.parts.clock, quick_post.parts.bus
        )
    wait_for(lambda: action_states(quick_post) == [ActionState.REFUSED])
    assert not quick_post.messages(message.account_id)[uid].flagged


def test_a_held_deletion_is_carried_out_on_time(quick_post: Post) -> None:
    server = FakeServer()
    uid = server.deliver(simple_message("Final"), "Trash")
    quick_post.start_engine(heartbeat_s=HELD_S)  # nothing but its own wake-up
    account = quick_post.synced(server)
    message = quick_post.messages(account.id, "Trash")[uid]
    with quick_post.parts.public.session() as db:
        who = (quick_post.parts.clock, quick_post.parts.bus)
        action = actions.delete(db, quick_post.owner.id, [message.id], *who, seen_in=message.folder_id)
        assert action is not None
        soon = quick_post.parts.clock.now() + timedelta(seconds=1)
        db.execute(update(Action).where(Action.id == action.id).values(not_before=soon))
        db.commit()
    quick_post.ring(Topic.ACTIONS, account.id)
    wait_for(lambda: uid not in server.get("Trash").messages)
    assert quick_post.parts.clock.now() >= soon


class Postman:
    """A MailSubmitter that keeps what it gets."""

    def __init__(self) -> None:
        self.sent: list[tuple[Envelope, bytes]] = []

    def submit(self, envelope: Envelope, message: bytes) -> Mapping[str, Reply]:
        self.sent.append((envelope, message))
        return {}


@pytest.fixture
def postman(monkeypatch: pytest.MonkeyPatch) -> Postman:
    made = Postman()
    monkeypatch.setitem(submitters.SUBMITTERS, "imap", lambda parts, account: made)
    return made


def hand_over(post: Post, account_id: int, *, held_s: float) -> int:
    with post.parts.public.session() as db:
        now = post.parts.clock.now()
        outgoing = Outgoing(
            user_id=post.owner.id,
            account_id=account_id,
            mail_from="alice@example.net",
            recipients=["bob@example.org"],
            message_id="sent@example.net",
            message=b"Message-ID: <sent@example.net>\r\nSubject: Sent\r\n\r\nHello\r\n",
            created_at=now,
            not_before=now + timedelta(seconds=held_s),
        )
        db.add(outgoing)
        db.commit()
        return outgoing.id


def test_a_held_message_is_sent_on_time_and_filed(post: Post, postman: Postman) -> None:
    server = FakeServer()
    post.start_engine(heartbeat_s=HELD_S)  # nothing but its own wake-up
    account = post.synced(server)
    outgoing = hand_over(post, account.id, held_s=1)
    post.ring(Topic.OUTBOX, account.id)
    wait_for(lambda: postman.sent)
    wait_for(lambda: state_of(post, outgoing) is OutboxState.FILED)
    assert len(postman.sent) == 1
    (copy,) = server.get("Sent").messages.values()
    assert b"Subject: Sent" in copy.raw
    wait_for(lambda: post.messages(account.id, "Sent").keys() == {copy.uid})


def state_of(post: Post, outgoing_id: int) -> OutboxState:
    with post.parts.public.session() as db:
        return db.get_one(Outgoing, outgoing_id).state


def test_what_a_dead_engine_was_sending_is_not_sent_again(quick_post: Post, postman: Postman) -> None:
    server = FakeServer()
    account = quick_post.add(server)
    outgoing = hand_over(quick_post, account.id, held_s=0)
    with quick_post.parts.public.session() as db:
        db.execute(update(Outgoing).values(state=OutboxState.SENDING))
        db.commit()
    quick_post.start_engine()
    wait_for(lambda: state_of(quick_post, outgoing) is OutboxState.UNKNOWN)
    wait_for(lambda: ("find_by_message_id", "Sent") in server.calls)
    assert not postman.sent


def test_orphans_are_swept(quick_post: Post) -> None:
    server = FakeServer()
    account = quick_post.add(server)
    outgoing = hand_over(quick_post, account.id, held_s=HELD_S)
    with quick_post.parts.public.session() as db:
        db.delete(db.get_one(type(account), account.id))
        db.commit()
    quick_post.start_engine()
    wait_for(lambda: state_of(quick_post, outgoing) is OutboxState.CANCELLED)


def test_special_folders_keep_their_roles(quick_post: Post) -> None:
    quick_post.start_engine()
    account = quick_post.synced()
    roles = {name: folder.role for name, folder in quick_post.folders(account.id).items()}
    assert roles["INBOX"] is Role.INBOX
    assert roles["Trash"] is Role.TRASH
