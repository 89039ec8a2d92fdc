"""From Send to accepted, refused or unknown: nothing is lost, nothing is sent twice unasked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from app.accounts.models import MailAccount
from app.compose import letters
from app.compose import service as drafts
from app.compose.models import Draft
from app.errors import (
    DraftConflict,
    FateUnknown,
    LoginRefused,
    NotFound,
    ServerUnreachable,
    SubmissionDeferred,
    SubmissionRefused,
)
from app.outbox import service
from app.outbox.models import Outgoing
from app.outbox.send import send_due
from app.outbox.states import Event, OutboxState, Outcome
from app.outbox.submitter import Reply
from tests.webmail.outbox.conftest import FakeSubmitter


@pytest.fixture
def run(parts, db, account):
    """The engine's round: send what is due; the rows afterwards."""

    def run(submitter):
        for outgoing in service.due(db, account.id, parts.clock.now()):
            send_due(parts, account, outgoing, submitter=submitter)
        return rows(db)

    return run


def rows(db):
    db.commit()
    return db.scalars(select(Outgoing).order_by(Outgoing.id).execution_options(populate_existing=True)).all()


def states(db):
    return [row.state for row in rows(db)]


def stored_draft(db, draft):
    db.commit()
    return drafts.find_draft(db, draft.user_id, draft.uuid)


def test_nothing_goes_out_within_the_undo_time(db, write, send, run, clock):
    send(write())
    submitter = FakeSubmitter()
    clock.advance(9.9)
    run(submitter)
    assert submitter.taken == []
    clock.advance(0.1)
    (sent,) = run(submitter)
    assert sent.state is OutboxState.ACCEPTED
    (envelope, message) = submitter.taken[0]
    assert (envelope.mail_from, envelope.recipients) == ("alice@example.net", ("bob@example.org",))
    assert b"\r\nSubject: Proofs\r\n" in message


def test_accepted_mail_leaves_no_draft(db, write, send, run, clock):
    draft = write()
    send(draft)
    clock.advance(10)
    run(FakeSubmitter())
    assert stored_draft(db, draft) is None


def test_undo_opens_the_draft_again_and_nothing_goes_out(db, write, send, run, clock):
    draft = write()
    outgoing = send(draft)
    assert service.cancel(db, outgoing)
    clock.advance(60)
    submitter = FakeSubmitter()
    run(submitter)
    assert (states(db), submitter.taken) == ([OutboxState.CANCELLED], [])
    assert not stored_draft(db, draft).handed_over


def test_undo_is_too_late_once_sending_began(db, write, send, run, clock):
    outgoing = send(write())
    clock.advance(10)
    undone = []
    run(FakeSubmitter(during=lambda: undone.append(service.cancel(db, outgoing))))
    assert (undone, states(db)) == ([False], [OutboxState.ACCEPTED])


def test_pressing_send_twice_sends_once(db, write, send):
    draft = write()
    send(draft)
    with pytest.raises(DraftConflict):
        send(draft)
    assert states(db) == [OutboxState.HELD]


def test_a_draft_on_its_way_cannot_be_edited(db, alice, write, send, clock):
    draft = write()
    send(draft)
    later = drafts.Values(draft.identity_id, to=draft.to, text="later")
    with pytest.raises(DraftConflict):
        drafts.save(db, alice.id, draft.uuid, later, version=draft.version, now=clock.now())
    with pytest.raises(DraftConflict):
        drafts.discard(db, draft)


def test_sending_stands_in_sql_before_the_first_octet(db, write, send, run, clock):
    send(write())
    clock.advance(10)
    seen = []
    run(FakeSubmitter(during=lambda: seen.extend(states(db))))
    assert seen == [OutboxState.SENDING]


def test_two_engines_send_one_message_once(parts, db, account, write, send, clock):
    outgoing = send(write())
    clock.advance(10)
    submitter = FakeSubmitter()
    submitter.during = lambda: send_due(parts, account, outgoing, submitter=FakeSubmitter(fault=AssertionError()))
    send_due(parts, account, outgoing, submitter=submitter)
    assert len(submitter.taken) == 1


@pytest.mark.parametrize(
    "fault", [SubmissionDeferred("451 busy"), ServerUnreachable("no route"), LoginRefused("535 bad password")]
)
def test_what_may_pass_is_tried_again_and_says_why(db, write, send, run, clock, fault):
    draft = write()
    send(draft)
    clock.advance(10)
    (waiting,) = run(FakeSubmitter(fault=fault))
    assert (waiting.state, waiting.attempts) == (OutboxState.HELD, 1)
    assert fault.detail in waiting.error
    assert stored_draft(db, draft).handed_over
    submitter = FakeSubmitter()
    clock.advance(59)
    run(submitter)
    assert submitter.taken == []
    clock.advance(1)
    assert run(submitter)[0].state is OutboxState.ACCEPTED
    assert len(submitter.taken) == 1


def test_waits_grow_and_end_in_a_refusal_with_the_last_words(db, write, send, run, clock):
    draft = write()
    send(draft)
    tries = 0
    while states(db) == [OutboxState.HELD]:
        clock.advance(60)
        before = rows(db)[0].attempts
        run(FakeSubmitter(fault=ServerUnreachable("no route")))
        tries += rows(db)[0].attempts - before
    assert tries == 17  # after 0, 1, 6, 21 and 81 minutes, then every 4 hours for two days
    assert rows(db)[0].error == "ServerUnreachable: no route"
    assert not stored_draft(db, draft).handed_over


def test_a_refusal_opens_the_draft_again_with_the_words(db, write, send, run, clock):
    draft = write()
    send(draft)
    clock.advance(10)
    (refused,) = run(FakeSubmitter(fault=SubmissionRefused("552 too large")))
    assert (refused.state, refused.error) == (OutboxState.REFUSED, "552 too large")
    assert not stored_draft(db, draft).handed_over
    assert service.find_unsent_of(db, draft.id) is refused


def test_refused_recipients_are_named_and_the_others_have_it(db, write, send, run, clock):
    send(write(to="bob@example.org, eve@example.org"))
    clock.advance(10)
    (sent,) = run(FakeSubmitter(refused={"eve@example.org": Reply(550, "no such user")}))
    assert sent.state is OutboxState.ACCEPTED
    assert sent.results == {"eve@example.org": "550 no such user"}
    assert sent in service.list_outbox(db, sent.user_id)


def test_recipients_put_off_are_tried_again_alone(db, write, send, run, clock):
    send(write(to="bob@example.org, eve@example.org"))
    clock.advance(10)
    run(FakeSubmitter(refused={"eve@example.org": Reply(451, "greylisted")}))
    assert states(db) == [OutboxState.ACCEPTED, OutboxState.HELD]
    clock.advance(60)
    second = FakeSubmitter()
    run(second)
    assert [envelope.recipients for envelope, _ in second.taken] == [("eve@example.org",)]
    assert states(db) == [OutboxState.ACCEPTED, OutboxState.ACCEPTED]


# A crash at each step: what the next engine finds, and what it does


class Killed(BaseException):
    """The process ends here."""


def test_killed_before_sending_was_written_sends_it_once(db, write, send, run, clock, account):
    send(write())
    clock.advance(10)
    service.recover(db, account.id)
    submitter = FakeSubmitter()
    run(submitter)
    assert len(submitter.taken) == 1


def test_killed_while_sending_is_unknown_and_never_sent_unasked(db, write, send, run, clock, account, monkeypatch):
    draft = write()
    send(draft)
    clock.advance(10)
    with monkeypatch.context() as dying:
        dying.setattr(service, "lose", lambda *_: None)  # kill -9 leaves no time for a last word
        with pytest.raises(Killed):
            run(FakeSubmitter(fault=Killed()))
    assert states(db) == [OutboxState.SENDING]
    service.recover(db, account.id)
    submitter = FakeSubmitter()
    clock.advance(100_000)
    run(submitter)
    assert (states(db), submitter.taken) == ([OutboxState.UNKNOWN], [])
    assert stored_draft(db, draft) is not None


def test_killed_after_the_reply_before_it_was_written_is_unknown(db, write, send, run, clock, account, monkeypatch):
    send(write())
    clock.advance(10)
    first = FakeSubmitter()

    def die(*_):
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(service, "finish", die)
        with pytest.raises(Killed):
            run(first)
    service.recover(db, account.id)
    second = FakeSubmitter()
    run(second)
    assert (len(first.taken), second.taken, states(db)) == (1, [], [OutboxState.UNKNOWN])


@pytest.mark.parametrize("fault", [FateUnknown("connection lost"), RuntimeError("a bug")])
def test_no_reply_is_unknown_at_once(db, write, send, run, clock, fault):
    draft = write()
    send(draft)
    clock.advance(10)
    try:
        run(FakeSubmitter(fault=fault))
    except RuntimeError:
        assert not isinstance(fault, FateUnknown)
    assert states(db) == [OutboxState.UNKNOWN]
    assert stored_draft(db, draft).handed_over


def test_a_late_answer_settles_what_another_engine_called_unknown(db, write, send, run, clock, account):
    send(write())
    clock.advance(10)
    run(FakeSubmitter(during=lambda: service.recover(db, account.id)))
    assert states(db) == [OutboxState.ACCEPTED]


@pytest.mark.parametrize(
    ("answer", "state", "times", "draft_is_left"),
    [
        ("send_again", OutboxState.ACCEPTED, 1, False),
        ("cancel", OutboxState.CANCELLED, 0, True),
        ("call_sent", OutboxState.ACCEPTED, 0, False),
    ],
)
def test_the_person_decides_about_an_unknown_one(db, write, send, run, clock, answer, state, times, draft_is_left):
    draft = write()
    outgoing = send(draft)
    clock.advance(10)
    run(FakeSubmitter(fault=FateUnknown()))
    assert getattr(service, answer)(db, outgoing, *([] if answer == "cancel" else [clock.now()]))
    submitter = FakeSubmitter()
    run(submitter)
    assert (states(db), len(submitter.taken)) == ([state], times)
    left = stored_draft(db, draft)
    assert (left is not None) is draft_is_left
    assert not (left and left.handed_over)


def test_send_again_hurries_one_that_waits_but_not_one_in_its_undo_time(db, write, send, run, clock):
    outgoing = send(write())
    assert not service.send_again(db, outgoing, clock.now())
    clock.advance(10)
    run(FakeSubmitter(fault=ServerUnreachable()))
    assert service.send_again(db, outgoing, clock.now())
    assert run(FakeSubmitter())[0].state is OutboxState.ACCEPTED


def test_an_account_removed_cancels_what_waits_and_keeps_the_draft(db, write, send, run, account):
    draft = write()
    send(draft)
    db.execute(delete(MailAccount).where(MailAccount.id == account.id))
    db.commit()
    assert service.cancel_orphans(db) == 1
    (cancelled,) = rows(db)
    assert (cancelled.state, cancelled.error) == (OutboxState.CANCELLED, service.ACCOUNT_REMOVED)
    kept = stored_draft(db, draft)
    assert (kept.account_id, kept.handed_over, kept.text) == (None, False, "Dear Bob")


def test_old_rows_go_but_refused_and_unknown_ones_stay(db, write, send, run, clock):
    send(write())
    send(write())
    service.cancel(db, rows(db)[0])
    clock.advance(31 * 86_400)
    service.forget_old(db, clock.now())
    assert states(db) == [OutboxState.HELD]


def test_another_persons_message_does_not_exist(db, write, send, mallory):
    outgoing = send(write())
    with pytest.raises(NotFound):
        service.get_outgoing(db, mallory.id, outgoing.uuid)
    assert list(service.list_outbox(db, mallory.id)) == []


def test_next_due_is_told(db, write, send, account, clock):
    assert service.next_due_at(db, account.id) is None
    outgoing = send(write())
    assert service.next_due_at(db, account.id) == outgoing.not_before


def test_a_finished_message_deletes_only_its_draft(db, write, send, run, clock):
    other = write(subject="Other")
    send(write())
    clock.advance(10)
    run(FakeSubmitter())
    assert [draft.id for draft in db.scalars(select(Draft))] == [other.id]


def test_a_scheduled_message_is_tried_for_its_whole_time_after_its_hour(db, write, account, clock):
    built = letters.finished(db, draft := write(), account.identities[0], clock.now())
    in_ten_days = clock.now() + timedelta(days=10)
    outgoing = service.hand_over(db, draft, built, now=clock.now(), undo_s=10, later=in_ten_days)
    assert service.due(db, account.id, clock.now()) == []
    clock.advance(timedelta(days=10).total_seconds())
    assert service.due(db, account.id, clock.now()) == [outgoing]
    assert service.start(db, outgoing.id, clock.now())
    service.finish(db, outgoing, Outcome(Event.DEFER, {}, words="later"), clock.now())
    db.refresh(outgoing)
    assert outgoing.state is OutboxState.HELD
