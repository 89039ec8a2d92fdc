"""Agents that the tests drive by hand, with real processes; whatever they start ends with the test."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import runtime
from app.clock import SystemClock
from app.machines.agent import Agent, AgentTimes
from app.machines.identity import this_machine
from app.machines.models import Desired, Machine, MachineService
from app.machines.processes import locked_slots
from app.mail_services.modes import Mode

TIMES = AgentTimes(heartbeat_s=0.2, patience_s=5.0)
DEADLINE_S = 20.0


class Hand:
    """An agent, turned by hand until something holds."""

    def __init__(self, agent: Agent, db: Session) -> None:
        self.agent, self.db = agent, db

    @property
    def folder(self):
        return self.agent.here.folder

    def until(self, condition: Callable[[], object], what: str = "the condition") -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}: {self.row('dummy')!r}"
            self.agent.turn([])
            time.sleep(0.02)

    def row(self, kind: str = "dummy") -> MachineService:
        self.db.rollback()
        rows_of = select(MachineService).where(
            MachineService.machine_id == self.agent.machine_id, MachineService.kind == kind
        )
        return self.db.scalars(rows_of, execution_options={"populate_existing": True}).one()

    def machine(self) -> Machine:
        self.db.rollback()
        return self.db.get_one(Machine, self.agent.machine_id, populate_existing=True)

    def want(self, kind: str = "dummy", desired: Desired = Desired.RUNNING, *, again: bool = False) -> None:
        row = self.row(kind)
        row.desired = desired
        row.generation += again
        self.db.commit()

    def is_in(self, state: str, kind: str = "dummy") -> bool:
        return self.row(kind).state == state


@pytest.fixture
def make_agent(config, db, set_mode, request):
    """Agents on the test's database; `work` names a work directory of their own."""
    set_mode(Mode.MAILSITE)
    made, opened = [], []

    def make_agent(*kinds, work: str = "", begin: bool = True, **more) -> Hand:
        place = replace(
            config,
            work_directory=config.work_directory / work if work else config.work_directory,
            database_url=config.public_database,
            private_database_url=config.private_database,
        )
        parts = runtime.build(place, clock=SystemClock())
        opened.append(parts)
        named = {kind.name: kind for kind in kinds}
        agent = Agent(parts, named, this_machine(place), **{"times": TIMES, **more})
        made.append(agent)
        if begin:
            agent.begin()
        return Hand(agent, db)

    yield make_agent
    for agent in made:
        if agent.machine_id:
            agent.end()
        for _lock, number in locked_slots(agent.here.folder):
            os.killpg(int(number), signal.SIGKILL)
    for parts in opened:
        parts.dispose()
