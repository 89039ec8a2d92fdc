"""Our own policies, as senders fetch them: by name, by posture, withdrawn slowly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.machines.models import Machine, MachineService, ServiceState
from app.machines.service import Running
from app.mail_services.modes import Mode as Services
from mailsite_ext.settings.posture import NO_CERTIFICATE, Certificate, CertificateState
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Posture, Settings
from mailsite_ext.transport_security.mta_sts import parse_policy
from mailsite_ext.transport_security.own_policy import find_own_policy, served_posture
from mailsite_ext.transport_security.policy_cache import PATH
from mailsite_ext.transport_security.publishing import MAX_AGE_S

HOST = "mta-sts.example.org"


@pytest.fixture
def config(config, authority):
    issued = authority.issue("mail.example.org")
    return replace(config, tls_certificate_file=str(issued.chain), tls_key_file=str(issued.key))


@pytest.fixture
def saved(db, set_mode):
    """Save a posture; hosting is on."""

    def saved(posture, **values):
        store_settings(db, Settings(domains=("example.org", "example.net"), posture=posture, **values))
        db.commit()

    set_mode(Services.MAILSITE)
    return saved


@pytest.fixture
def running(db):
    """Reception listeners with these postures, and no others, run."""

    def running(*postures, state=ServiceState.RUNNING):
        for machine in db.query(Machine):
            db.delete(machine)
        db.flush()
        for number, posture in enumerate(postures):
            machine = Machine(uuid=str(number) * 36, name="mx", work_uuid="w" * 36)
            db.add(machine)
            db.flush()
            settings = {"posture": posture} if posture else None
            db.add(MachineService(machine_id=machine.id, kind="smtp", state=state, settings=settings))
            db.add(MachineService(machine_id=machine.id, kind="imap", state=state, settings={"posture": "allow"}))
        db.commit()

    return running


@pytest.fixture
def ask(app):
    """What a sender gets, without cookies."""
    return lambda host=HOST, path=PATH, method="GET": app.test_client().open(
        path, method=method, headers={"Host": host}
    )


def mode(answer):
    return parse_policy(answer.data).mode if answer.status_code == 200 else answer.status_code


def test_a_policy_as_it_is_served(saved, running, ask):
    saved(Posture.REQUIRE)
    running("require")
    answer = ask()
    assert answer.data == b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.org\r\nmax_age: 604800\r\n"
    assert answer.headers["Content-Type"] == "text/plain"
    assert "Set-Cookie" not in answer.headers
    assert ask(method="HEAD").data == b""
    assert ask(method="POST").status_code == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("mta-sts.example.org", 200),
        ("MTA-STS.Example.NET.", 200),
        ("mta-sts.example.net:443", 200),
        ("mta-sts.other.example", 404),
        ("localhost", 404),
        ("example.org", 404),
        ("mta-sts.", 404),
        ("mta-sts.mta-sts.example.org", 404),
        ("mta-sts.example.org@evil.example", 404),
        ("[::1", 404),
        ("mta-sts.localhost", 404),
        ("", 404),
    ],
)
def test_each_name_has_its_own(saved, running, ask, host, status):
    saved(Posture.SPAM)
    running("spam")
    assert ask(host).status_code == status


@pytest.mark.parametrize("path", ["/", "/sign-in", "/admin", "/.well-known/mta-sts.txt/", "/static/css/tokens.css"])
def test_nothing_else_is_served_at_those_names(saved, running, ask, path):
    saved(Posture.SPAM)
    running("spam")
    assert ask(path=path).status_code == 400
    assert ask("localhost").status_code == 404
    assert ask("localhost", "/sign-in").status_code == 200


@pytest.mark.parametrize(
    ("posture", "listeners", "expected"),
    [
        (Posture.SPAM, ["spam"], "testing"),
        (Posture.REQUIRE, ["require"], "enforce"),
        (Posture.REQUIRE, ["require", "spam"], "testing"),  # a policy never runs ahead of the listeners
        (Posture.REQUIRE, ["require", "allow"], 404),
        (Posture.REQUIRE, ["require", None], 404),  # one that does not say
        (Posture.SPAM, ["require"], "testing"),
        (Posture.ALLOW, ["require"], 404),
        (Posture.REQUIRE, [], 404),  # nothing was ever published, nothing runs
    ],
)
def test_the_mode_is_one_that_every_listener_keeps(saved, running, ask, posture, listeners, expected):
    saved(posture)
    running(*listeners)
    assert mode(ask()) == expected


def test_with_no_listener_the_last_stays(saved, running, ask):
    saved(Posture.REQUIRE)
    running("require")
    assert mode(ask()) == "enforce"
    running("require", state=ServiceState.FAILED)
    saved(Posture.SPAM)
    assert mode(ask()) == "enforce"


def test_what_was_published_is_withdrawn_by_none(saved, running, ask, clock):
    saved(Posture.REQUIRE)
    running("require")
    ask()
    saved(Posture.ALLOW)
    running("allow")
    clock.advance(MAX_AGE_S - 1)
    assert mode(ask()) == "none"
    running()
    assert mode(ask()) == "none", "with none running the last published stays"
    assert mode(ask("mta-sts.example.net")) == 404, "of that domain nobody was told"
    clock.advance(3_601)
    assert mode(ask()) == 404


def test_every_sender_s_copy_outlives_the_withdrawal(saved, running, ask, clock):
    """Asked often, written seldom: what is remembered is never shorter than what the last sender was told."""
    saved(Posture.REQUIRE)
    running("require")
    for _ in range(5):
        ask()
        clock.advance(1_790)
    ask()
    saved(Posture.ALLOW)
    running("allow")
    clock.advance(MAX_AGE_S - 1)
    assert mode(ask()) == "none"


@pytest.mark.parametrize("services", [Services.DISABLED, Services.EXTERNAL])
def test_without_hosting_there_is_none(saved, running, set_mode, ask, services):
    saved(Posture.REQUIRE)
    running("require")
    set_mode(services)
    assert ask().status_code == 404


def test_without_a_certificate_there_is_none(parts, saved, running, db):
    saved(Posture.REQUIRE)
    running("require")
    bare = replace(parts, config=replace(parts.config, tls_certificate_file="", tls_key_file=""))
    assert find_own_policy(bare, db, "example.org") is None
    assert find_own_policy(parts, db, "example.org") is not None


@pytest.mark.parametrize(
    ("ports", "settings", "kept"),
    [
        ({25, 465}, {}, "require"),
        ({25}, {}, "allow"),  # it began without a certificate
        (set(), {}, "require"),  # it starts
        ({2525, 465}, {"smtp_port": "2525"}, "require"),
        ({25}, {"smtps_port": "587", "starttls": "on"}, "allow"),
        ({25, 587}, {"smtps_port": "587", "starttls": "on"}, "require"),
        ({25}, {"smtps_port": "25", "starttls": "on"}, "require"),  # one port for both: it cannot be told
    ],
)
def test_a_listener_that_began_without_a_certificate_keeps_to_nothing(ports, settings, kept):
    running = Running({"posture": "require", **settings}, frozenset(ports))
    assert served_posture(running, Certificate(CertificateState.VALID)) == kept
    assert served_posture(running, NO_CERTIFICATE) == "allow"
