"""What an agent says of a service, made of what it knows of the service's processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from app.machines.models import ServiceState
from app.machines.reconcile import Phase


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent says of a service; the columns of `machine_service` that are its own."""

    state: ServiceState = ServiceState.STOPPED
    since: datetime | None = None
    pids: str = ""
    addresses: str = ""
    settings: Mapping[str, str] | None = None
    error: str = ""
    exit_status: int | None = None
    error_at: datetime | None = None
    restarts: int = 0
    retry_at: datetime | None = None


class Trouble(NamedTuple):
    """How a process ended by itself: its last words, its status (None: it never began), and when."""

    words: str
    status: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ProcessView:
    """One process, or the wait for it."""

    phase: Phase
    pid: int | None = None
    addresses: Sequence[str] = ()
    settings: Mapping[str, str] | None = None
    deaths: int = 0
    retry_at: datetime | None = None


STATES = (  # the first that any of its processes is in
    (Phase.WAITING, ServiceState.FAILED),
    (Phase.ENDING, ServiceState.STOPPING),
    (Phase.STARTING, ServiceState.STARTING),
    (Phase.RUNNING, ServiceState.RUNNING),
)


def report(processes: Sequence[ProcessView], trouble: Trouble | None, said: Report | None, now: datetime) -> Report:
    """What is to be said of a kind; `since` stays as it was `said` while the state does."""
    phases = {process.phase for process in processes}
    state = next((state for phase, state in STATES if phase in phases), ServiceState.STOPPED)
    fresh = Report(
        state=state,
        since=now,
        pids=", ".join(str(process.pid) for process in processes if process.pid is not None),
        addresses=", ".join(dict.fromkeys(address for process in processes for address in process.addresses))[:2000],
        settings=next((process.settings for process in processes if process.pid is not None), None),
        restarts=max((process.deaths for process in processes), default=0),
        retry_at=min((process.retry_at for process in processes if process.retry_at), default=None),
    )
    if trouble is not None:
        fresh = replace(fresh, error=trouble.words[:1000], exit_status=trouble.status, error_at=trouble.at)
    is_as_before = said is not None and said.state is state and said.pids == fresh.pids
    return replace(fresh, since=said.since) if said is not None and is_as_before else fresh
