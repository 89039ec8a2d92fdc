"""What the admin wants of the mail engine of this machine.  The engine looks it up by itself: no agent runs it."""

from __future__ import annotations

import logging

from sqlalchemy.exc import OperationalError

from app.machines import rows
from app.machines.identity import this_machine
from app.machines.kinds import ENGINE
from app.machines.models import Desired
from app.machines.rows import Order
from app.mail_services.modes import SWITCHES
from app.mail_services.service import current_mode
from app.runtime import Runtime

log = logging.getLogger("satchel.machines")

LOOK_S = 2.0


class StandingOrders:
    """Read every two seconds at most; a database that does not answer changes nothing."""

    def __init__(self, parts: Runtime) -> None:
        self._parts = parts
        self.hosts_mail = False  # whether the mode does: then an agent has something to do here
        self.has_told = False
        with parts.public.session() as db:
            self._machine_id = rows.ensure_machine(db, this_machine(parts.config))
            rows.ensure_services(db, self._machine_id, [ENGINE.name], Desired.RUNNING)
        self._order = self._first = Order(running=True, generation=0)
        self._look()
        self._first = self._order

    def wants_work(self) -> bool:
        """Whether the engine is wanted to run."""
        self._look_again()
        return self._order.running

    def wants_another(self) -> bool:
        """Whether somebody asked for a restart since this process began."""
        return self._order.generation != self._first.generation

    def _look_again(self) -> None:
        if self._parts.clock.monotonic_s() >= self._next_look_s:
            try:
                self._look()
            except OperationalError:
                log.warning("the database does not answer", exc_info=True)

    def _look(self) -> None:
        self._next_look_s = self._parts.clock.monotonic_s() + LOOK_S
        with self._parts.public.session() as db:
            self._order = rows.find_orders(db, self._machine_id).get(ENGINE.name, self._order)
            self.hosts_mail = SWITCHES[current_mode(db)].hosting
