"""Machines, and the services on them: what is wanted (written by the web) and what is (written by the agent)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime


class Desired(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"


class ServiceState(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"  # its process lives and has not said that it is ready
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"  # it ended by itself; `retry_at` is the next try


class Machine(Base):
    """A machine on which an agent or an engine ran; the agent is alive while its heartbeat is fresh (every 5 s)."""

    __tablename__ = "machine"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)  # kept in its work directory
    name: Mapped[str] = mapped_column(String(253))  # its host name, as in `engine.machine`
    work_uuid: Mapped[str] = mapped_column(String(36))  # the same on machines that share a work directory
    work_directory: Mapped[str] = mapped_column(String(4096), default="")
    agent: Mapped[str] = mapped_column(String(36), default="")  # drawn by the agent that runs; empty: none does
    boot: Mapped[str] = mapped_column(String(36), default="")  # of the system, when that agent began
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    addresses: Mapped[str] = mapped_column(String(500), default="")  # comma-separated
    version: Mapped[str] = mapped_column(String(40), default="")


class MachineService(Base):
    """One kind of service on one machine."""

    __tablename__ = "machine_service"
    __table_args__ = (UniqueConstraint("machine_id", "kind"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(40))
    desired: Mapped[Desired] = mapped_column(default=Desired.STOPPED)
    generation: Mapped[int] = mapped_column(default=0)  # raised by each start and restart; processes of another end
    state: Mapped[ServiceState] = mapped_column(default=ServiceState.STOPPED)
    since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pids: Mapped[str] = mapped_column(String(200), default="")  # comma-separated
    addresses: Mapped[str] = mapped_column(String(2000), default="")  # bound, comma-separated
    settings: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))  # the fingerprint it runs with
    error: Mapped[str] = mapped_column(String(1000), default="")  # last words of the process that ended by itself
    exit_status: Mapped[int | None]  # its status; negative: the signal that killed it
    error_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    restarts: Mapped[int] = mapped_column(default=0)  # deaths in a row
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MailHome(Base):
    """One row once hosting began: the work directory in which mail, blobs and signing keys lie."""

    __tablename__ = "mail_home"

    id: Mapped[int] = mapped_column(primary_key=True)  # always 1
    work_uuid: Mapped[str] = mapped_column(String(36))
    machine_name: Mapped[str] = mapped_column(String(253))  # on which it began
    work_directory: Mapped[str] = mapped_column(String(4096))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
