"""Sections a page waits for."""

import threading

import pytest
from sqlalchemy import select, update

from app.accounts.models import MailAccount
from app.bus import Bell, Topic
from app.errors import ActionRefused, EngineSilent, MailError, NoSuchMessage
from app.mirror import bodies, wanted
from app.mirror.models import BodyRequest, Message, RequestState
from tests.conftest import START
from tests.factories import make_account, make_folder, make_message


@pytest.fixture
def message(db, parts, alice):
    return make_message(db, make_folder(db, make_account(db, alice, vault=parts.vault)))


class Engine(threading.Thread):
    """Answers the first bell for bodies as `answer` says, in a session of its own."""

    def __init__(self, parts, answer):
        super().__init__()
        self.parts, self.answer, self.ear = parts, answer, parts.bus.subscribe()
        self.sections = None

    def run(self):
        with self.ear:
            while not any(bell.topic is Topic.BODY_WANTED for bell in self.ear.wait(10.0)):
                pass
        with self.parts.public.session() as db:
            request = db.scalars(select(BodyRequest)).one()
            self.sections = request.sections.split("\n")
            self.answer(db, request)
            db.commit()
        self.parts.bus.ring(Bell(Topic.BODY_READY, request.id))


@pytest.fixture
def engine(parts):
    started = []

    def start(answer):
        thread = Engine(parts, answer)
        started.append(thread)
        thread.start()
        return thread

    yield start
    for thread in started:
        thread.join()


def fulfil(parts):
    def answer(db, request):
        account = db.get_one(MailAccount, request.account_id)
        for section in request.sections.split("\n"):
            bodies.store_section(
                db, parts.vault, account, request.message_id, section, [b"of " + section.encode()], START
            )
        request.state = RequestState.READY

    return answer


def test_cached_sections_need_no_engine(parts, db, message):
    account = db.get_one(MailAccount, message.account_id)
    bodies.store_section(db, parts.vault, account, message.id, "1", [b"x"], START)
    assert wanted.get_sections(parts, db, message, ["1"], timeout_s=0.01) == {"1": b"x"}


def test_the_engine_is_asked_for_the_others(parts, db, message, engine):
    account = db.get_one(MailAccount, message.account_id)
    bodies.store_section(db, parts.vault, account, message.id, "1", [b"x"], START)
    asked = engine(fulfil(parts))
    assert wanted.get_sections(parts, db, message, ["1", "2", "3"]) == {"1": b"x", "2": b"of 2", "3": b"of 3"}
    assert asked.sections == ["2", "3"]
    answered = db.scalars(select(BodyRequest)).one()
    assert answered.state is RequestState.READY, "the engine's sweep takes it away"


@pytest.mark.parametrize(
    ("error", "raised"),
    [("ActionRefused", ActionRefused), ("NoSuchMessage", NoSuchMessage), ("os", MailError), ("ConfigError", MailError)],
)
def test_what_the_engine_ran_into_is_raised(parts, db, message, engine, error, raised):
    def answer(_db, request):
        request.state, request.error, request.error_detail = RequestState.FAILED, error, "its words"

    engine(answer)
    with pytest.raises(raised) as caught:
        wanted.get_sections(parts, db, message, ["1"])
    assert type(caught.value) is raised
    assert caught.value.detail == "its words"
    assert db.scalars(select(BodyRequest)).all() == []


def test_a_message_that_goes_meanwhile(parts, db, message, engine):
    engine(lambda other, request: other.delete(other.get_one(Message, request.message_id)))
    with pytest.raises(NoSuchMessage):
        wanted.get_sections(parts, db, message, ["1"])


def test_a_silent_engine_is_not_waited_for_forever(parts, db, message):
    with pytest.raises(EngineSilent):
        wanted.get_sections(parts, db, message, ["1"], timeout_s=0.1)
    assert db.scalars(select(BodyRequest)).all() == []


def test_a_lost_bell_costs_a_moment(parts, db, message, engine, monkeypatch):
    ring = parts.bus.ring
    monkeypatch.setattr(parts.bus, "ring", lambda *bells: ring(*(b for b in bells if b.topic is not Topic.BODY_READY)))
    engine(fulfil(parts))
    assert wanted.get_sections(parts, db, message, ["1"]) == {"1": b"of 1"}


def test_no_connection_is_held_while_waiting(parts, db, message, engine):
    held = []

    def answer(other, request):
        held.append(parts.public.engine.pool.checkedout())  # this one, and nobody else's
        other.execute(update(BodyRequest).values(state=RequestState.READY))

    engine(answer)
    wanted.get_sections(parts, db, message, ["1"])
    assert held[0] <= 2  # the waiter may just be looking
