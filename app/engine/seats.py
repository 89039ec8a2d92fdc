"""The sessions of an account and the lane of each, and what happens when one cannot be opened or breaks.

* A session that breaks is opened again at once, and the job done again; one that broke TRIES sessions is given up.
* A server that cannot be reached, or refuses the login, gives all seats a rest, longer each time.
* A server that allows fewer sessions than we would like has one seat do the work of two for a while.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from app.clock import Clock
from app.engine import backoff
from app.engine.jobs import Lane
from app.engine.leases import LeaseLost
from app.engine.sessions import WarmSession
from app.engine.timetable import Timetable
from app.errors import MailError, NotFound, ProtocolError, ServerUnreachable, TooManyConnections
from app.sources import MailSource

log = logging.getLogger("satchel.engine")

Work = Callable[[MailSource], None]
OpenSession = Callable[[], MailSource]

TRIES = 3
"""Sessions one job may break before it is given up: the cause lies in the job."""


class Seat:
    """A lane and its session.  `host` does this seat's work while the server allows no further session."""

    def __init__(self, name: str, pool: ThreadPoolExecutor, open_session: OpenSession, drained: Callable[[], None]):
        self.name = name
        self.lane = Lane(pool, drained=drained)
        self.session = WarmSession(open_session)
        self.host: Seat | None = None
        self.crowded = 0
        self.broken: Counter[str] = Counter()
        self.used_s = 0.0

    @property
    def is_open(self) -> bool:
        return self.session.find() is not None


class Hooks(Protocol):
    """What the owner of the seats wants to be told; called in the lanes' threads."""

    def before_job(self, seat: Seat, source: MailSource) -> None: ...

    def session_ended(self, seat: Seat) -> None: ...

    def resting(self, error: MailError, wait_s: float) -> None: ...

    def recovered(self) -> None: ...

    def gave_up(self, key: str, error: MailError) -> None: ...

    def lease_lost(self) -> None: ...


class Seats:
    """The seats of one account; the order is the order in which they take a guest in."""

    def __init__(self, account_id: int, clock: Clock, timetable: Timetable, hooks: Hooks) -> None:
        self._account_id = account_id
        self._clock = clock
        self._timetable = timetable
        self._hooks = hooks
        self._seats: list[Seat] = []
        self._failures = 0

    def add(
        self, name: str, pool: ThreadPoolExecutor, open_session: OpenSession, drained: Callable[[], None] = lambda: None
    ) -> Seat:
        seat = Seat(name, pool, open_session, drained)
        self._seats.append(seat)
        return seat

    def put(self, seat: Seat, key: str, rank: int, work: Work) -> None:
        """Queue work for a seat's session, unless the same waits already."""
        seat.lane.put(key, rank, lambda: self._run(seat, key, rank, work))

    def is_shared(self, seat: Seat) -> bool:
        """Whether it does another's work, too: then other folders are selected in between."""
        return any(other.host is seat for other in self._seats)

    def close(self) -> None:
        """Forget what waits, and close the sessions under the hands of the jobs that run."""
        for seat in self._seats:
            seat.lane.close()
        for seat in self._seats:
            self._hooks.session_ended(seat)
            seat.session.end()

    def on_time(self, what: str) -> None:
        """The timetable says it is time to go on ("resume"), or to try for a session of one's own ("leave <seat>")."""
        for seat in self._seats:
            if what == "resume":
                seat.lane.resume()
            elif what == f"leave {seat.name}":
                seat.host = None

    def _run(self, seat: Seat, key: str, rank: int, work: Work) -> None:
        if seat.host is not None:
            self.put(seat.host, key, rank, work)
            return
        try:
            source = self._open(seat)
        except LeaseLost:
            self._hooks.lease_lost()
        except MailError as error:
            self._cannot_open(seat, error)
            self.put(seat, key, rank, work)
        else:
            self._work(seat, source, key, rank, work)

    def _open(self, seat: Seat) -> MailSource:
        was_open = seat.is_open
        source = seat.session.get()
        if not was_open:
            seat.crowded = 0
            if self._failures:
                self._failures = 0
                self._hooks.recovered()
        return source

    def _work(self, seat: Seat, source: MailSource, key: str, rank: int, work: Work) -> None:
        try:
            self._hooks.before_job(seat, source)
            work(source)
        except LeaseLost:
            self._hooks.lease_lost()
        except (ServerUnreachable, ProtocolError) as error:
            self.session_broke(seat, key, rank, work, error)
        except NotFound:  # its account, folder or message went away in the middle
            log.debug("account %d: %s: no longer there", self._account_id, key)
        except MailError as error:
            log.warning("account %d: %s: %s: %s", self._account_id, key, type(error).__name__, error.detail)
        except SQLAlchemyError:
            log.warning("account %d: %s: the database refused", self._account_id, key, exc_info=True)
            self._try_again(seat, key, rank, work)
        else:
            seat.broken.pop(key, None)
        seat.used_s = self._clock.monotonic_s()

    def session_broke(self, seat: Seat, key: str, rank: int, work: Work, error: MailError) -> None:
        """The session is dead.  The job is tried again on a new one, unless it broke several."""
        self._hooks.session_ended(seat)
        seat.session.drop()
        if not self._try_again(seat, key, rank, work):
            log.warning("account %d: gave up %s: %s: %s", self._account_id, key, type(error).__name__, error.detail)
            self._hooks.gave_up(key, error)
            self._rest(error)

    def _try_again(self, seat: Seat, key: str, rank: int, work: Work) -> bool:
        """Put a job that failed back; False if it did so TRIES times."""
        seat.broken[key] += 1
        if seat.broken[key] >= TRIES:
            del seat.broken[key]
            return False
        self.put(seat, key, rank, work)
        return True

    def _cannot_open(self, seat: Seat, error: MailError) -> None:
        host = self._find_host(seat) if isinstance(error, TooManyConnections) else None
        if host is None:
            self._rest(error)
            return
        seat.crowded += 1
        seat.host = host
        self._timetable.plan(f"leave {seat.name}", backoff.wait_s(error, seat.crowded))
        log.info("account %d: %s works on the %s session: %s", self._account_id, seat.name, host.name, error.detail)

    def _find_host(self, guest: Seat) -> Seat | None:
        return next((seat for seat in self._seats if seat is not guest and seat.is_open), None)

    def _rest(self, error: MailError) -> None:
        """Nothing is tried for a while, in any lane; what waits is kept."""
        self._failures += 1
        wait_s = backoff.wait_s(error, self._failures)
        log.info("account %d rests %.0f s: %s: %s", self._account_id, wait_s, type(error).__name__, error.detail)
        for seat in self._seats:
            seat.lane.hold()
        self._timetable.plan("resume", wait_s)
        self._hooks.resting(error, wait_s)
