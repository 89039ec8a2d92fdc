"""`flask machine run`, the engine and gunicorn as real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from app import runtime
from app.engine.models import Engine
from app.machines.identity import this_machine
from app.machines.models import Desired, Machine, MachineService
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from tests.servers.engine import ROOT, environment, is_running, run_engine, run_gunicorn, run_process, wait_for

DUMMIES = "tests.webmail.machines.dummies"
AGENT = [sys.executable, "-m", "flask", "--app", "wsgi", "machine", "run"]


class Site:
    """An installation that hosts mail, and what its tables say."""

    def __init__(self, parts: runtime.Runtime) -> None:
        self.config, self.parts = parts.config, parts

    def services(self, name: str = "dummy") -> list[MachineService]:
        with self.parts.public.session() as db:
            found = select(MachineService).where(MachineService.kind == name).order_by(MachineService.machine_id)
            return list(db.scalars(found))

    def engines(self) -> list[int]:
        with self.parts.public.session() as db:
            return list(db.scalars(select(Engine.pid)))

    def want(self, name: str = "dummy", desired: Desired = Desired.RUNNING, **values) -> None:
        with self.parts.public.session() as db:
            rows = update(MachineService).where(MachineService.kind == name)
            db.execute(rows.values(desired=desired, **values))
            db.commit()

    def set_mode(self, mode: Mode) -> None:
        with self.parts.public.session() as db:
            db.merge(MailServices(id=1, mode=mode, private_hosts="", cleartext_hosts=""))
            db.commit()

    def runs(self, name: str = "dummy") -> bool:
        return all(row.state == "running" for row in self.services(name)) and bool(self.services(name))

    @property
    def log(self):
        return self.config.work_directory / "agent.log"


@pytest.fixture
def site(config) -> Iterator[Site]:
    parts = runtime.build(config)
    found = Site(parts)
    found.set_mode(Mode.MAILSITE)
    yield found
    parts.dispose()


@contextmanager
def run_agent(site: Site, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    with run_process(AGENT, site.config, site.log, **{"EXTENSIONS": DUMMIES, **environ}) as process:
        yield process


def test_kill_9_of_the_agent_leaves_a_service_that_the_next_one_finds_and_ends(site):
    with run_agent(site) as agent:
        wait_for(site.services, "the agent's rows", site.log)
        site.want()
        wait_for(site.runs, "the service", site.log)
        (orphan,) = [int(row.pids) for row in site.services()]
        agent.kill()
        agent.wait()
    assert is_running(orphan)
    with run_agent(site):
        wait_for(lambda: not is_running(orphan), "the orphan's end", site.log)
        wait_for(lambda: site.runs() and int(site.services()[0].pids) != orphan, "its successor", site.log)
        (pid,) = [int(row.pids) for row in site.services()]
    assert not is_running(pid)
    assert [row.state for row in site.services()] == ["stopped"]


@pytest.mark.parametrize("config", ["sqlite"], indirect=True)
def test_the_same_machine_twice_is_refused_in_words(site):
    with run_agent(site):
        wait_for(site.services, "the agent's rows", site.log)
        second = subprocess.run(
            AGENT, cwd=ROOT, env=environment(site.config, EXTENSIONS=DUMMIES), capture_output=True, text=True
        )
    assert second.returncode == 1
    assert "Another agent runs on this machine" in second.stderr


def test_two_agents_with_work_directories_of_their_own_share_a_database(site):
    """As two machines do: each has its row, its processes and its logs."""
    other = replace(
        site.config,
        work_directory=site.config.work_directory / "other",
        database_url=site.config.public_database,
        private_database_url=site.config.private_database,
    )
    other.work_directory.mkdir()
    with run_agent(site), run_process(AGENT, other, site.log, EXTENSIONS=DUMMIES):
        wait_for(lambda: len(site.services()) == 2, "two machines", site.log)
        site.want()
        wait_for(site.runs, "both services", site.log)
        assert len({row.pids for row in site.services()}) == 2
        with site.parts.public.session() as db:
            works = {machine.uuid: machine.work_uuid for machine in db.scalars(select(Machine))}
        assert works == {here.uuid: here.work_uuid for here in map(this_machine, (site.config, other))}
        assert len(set(works.values())) == 2
    assert [row.state for row in site.services()] == ["stopped", "stopped"]


@pytest.mark.parametrize("config", ["sqlite"], indirect=True)
def test_an_engine_stops_starts_and_restarts_as_the_admin_wants(site):
    site.set_mode(Mode.EXTERNAL)
    with run_engine(site.config) as engine:
        log = site.config.work_directory / "engine.log"
        wait_for(site.engines, "an engine", log)
        site.want("engine", Desired.STOPPED)
        wait_for(lambda: not site.engines(), "its end", log)
        assert engine.poll() is None
        site.want("engine")
        wait_for(site.engines, "its return", log)
        with site.parts.public.session() as db:
            (first,) = db.scalars(select(Engine.id))
        site.want("engine", generation=1)
        wait_for(lambda: site.engines() and newest(site) != first, "another one", log)
        assert site.engines() == [engine.pid]
    assert engine.returncode == 0
    assert site.engines() == []


def newest(site: Site) -> int | None:
    with site.parts.public.session() as db:
        return db.scalar(select(Engine.id).order_by(Engine.id.desc()).limit(1))


@pytest.mark.parametrize("config", ["sqlite"], indirect=True)
def test_gunicorn_starts_the_agent_once_mail_is_hosted_and_ends_it(site, free_port, monkeypatch):
    monkeypatch.setattr("tests.servers.engine.environment", with_dummies)
    site.set_mode(Mode.EXTERNAL)
    log = site.config.work_directory / "gunicorn.log"
    with run_gunicorn(site.config, free_port()):
        wait_for(site.engines, "an engine", log)
        assert site.services() == []  # no agent in a mode that hosts nothing
        site.set_mode(Mode.BOTH)
        wait_for(site.services, "the agent", log)
        site.want()
        wait_for(site.runs, "the service", log)
        (pid,) = [int(row.pids) for row in site.services()]
        with site.parts.public.session() as db:
            assert db.scalars(select(Machine.heartbeat_at)).one() is not None
    assert not is_running(pid)
    assert [row.state for row in site.services()] == ["stopped"]


def with_dummies(config, **more):
    return environment(config, **{"EXTENSIONS": DUMMIES, **more})


@pytest.mark.parametrize("config", ["sqlite"], indirect=True)
def test_an_agent_whose_parent_is_gone_ends_with_its_services(site):
    with run_agent(site) as agent:
        wait_for(site.services, "the agent's rows", site.log)
        agent.send_signal(signal.SIGTERM)
        agent.wait(30)
    orphaned = (
        f"import subprocess, sys; subprocess.Popen([*{AGENT!r}, '--parent', str(__import__('os').getpid())]); input()"
    )
    env = environment(site.config, EXTENSIONS=DUMMIES)
    with site.log.open("ab") as output:
        parent = subprocess.Popen(
            [sys.executable, "-c", orphaned], cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=output, stderr=output
        )
    site.want()
    wait_for(site.runs, "the service", site.log)
    (pid,) = [int(row.pids) for row in site.services()]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdin.close()
    wait_for(lambda: not is_running(pid), "the service's end", site.log)
    wait_for(lambda: site.services()[0].state == "stopped", "its word", site.log)
