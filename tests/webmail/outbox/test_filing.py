"""Drafts in the Drafts folder, sent mail in Sent: once each, whatever is cut off in between."""

from __future__ import annotations

import email

import pytest
from sqlalchemy import select

from app.compose import service as drafts
from app.compose.models import Draft, FiledDraft
from app.errors import ActionRefused, ConnectionLost, FateUnknown
from app.mirror.folders import get_role_folder
from app.mirror.models import Message
from app.outbox import filing, service
from app.outbox.models import Outgoing
from app.outbox.send import send_due
from app.outbox.states import OutboxState
from app.sources import Role
from tests.factories import make_account, make_folder, make_message
from tests.fake_source import FakeServer
from tests.webmail.outbox.conftest import FakeSubmitter


@pytest.fixture
def server(db, account):
    server = FakeServer()
    for name, folder in server.folders.items():
        make_folder(db, account, name, folder.role, uidvalidity=folder.uidvalidity)
    yield server
    for session in list(server.sessions):
        session.close()


@pytest.fixture
def file(parts, account, server):
    source = server.connect()
    return lambda: filing.file_due(parts, source, account)


@pytest.fixture
def sent(db, parts, account, write, send, clock):
    """Written, sent, accepted; what is left is the filing."""

    def sent(submitter=None, **values):
        outgoing = send(write(**values))
        clock.advance(10)
        send_due(parts, account, outgoing, submitter=submitter or FakeSubmitter())
        return outgoing

    return sent


def held_in(server, name):
    return [email.message_from_bytes(message.raw) for message in server.get(name).messages.values()]


def state_of(db, outgoing):
    db.commit()
    return db.scalar(select(Outgoing.state).where(Outgoing.id == outgoing.id))


# Drafts


def test_a_draft_is_filed_twenty_seconds_after_the_first_change(db, write, server, file, clock):
    draft = write(bcc="boss@example.org", text="Dear Bob")
    clock.advance(19.9)
    file()
    assert held_in(server, "Drafts") == []
    clock.advance(0.1)
    file()
    (copy,) = server.get("Drafts").messages.values()
    assert copy.flags == {"\\Draft", "\\Seen"}
    assert email.message_from_bytes(copy.raw)["Bcc"] == "boss@example.org"
    clock.advance(60)
    file()
    assert len(held_in(server, "Drafts")) == 1
    assert db.get(Draft, draft.id, populate_existing=True).file_after is None


def test_typing_on_does_not_put_the_filing_off(db, alice, write, server, file, clock):
    draft = write()
    for second in range(25):
        clock.advance(1)
        values = drafts.Values(draft.identity_id, to=draft.to, text=f"so far {second}")
        draft = drafts.save(db, alice.id, draft.uuid, values, version=draft.version, now=clock.now())
    file()
    assert "so far 24" in held_in(server, "Drafts")[0].get_payload()


def test_a_closed_draft_is_filed_at_once(db, write, server, file, clock):
    drafts.close(db, write(), clock.now())
    file()
    assert len(held_in(server, "Drafts")) == 1


def test_a_new_copy_replaces_its_predecessor(db, alice, write, server, file, clock):
    draft = write(text="first")
    clock.advance(20)
    file()
    values = drafts.Values(draft.identity_id, to=draft.to, text="second")
    drafts.save(db, alice.id, draft.uuid, values, version=draft.version, now=clock.now())
    clock.advance(20)
    file()
    assert [message.get_payload().strip() for message in held_in(server, "Drafts")] == ["second"]
    assert len(db.scalars(select(FiledDraft)).all()) == 1


def test_what_changed_while_it_was_filed_is_filed_again(db, alice, write, server, file, clock, parts, account):
    draft = write(text="first")
    clock.advance(20)
    source = server.connect()
    append = source.append

    def append_while_somebody_types(*args):
        values = drafts.Values(draft.identity_id, to=draft.to, text="second")
        with parts.public.session() as other:
            drafts.save(other, alice.id, draft.uuid, values, version=draft.version, now=clock.now())
        return append(*args)

    source.append = append_while_somebody_types
    filing.file_due(parts, source, account)
    file()
    assert [message.get_payload().strip() for message in held_in(server, "Drafts")] == ["second"]


@pytest.mark.parametrize("failing", ["append", "find_by_message_id", "apply"])
def test_a_lost_connection_leaves_one_copy_in_the_end(db, alice, write, server, file, clock, failing):
    draft = write(text="first")
    clock.advance(20)
    file()
    values = drafts.Values(draft.identity_id, to=draft.to, text="second")
    drafts.save(db, alice.id, draft.uuid, values, version=draft.version, now=clock.now())
    clock.advance(20)
    server.failures[failing] = [ConnectionLost()]
    with pytest.raises(ConnectionLost):
        file()
    assert len(held_in(server, "Drafts")) >= 1
    file()
    assert [message.get_payload().strip() for message in held_in(server, "Drafts")] == ["second"]


def test_killed_between_the_copy_and_its_row_leaves_one_copy(db, write, server, file, clock, parts, account):
    write(text="first")
    clock.advance(20)
    source = server.connect()
    append = source.append

    def append_and_die(*args):
        append(*args)
        raise ConnectionLost

    source.append = append_and_die
    with pytest.raises(ConnectionLost):
        filing.file_due(parts, source, account)
    file()
    assert len(held_in(server, "Drafts")) == 1


def test_a_discarded_draft_goes_from_the_server_too(db, write, server, file, clock):
    draft = write()
    clock.advance(20)
    file()
    drafts.discard(db, draft)
    file()
    assert held_in(server, "Drafts") == []
    assert db.scalars(select(FiledDraft)).all() == []


def test_a_draft_moved_to_another_account_leaves_the_first(db, alice, write, server, file, clock):
    draft = write()
    clock.advance(20)
    file()
    other = make_account(db, alice)
    values = drafts.Values(other.identities[0].id, to=draft.to, text=draft.text)
    drafts.save(db, alice.id, draft.uuid, values, version=draft.version, now=clock.now())
    file()
    assert held_in(server, "Drafts") == []


def test_only_our_own_copies_are_removed(db, write, server, file, clock):
    server.deliver(b"Subject: mine, from the phone\r\n\r\nx", "Drafts", ["\\Draft"])
    draft = write()
    clock.advance(20)
    file()
    drafts.discard(db, draft)
    file()
    assert [message["Subject"] for message in held_in(server, "Drafts")] == ["mine, from the phone"]


def test_a_copy_without_message_id_goes_by_uid_unless_uidvalidity_changed(db, account, server, file):
    for uidvalidity in (server.get("Drafts").uidvalidity, 999):
        uid = server.deliver(b"Subject: x\r\n\r\nx", "Drafts", ["\\Draft"])
        folder_id = get_role_folder(db, account.id, Role.DRAFTS).id
        db.add(FiledDraft(account_id=account.id, folder_id=folder_id, version=1, message_id="", uid=uid,
                          uidvalidity=uidvalidity))  # fmt: skip
        db.commit()
    file()
    assert list(server.get("Drafts").messages) == [uid]


def test_the_folder_is_created_where_the_server_has_none(db, account, write, file, server, clock):
    del server.folders["Drafts"]
    write()
    clock.advance(20)
    file()
    assert len(held_in(server, "Drafts")) == 1


# Sent mail


def test_a_copy_in_sent_with_its_bcc_and_the_draft_gone(db, sent, server, file, write, clock):
    write(subject="Another one")
    clock.advance(20)
    file()
    outgoing = sent(bcc="boss@example.org")
    clock.advance(20)
    file()
    (copy,) = server.get("Sent").messages.values()
    assert copy.flags == {"\\Seen"}
    assert email.message_from_bytes(copy.raw)["Bcc"] == "boss@example.org"
    assert [message["Subject"] for message in held_in(server, "Drafts")] == ["Another one"]
    assert state_of(db, outgoing) is OutboxState.FILED


def test_killed_between_the_copy_in_sent_and_its_row_files_once(db, sent, server, file, parts, account):
    outgoing = sent()
    source = server.connect()
    append = source.append

    def append_and_die(*args):
        append(*args)
        raise ConnectionLost

    source.append = append_and_die
    with pytest.raises(ConnectionLost):
        filing.file_due(parts, source, account)
    assert state_of(db, outgoing) is OutboxState.ACCEPTED
    file()
    assert len(held_in(server, "Sent")) == 1
    assert state_of(db, outgoing) is OutboxState.FILED


def test_a_refused_copy_is_tried_again(db, sent, server, file):
    outgoing = sent()
    server.failures["append"] = [ActionRefused("over quota")]
    with pytest.raises(ActionRefused):
        file()
    assert state_of(db, outgoing) is OutboxState.ACCEPTED
    file()
    assert len(held_in(server, "Sent")) == 1


def test_where_the_provider_files_it_is_only_looked_for(db, sent, server, file, account, clock, parts):
    account.files_sent_itself = True
    db.commit()
    outgoing = sent()
    file()
    assert (held_in(server, "Sent"), state_of(db, outgoing)) == ([], OutboxState.ACCEPTED)
    with parts.public.session() as other:
        message = other.get_one(Outgoing, outgoing.id).message
    server.deliver(message, "Sent", ["\\Seen"])
    file()
    assert (len(held_in(server, "Sent")), state_of(db, outgoing)) == (1, OutboxState.FILED)


def test_a_provider_that_did_not_file_it_loses_nothing(db, sent, server, file, account, clock):
    account.files_sent_itself = True
    db.commit()
    sent()
    clock.advance(600)
    file()
    assert len(held_in(server, "Sent")) == 1


@pytest.mark.parametrize(("flag", "column"), [("\\Answered", "answered"), ("$Forwarded", "forwarded")])
def test_the_original_is_marked(db, account, sent, server, file, parts, flag, column):
    inbox = get_role_folder(db, account.id, Role.INBOX)
    original = make_message(db, inbox)
    outgoing = sent()
    row = db.get_one(Outgoing, outgoing.id)
    row.answers_message_id, row.answer_flag = original.id, flag
    db.commit()
    file()
    db.commit()
    assert getattr(db.get(Message, original.id, populate_existing=True), column)


# Unknown fates


def test_an_unknown_one_that_stands_in_sent_was_sent(db, sent, server, file, parts, clock):
    outgoing = sent(FakeSubmitter(fault=FateUnknown()))
    with parts.public.session() as other:
        server.deliver(other.get_one(Outgoing, outgoing.id).message, "Sent")
    file()
    assert state_of(db, outgoing) is OutboxState.FILED
    assert len(held_in(server, "Sent")) == 1
    assert db.scalars(select(Draft)).all() == []


def test_an_unknown_one_that_does_not_is_asked_about_and_looked_for_again(db, sent, server, file, parts, clock):
    outgoing = sent(FakeSubmitter(fault=FateUnknown()))
    file()
    assert state_of(db, outgoing) is OutboxState.UNKNOWN
    assert db.get(Outgoing, outgoing.id, populate_existing=True).looked_at == clock.now()
    with parts.public.session() as other:
        server.deliver(other.get_one(Outgoing, outgoing.id).message, "Sent")
    file()
    assert state_of(db, outgoing) is OutboxState.UNKNOWN
    clock.advance(60)
    file()
    assert state_of(db, outgoing) is OutboxState.FILED


def test_the_rest_of_the_recipients_makes_no_second_copy(db, sent, server, file, parts, account, clock):
    from app.outbox.submitter import Reply

    sent(FakeSubmitter(refused={"eve@example.org": Reply(451, "later")}), to="bob@example.org, eve@example.org")
    clock.advance(60)
    (rest,) = service.due(db, account.id, clock.now())
    send_due(parts, account, rest, submitter=FakeSubmitter())
    file()
    assert len(held_in(server, "Sent")) == 1
    assert state_of(db, rest) is OutboxState.FILED


def test_when_to_file_next(db, account, write, sent, server, file, clock):
    assert filing.next_filing_at(db, account.id, clock.now()) is None
    draft = write()
    assert filing.next_filing_at(db, account.id, clock.now()) == draft.file_after
    clock.advance(20)
    file()
    db.commit()
    assert filing.next_filing_at(db, account.id, clock.now()) is None
    sent(FakeSubmitter(fault=FateUnknown()))
    assert filing.next_filing_at(db, account.id, clock.now()) is not None
