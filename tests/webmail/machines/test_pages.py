"""Manage Machines as its admin sees it, and as nobody else does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.bus import Bell, Topic
from app.engine.models import Engine
from app.extensions import KEY
from app.machines.identity import this_machine
from app.machines.logs import log_file
from app.machines.models import Desired, Machine, MachineService, MailHome, ServiceState
from app.mail_services.modes import Mode
from tests.conftest import START
from tests.webmail.machines.dummies import kind

SETTINGS = {"port": "25"}


@pytest.fixture
def ada(admin, browser_of):
    return browser_of(admin)


@pytest.fixture
def kinds(app):
    """SMTP and IMAP, both of hosting; what SMTP would be started with is in `SETTINGS`."""
    services = app.extensions[KEY].services
    services["smtp"] = kind(
        "smtp",
        title=lambda: "SMTP",
        settings_fingerprint=lambda _db: dict(SETTINGS),
        setting_title={"port": "Port of SMTP"}.get,
    )
    services["imap"] = kind("imap", title=lambda: "IMAP")
    return services


@pytest.fixture
def make_machine(db, kinds, set_mode):
    """Machines whose agents were heard a moment ago, with SMTP running."""
    set_mode(Mode.MAILSITE)

    def make_machine(name="mx-1", *, work="w1", heard_s=4, **smtp) -> tuple[Machine, MachineService]:
        machine = Machine(
            uuid=f"{name}-{work}"[:36], name=name, work_uuid=work, work_directory=f"/srv/{work}", agent="a",
            started_at=START - timedelta(days=41), heartbeat_at=START - timedelta(seconds=heard_s),
        )  # fmt: skip
        db.add(machine)
        db.flush()
        values = {"desired": Desired.RUNNING, "state": ServiceState.RUNNING, "since": START, "pids": "815",
                  "addresses": "0.0.0.0:25, [::]:25", "settings": dict(SETTINGS), **smtp}  # fmt: skip
        service = MachineService(machine_id=machine.id, kind="smtp", **values)
        db.add_all([service, MachineService(machine_id=machine.id, kind="imap")])
        db.commit()
        return machine, service

    return make_machine


def again(db, row):
    db.rollback()
    db.refresh(row)
    return row


def service_of(db, machine, name):
    return db.scalars(
        select(MachineService).where(MachineService.machine_id == machine.id, MachineService.kind == name)
    ).one()


def test_a_machine_and_its_services_are_shown(ada, make_machine):
    make_machine()
    page = ada.get("/admin/machines").text
    for words in ("mx-1", "Heard 4 seconds ago", "up 41 days", "SMTP", "815", "0.0.0.0:25, [::]:25", "Restart SMTP",
                  "Stop SMTP", "Start IMAP", "/admin/machines/log/smtp?machine="):  # fmt: skip
        assert words in page, words
    assert "Stop IMAP" not in page
    assert "Restart what is out of date" not in page


def test_the_page_of_an_installation_where_nothing_ran(ada):
    assert "No machine is known yet" in ada.get("/admin/machines").text


def test_start_stop_and_restart_store_what_is_wanted_and_ring(ada, db, make_machine, parts):
    machine, smtp = make_machine()
    imap = service_of(db, machine, "imap")
    with parts.bus.subscribe() as ear:
        assert ada.post(f"/admin/machines/service/{imap.id}/start").status_code == 303
        assert Bell(Topic.MACHINES) in ear.wait(2)
    assert (again(db, imap).desired, imap.generation, imap.state) == ("running", 1, "stopped")
    ada.post(f"/admin/machines/service/{smtp.id}/restart")
    assert (again(db, smtp).desired, smtp.generation) == ("running", 1)
    ada.post(f"/admin/machines/service/{smtp.id}/stop")
    assert (again(db, smtp).desired, smtp.generation, smtp.state) == ("stopped", 1, "running")


def test_settings_that_changed_are_named_and_one_button_restarts(ada, db, make_machine):
    machine, smtp = make_machine(settings={"port": "587"})
    _other, fresh = make_machine("mx-2")
    page = ada.get("/admin/machines").text
    assert "Port of SMTP: it runs with 587, the settings say 25." in page
    assert page.count("Out of date") == 1
    page = ada.post(f"/admin/machines/{machine.id}/restart-stale", follow_redirects=True).text
    assert "1 service restarts." in page
    assert (again(db, smtp).generation, again(db, fresh).generation) == (1, 0)


def test_one_that_died_shows_its_last_words_escaped_and_the_next_try(ada, make_machine):
    make_machine(state=ServiceState.FAILED, pids="", error="<b>Port 25</b> is taken", exit_status=1, error_at=START,
                 restarts=3, retry_at=START + timedelta(minutes=4))  # fmt: skip
    page = ada.get("/admin/machines").text
    for words in (
        "It ended with status 1 (08:00).",
        "&lt;b&gt;Port 25&lt;/b&gt; is taken",
        "Tried 3 times; next try: 08:04",
    ):
        assert words in page, words


def test_the_first_start_makes_a_home_for_mail_and_other_machines_are_refused(ada, db, make_machine):
    _first, smtp = make_machine(state=ServiceState.STOPPED, desired=Desired.STOPPED)
    _sharing, shared = make_machine("mx-2", desired=Desired.STOPPED, state=ServiceState.STOPPED)
    _third, elsewhere = make_machine("mx-3", work="w3", desired=Desired.STOPPED, state=ServiceState.STOPPED)
    ada.post(f"/admin/machines/service/{smtp.id}/start")
    home = db.get_one(MailHome, 1)
    assert (home.work_uuid, home.machine_name) == ("w1", "mx-1")
    ada.post(f"/admin/machines/service/{shared.id}/start")
    assert again(db, shared).desired == "running"
    page = ada.post(f"/admin/machines/service/{elsewhere.id}/start", follow_redirects=True).text
    assert "Not started: mail is kept in /srv/w1 on mx-1" in page
    assert "It cannot run here: mail is kept in /srv/w1 on mx-1" in page
    assert again(db, elsewhere).desired == "stopped"
    assert f"/admin/machines/service/{elsewhere.id}/start" not in page


@pytest.mark.parametrize("mode", [Mode.DISABLED, Mode.EXTERNAL])
def test_modes_that_host_nothing_start_nothing_and_say_what_runs_on(ada, db, make_machine, set_mode, mode):
    machine, smtp = make_machine()
    imap = service_of(db, machine, "imap")
    set_mode(mode)
    page = ada.get("/admin/machines").text
    assert "it runs until it is stopped here" in page
    assert "Stop SMTP" in page
    assert "Restart SMTP" not in page
    assert "IMAP" not in page
    for service in (smtp, imap):
        ada.post(f"/admin/machines/service/{service.id}/start")
        assert again(db, service).generation == 0
    assert db.get(MailHome, 1) is None


def test_a_silent_machine_can_be_forgotten_and_frees_the_home_of_mail(ada, db, make_machine):
    machine, _smtp = make_machine(heard_s=30)
    db.add(MailHome(id=1, work_uuid="w1", machine_name="mx-1", work_directory="/srv/w1", since=START))
    db.commit()
    page = ada.get("/admin/machines").text
    assert "Silent since" in page
    assert "Stop SMTP" not in page
    assert ada.post(f"/admin/machines/{machine.id}/forget").status_code == 303
    db.expire_all()
    assert db.scalars(select(MachineService)).all() == []
    assert db.scalars(select(MailHome)).all() == []


def test_a_machine_that_lives_is_not_forgotten(ada, db, make_machine):
    machine, _smtp = make_machine()
    assert ada.post(f"/admin/machines/{machine.id}/forget").status_code == 404
    silent, _smtp = make_machine("mx-2", heard_s=30)
    db.add(Engine(machine="mx-2", pid=1, started_at=START, heartbeat_at=START))
    db.commit()
    assert ada.post(f"/admin/machines/{silent.id}/forget").status_code == 404
    assert "Its agent does not run" in ada.get("/admin/machines").text


def test_the_engine_is_shown_by_its_own_heartbeat(ada, db, make_machine):
    machine, _smtp = make_machine()
    db.add(MachineService(machine_id=machine.id, kind="engine", desired=Desired.RUNNING))
    db.commit()
    assert "No engine was heard here for a while" in ada.get("/admin/machines").text
    db.add(Engine(machine="mx-1", pid=812, started_at=START, heartbeat_at=START))
    db.commit()
    page = ada.get("/admin/machines").text
    assert "812" in page
    assert "Restart Mail engine" in page
    assert "/admin/machines/log/engine" not in page


ROUTES = [
    ("GET", "/admin/machines"),
    ("GET", "/admin/machines?fragment=1"),
    ("GET", "/admin/machines/log/smtp"),
    ("GET", "/admin/machines/log/mail?fragment=1&q=x"),
    ("POST", "/admin/machines/service/{service}/start"),
    ("POST", "/admin/machines/service/{service}/restart"),
    ("POST", "/admin/machines/service/{service}/stop"),
    ("POST", "/admin/machines/{machine}/restart-stale"),
    ("POST", "/admin/machines/{machine}/forget"),
]


@pytest.mark.parametrize(("method", "address"), ROUTES)
def test_admins_alone(alice, bob, mallory, browser_of, anonymous, db, make_machine, method, address):
    machine, smtp = make_machine(settings={"port": "587"})
    address = address.format(machine=machine.id, service=smtp.id)
    for browser in map(browser_of, (alice, bob, mallory)):
        answer = browser.open(address, method=method)
        assert answer.status_code == 403
        assert "mx-1" not in answer.text
    answer = anonymous.open(address, method=method)
    assert "/sign-in" in answer.headers["Location"] if method == "GET" else answer.status_code in (401, 403)
    assert (again(db, smtp).desired, smtp.generation) == ("running", 0)


def test_nobodys_ids_are_not_found(ada, make_machine):
    make_machine()
    for address in ("service/999/start", "service/999/stop", "999/forget", "999/restart-stale"):
        assert ada.post(f"/admin/machines/{address}").status_code == 404
    assert ada.get("/admin/machines/service/1/start").status_code == 405


@pytest.fixture
def log(parts, kinds):
    path = log_file(parts.config, "smtp")
    path.parent.mkdir(parents=True)
    path.write_text("10:58:02 203.0.113.9 C: EHLO <script>alert(1)</script>\n10:58:03 203.0.113.9 S: 538 5.7.11 no\n")
    return path


def test_a_log_is_shown_escaped_and_searched(ada, log):
    page = ada.get("/admin/machines/log/smtp").text
    assert "EHLO &lt;script&gt;alert(1)" in page
    assert "<b>10:58:03 203.0.113.9 S: 538" in page
    found = ada.get("/admin/machines/log/smtp?fragment=1&q=ehlo").text
    assert "EHLO" in found
    assert "538" not in found
    assert "No line holds “&lt;i&gt;”" in ada.get("/admin/machines/log/smtp?q=<i>").text


def test_a_log_that_is_not_written_yet(ada, kinds):
    assert "Nothing is written here yet" in ada.get("/admin/machines/log/mail").text


@pytest.mark.parametrize("name", ["nobody", "engine", "..%2f..%2fsatchel", "smtp.log", "."])
def test_no_other_file_is_a_log(ada, log, name):
    assert ada.get(f"/admin/machines/log/{name}").status_code == 404


def test_logs_of_a_machine_that_shares_the_work_directory_and_of_one_that_does_not(ada, parts, make_machine, log):
    here = this_machine(parts.config)
    sharing, _smtp = make_machine("mx-2", work=here.work_uuid)
    other, _smtp = make_machine("mx-3", work="w3")
    path = log_file(parts.config, "smtp", "mx-2")
    path.parent.mkdir(parents=True)
    path.write_text("a line of mx-2\n")
    page = ada.get(f"/admin/machines/log/smtp?machine={sharing.id}").text
    assert "a line of mx-2" in page
    assert "EHLO" not in page
    assert ada.get(f"/admin/machines/log/smtp?machine={other.id}").status_code == 404


@pytest.mark.parametrize("config", ["sqlite"], indirect=True)
def test_admins_alone_hear_of_machines(admin, alice, browser_of, parts, set_mode):
    from tests.webmail.mailbox.test_events import next_event, opened

    set_mode(Mode.EXTERNAL)
    response, chunks = opened(browser_of(admin))
    parts.bus.ring(Bell(Topic.MACHINES))
    assert next_event(chunks) == b"event: machines\ndata: 0\n\n"
    response.close()
    response, chunks = opened(browser_of(alice))
    parts.bus.ring(Bell(Topic.MACHINES), Bell(Topic.TREE, alice.id))
    assert next_event(chunks).startswith(b"event: tree")
    response.close()


@pytest.mark.parametrize("ticked", [True, False])
def test_leaving_hosting_lists_what_runs_and_stops_it_if_wanted(ada, db, make_machine, ticked):
    """M5: nothing is stopped by the mode itself."""
    _machine, smtp = make_machine()
    page = ada.post("/admin/mail-services", data={"mode": "external"}).text
    assert "SMTP on mx-1" in page
    assert "IMAP on mx-1" not in page
    assert 'name="stop_hosted" value="y" checked' in page
    form = {"mode": "external", "confirmed": "yes", **({"stop_hosted": "y"} if ticked else {})}
    assert ada.post("/admin/mail-services", data=form).status_code == 303
    assert again(db, smtp).desired == ("stopped" if ticked else "running")
