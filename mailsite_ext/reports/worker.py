"""The part of the delivery service that reads reports and sends ours: a thread beside the deliveries."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from ipaddress import ip_network

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.extension_api import (
    Bell,
    Bounds,
    GuardPolicy,
    MailError,
    Runtime,
    Topic,
    client_context,
    guarded_post,
    row_count,
)
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.signing_keys import SigningKeys
from mailsite_ext.reports.incoming import Reading, tidy
from mailsite_ext.reports.models import ReportTurn
from mailsite_ext.reports.sending import Sending, forget_all
from mailsite_ext.settings.mail_domains import is_full_domain
from mailsite_ext.settings.values import Settings

log = logging.getLogger(__name__)

EVERY_S = 60.0
TURN = timedelta(minutes=30)  # longer than one round takes
POST_S = 60.0
ANYWHERE = GuardPolicy(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))


class Worker:
    """`host`: what we are called."""

    def __init__(self, parts: Runtime, settings: Settings, host: str) -> None:
        self._parts = parts
        self._settings = settings
        self._host = host
        self._tidied_on: date | None = None

    def round(self) -> None:
        """Read what waits, send what is due; nothing while another process does."""
        with self._parts.public.session() as db:
            if not _take_turn(db, self._parts.clock.now()):
                return
            try:
                self._read(db)
                self._send(db)
                self._tidy(db)
            finally:
                db.rollback()
                _end_turn(db, self._parts.clock.now())

    def _read(self, db: Session) -> None:
        parts = self._parts
        Reading(parts.resolver, parts.clock, self._settings.hosted_domains, self._host).read_waiting(db)

    def _send(self, db: Session) -> None:
        """Signed or not at all: nobody believes an unsigned report (RFC 9990 §5, RFC 8460 §3)."""
        now = self._parts.clock.now()
        sending = self._sending() if self._settings.send_reports else None
        if sending is None:
            forget_all(db)
        elif sending.send_due(db, now):
            self._parts.bus.ring(Bell(Topic.DELIVERY))

    def _sending(self) -> Sending | None:
        keys = SigningKeys(self._parts.config, self._parts.clock)
        for domain in filter(is_full_domain, self._settings.hosted_domains):
            try:
                key = keys.find_signing_key(domain)
            except MailError as error:
                log.warning("no report can be signed: %s", error.detail)
                continue
            if key is not None:
                return Sending(domain, key, self._budget, self._post)
        return None

    def _budget(self) -> DnsBudget:
        return DnsBudget(self._parts.resolver, self._parts.clock)

    def _post(self, url: str, octets: bytes, media_type: str) -> None:
        """Guarded as all that others name (E4).  Raises MailError."""
        status = guarded_post(
            ANYWHERE if self._settings.test_mode else GuardPolicy(),
            self._parts.resolver,
            url,
            octets,
            media_type,
            Bounds(0, POST_S, schemes=("https",)),
            ssl_context=client_context(self._parts.config.tls_ca_file),
        )
        if not 200 <= status < 300:
            raise MailError(f"the server answered {status}")

    def _tidy(self, db: Session) -> None:
        now = self._parts.clock.now()
        if self._tidied_on != now.date():
            tidy(db, now)
            self._tidied_on = now.date()


def _take_turn(db: Session, now: datetime) -> bool:
    free = update(ReportTurn).where(ReportTurn.id == 1, ReportTurn.until <= now).values(until=now + TURN)
    if row_count(db.execute(free)):
        db.commit()
        return True
    if db.get(ReportTurn, 1) is not None:
        return False
    db.add(ReportTurn(id=1, until=now + TURN))
    try:
        db.commit()
    except IntegrityError:  # another process is first of all
        db.rollback()
        return False
    return True


def _end_turn(db: Session, now: datetime) -> None:
    db.execute(update(ReportTurn).where(ReportTurn.id == 1).values(until=now))
    db.commit()


@contextmanager
def working(worker: Worker) -> Iterator[None]:
    """Round after round, until the end; the one under way is finished."""
    ended = threading.Event()
    thread = threading.Thread(target=_work, args=(worker, ended), name="reports", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _work(worker: Worker, ended: threading.Event) -> None:
    while not ended.wait(EVERY_S):
        try:
            worker.round()
        except SQLAlchemyError:
            log.warning("the database does not answer", exc_info=True)
        except Exception:
            log.exception("a round of the reports failed")
