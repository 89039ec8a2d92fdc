"""The order in SQL, the challenges that are answered, and the page: without an authority."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from app.machines.models import Machine, MachineService, ServiceState
from app.mail_services.modes import Mode
from app.resolver import ZoneResolver
from mailsite_ext.certificates import service
from mailsite_ext.certificates.authority import Issued, NotIssued
from mailsite_ext.certificates.page import PATH
from mailsite_ext.certificates.plan import Held
from mailsite_ext.certificates.service import PRODUCTION, STAGING, Outcome, Wanted, find_order
from mailsite_ext.certificates.worker import Worker
from mailsite_ext.settings.certificate import certificate_files, ordered_certificate_file
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings

PAGE, NOW = "/admin/certificate", "/admin/certificate/now"
HOST = "localhost"
ON = Wanted(True, PRODUCTION, "")


@pytest.fixture
def config(sqlite_config):
    return replace(sqlite_config, public_url=f"http://{HOST}")


@pytest.fixture
def hosting(db, set_mode):
    set_mode(Mode.MAILSITE)
    store_settings(db, Settings(domains=("example.org",)))
    db.commit()


class Script(Worker):
    """An authority that answers as told; `asked` for these names."""

    def __init__(self, parts, *answers):
        super().__init__(replace(parts, resolver=ZoneResolver({(HOST, "A"): ["192.0.2.1"]})), lambda: 0.0)
        self.answers, self.asked, self.now = list(answers), [], parts.clock.now()

    def _authority(self, order):
        return self

    def order(self, names, key):
        self.asked.append(list(names))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Issued(b"chain", tuple(names), self.now, self.now + timedelta(days=90))


def take(db, worker, wanted=ON):
    """Save, one round, and the row."""
    service.save(db, wanted, worker._parts.clock.now())
    worker.round()
    db.expire_all()
    return find_order(db)


# The worker


def test_a_failed_order_waits_and_says_why(hosting, parts, db, clock):
    worker = Script(parts, NotIssued("too many", wait=timedelta(hours=5)), NotIssued("still"))
    order = take(db, worker)
    assert (order.words, order.failures) == ("too many", 1)
    assert order.next_at == clock.now() + timedelta(hours=5), "as the authority asks"
    worker.round()
    assert len(worker.asked) == 1
    clock.advance(5 * 3600)
    worker.round()
    db.expire_all()
    assert (order.words, order.failures, order.next_at) == ("still", 2, clock.now() + timedelta(hours=2))


def test_a_name_that_was_refused_is_not_asked_for_every_day(hosting, parts, db, clock):
    """An authority lets nobody have the same certificate more than a few times a week."""
    further = "mta-sts.example.org"
    worker = Script(parts, NotIssued("no", (further,)), True, True)
    worker._parts = replace(
        worker._parts, resolver=ZoneResolver({(name, "A"): ["192.0.2.1"] for name in (HOST, further)})
    )
    order = take(db, worker)
    assert order.names == HOST
    assert further in order.left_out
    for _day in range(3):
        clock.advance(86_400)
        worker.round()
    assert worker.asked == [[HOST, further], [HOST]]
    clock.advance(60 * 86_400)
    worker.round()
    assert worker.asked[2] == [HOST, further], "with the renewal it is tried again"


def test_a_renewal_that_fails_leaves_the_certificate(hosting, parts, db, clock):
    worker = Script(parts, True, NotIssued("down"))
    order = take(db, worker)
    before = ordered_certificate_file(parts.config).read_bytes()
    clock.advance(61 * 86_400)
    worker.round()
    db.expire_all()
    assert order.words == "down"
    assert ordered_certificate_file(parts.config).read_bytes() == before


def test_a_trial_is_not_put_in_place(hosting, parts, db):
    worker = Script(parts, True, True)
    order = take(db, worker, replace(ON, directory=STAGING))
    assert (order.words, order.had_from) == ("", STAGING)
    assert certificate_files(parts.config) == []
    order = take(db, worker)
    assert order.had_from == PRODUCTION, "the real one is ordered at once"
    assert certificate_files(parts.config)


def test_a_certificate_that_was_removed_is_ordered_anew(hosting, parts, db):
    worker = Script(parts, True, True)
    take(db, worker)
    ordered_certificate_file(parts.config).unlink()
    service.ask(db, parts.clock.now())
    worker.round()
    assert len(worker.asked) == 2


@pytest.mark.parametrize("url", ["", "http://unknown.example"])
def test_a_server_without_a_name_asks_nobody(hosting, parts, db, url):
    worker = Script(replace(parts, config=replace(parts.config, public_url=url)))
    order = take(db, worker)
    assert ("PUBLIC_URL" if not url else "no address in DNS") in order.words
    assert (order.tried_at, worker.asked) == (None, [])


@pytest.mark.parametrize("wanted", [replace(ON, enabled=False)])
def test_what_is_switched_off_is_left_alone(hosting, parts, db, wanted):
    worker = Script(parts)
    take(db, worker, wanted)
    assert worker.asked == []


def test_one_process_at_a_time(hosting, parts, db, clock):
    service.save(db, ON, clock.now())
    assert service.take_turn(db, clock.now()) is not None
    assert service.take_turn(db, clock.now()) is None
    assert service.take_turn(db, clock.now() + service.TURN) is not None, "the first one died"


def test_what_an_admin_changes_meanwhile_counts(hosting, parts, db, clock):
    service.save(db, ON, clock.now())
    begun_at = clock.now()
    service.take_turn(db, begun_at)
    clock.advance(1)
    service.save(db, replace(ON, directory=STAGING), clock.now())
    service.ask(db, clock.now())
    later = begun_at + timedelta(days=60)
    had = Held(["a.example"], PRODUCTION, later)
    service.end_turn(db, Outcome(directory=PRODUCTION, begun_at=begun_at, next_at=later, had=had))
    order = find_order(db)
    assert (order.next_at, order.asked_at) == (clock.now(), clock.now())


# Challenges


def test_any_web_process_answers_a_challenge_until_it_is_over(app, hosting, parts, db, clock):
    service.publish(db, "Token_1-", "Token_1-.thumb", clock.now())

    def ask(path, host="mta-sts.example.org", method="GET"):
        return app.test_client().open(path, method=method, headers={"Host": host})

    answer = ask(PATH + "Token_1-")
    assert (answer.status_code, answer.text, answer.content_type) == (200, "Token_1-.thumb", "text/plain")
    assert "Set-Cookie" not in answer.headers
    for path in ("token_1-", "", "Token_1-/", "Token", "x" * 300, "%00", "../Token_1-"):
        assert ask(PATH + path).status_code in (400, 404), path
        assert ask(PATH + path, HOST).status_code == 404, path
    assert ask(PATH + "Token_1-", method="POST").status_code == 400
    clock.advance(3_600)
    assert ask(PATH + "Token_1-", HOST).status_code == 404


# The page


@pytest.fixture
def ada(admin, browser_of):
    return browser_of(admin)


FORM = {"enabled": "y", "authority": "production", "directory": "", "contact": "", "agreed": "y"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"agreed": None}, "does not agree"),
        ({"authority": "other"}, "begins with https://"),
        ({"authority": "other", "directory": "http://ca.example/"}, "begins with https://"),
        ({"authority": "other", "directory": "https://u:p@ca.example/"}, "begins with https://"),
        ({"authority": "other", "directory": "https://[::1"}, "begins with https://"),
        ({"contact": "nobody"}, "Type an address such as"),
        ({"authority": "else"}, ""),
    ],
)
def test_what_cannot_be_wanted_is_refused(hosting, ada, db, changes, words):
    form = {name: value for name, value in (FORM | changes).items() if value is not None}
    answer = ada.post(PAGE, data=form)
    assert answer.status_code == 422
    assert words in answer.text
    assert find_order(db) is None


def test_another_authority_may_be_named(hosting, ada, db):
    assert ada.post(PAGE, data=FORM | {"authority": "other", "directory": "https://ca.example/acme"}).status_code == 303
    assert find_order(db).directory == "https://ca.example/acme"
    assert 'value="https://ca.example/acme"' in ada.get(PAGE).text


def test_the_page_says_what_is_going_on(hosting, ada, db, parts, clock):
    assert "Name one in TLS_CERTIFICATE_FILE" in ada.get(PAGE).text
    ada.post(PAGE, data=FORM)
    page = ada.get(PAGE).text
    assert "The delivery service does not run" in page
    assert "Not ordered yet" in page
    db.add(Machine(id=1, uuid="1" * 36, name="mx", work_uuid="w" * 36))
    db.flush()
    db.add(MachineService(machine_id=1, kind="delivery", state=ServiceState.RUNNING))
    db.commit()
    assert "does not run" not in ada.get(PAGE).text
    take(db, Script(parts, NotIssued("<b>no</b>", wait=timedelta(hours=5))))
    page = ada.get(PAGE + "?fragment=1").text
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert "<html" not in page
    assert "Left out" in page
    assert "Not done" in ada.post(NOW, follow_redirects=True).text
    clock.advance(15 * 60)
    assert "It is looked after now" in ada.post(NOW, follow_redirects=True).text
    assert "Begins in a few seconds" in ada.get(PAGE).text
    service.take_turn(db, clock.now())
    assert "Being ordered" in ada.get(PAGE).text


def test_a_certificate_named_by_hand_counts(hosting, parts, authority):
    issued = authority.issue("mail.example.org")
    ordered = ordered_certificate_file(parts.config)
    ordered.parent.mkdir(parents=True)
    ordered.write_text("")
    assert certificate_files(parts.config) == [ordered]
    by_hand = replace(parts.config, tls_certificate_file=str(issued.chain), tls_key_file=str(issued.key))
    assert certificate_files(by_hand) == [issued.chain, issued.key]
