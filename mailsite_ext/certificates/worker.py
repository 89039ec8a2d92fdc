"""The part of the delivery service that orders certificates: a thread beside the deliveries."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.extension_api import SWITCHES, MailError, Runtime, client_context, current_mode
from mailsite_ext.certificates import service
from mailsite_ext.certificates.models import CertificateOrder
from mailsite_ext.certificates.names import leading_here
from mailsite_ext.certificates.plan import Held, candidates, is_due, next_look, next_try, renewal
from mailsite_ext.certificates.service import Outcome
from mailsite_ext.settings.certificate import certificate_files
from mailsite_ext.settings.mail_domains import is_full_domain
from mailsite_ext.settings.service import load_settings

if TYPE_CHECKING:
    from mailsite_ext.certificates.authority import Authority, Issued

log = logging.getLogger(__name__)

EVERY_S = 5.0  # an admin who has asked looks on
ENDING_S = 2.0


class Worker:
    """`chance` gives numbers from 0 to 1."""

    def __init__(self, parts: Runtime, chance: Callable[[], float] = random.random) -> None:
        self._parts = parts
        self._chance = chance

    def round(self) -> None:
        """Order a certificate if one is due; nothing while another process does."""
        now = self._parts.clock.now()
        with self._parts.public.session() as db:
            order = service.take_turn(db, now)
            if order is None:
                return
            domains = load_settings(db).domains if SWITCHES[current_mode(db)].hosting else ()
            db.expunge(order)
        outcome = self._settle(order, [domain for domain in domains if is_full_domain(domain)], now)
        with self._parts.public.session() as db:
            service.end_turn(db, outcome)

    def _settle(self, order: CertificateOrder, domains: Sequence[str], now: datetime) -> Outcome:
        host = self._parts.config.host_names[0] if self._parts.config.public_url else ""
        wanted = candidates(host, domains)
        names = leading_here(self._parts.resolver, host, wanted) if host else []
        left_out = [name for name in wanted if name not in names]
        if host not in names:
            words = f"{host} has no address in DNS." if host else "PUBLIC_URL is not set: this server has no name."
            return self._failed(order, now, MailError(words), left_out, tried=False)
        held = service.held_of(order)
        if not is_due(self._as_used(held, order.directory), names, order.directory, now):
            assert held is not None
            next_at = next_look(held.renew_at, now)
            left_out = [*left_out, *(name for name in held.refused if name in names)]
            return Outcome(directory=order.directory, begun_at=now, next_at=next_at, left_out=left_out, tried=False)
        try:
            had, further = self._order(order, host, names)
        except MailError as error:
            return self._failed(order, now, error, left_out)
        next_at = next_look(had.renew_at, now)
        return Outcome(
            directory=order.directory, begun_at=now, next_at=next_at, left_out=[*left_out, *further], had=had
        )

    def _as_used(self, held: Held | None, directory: str) -> Held | None:
        """What was had and is still there; a trial is never put in place."""
        return held if directory == service.STAGING or certificate_files(self._parts.config) else None

    def _failed(
        self, order: CertificateOrder, now: datetime, error: MailError, left_out: Sequence[str], *, tried: bool = True
    ) -> Outcome:
        log.warning("no certificate: %s", error.detail)
        next_at = next_try(order.failures + 1, now, self._chance(), getattr(error, "wait", timedelta(0)))
        return Outcome(
            directory=order.directory, begun_at=now, next_at=next_at, words=error.detail, left_out=left_out, tried=tried
        )

    def _order(self, order: CertificateOrder, host: str, names: Sequence[str]) -> tuple[Held, Sequence[str]]:
        """The certificate, in its place, and the names that the authority could not verify: one domain whose DNS is
        wrong does not cost all others theirs.  Raises MailError."""
        from mailsite_ext.certificates.authority import NotIssued
        from mailsite_ext.certificates.files import new_key, store_certificate

        authority, key = self._authority(order), new_key()
        refused: Sequence[str] = ()
        try:
            issued = authority.order(names, key)
        except NotIssued as error:
            refused = error.refused
            if not refused or host in refused:
                raise
            names = [name for name in names if name not in refused]
            issued = authority.order(names, key)
        if order.directory != service.STAGING:
            store_certificate(self._parts.config, key, issued.chain)
        log.info("a certificate was issued for %s", ", ".join(issued.names))
        return self._held(issued, order.directory, refused), refused

    def _held(self, issued: Issued, directory: str, refused: Sequence[str]) -> Held:
        """A name that was refused is asked for again when the certificate is renewed, not every day."""
        renew_at = renewal(issued.begins_at, issued.ends_at, self._chance())
        return Held(issued.names, directory, renew_at, refused)

    def _authority(self, order: CertificateOrder) -> Authority:
        from mailsite_ext.certificates.authority import Authority
        from mailsite_ext.certificates.files import account_key

        config = self._parts.config
        return Authority(
            directory=order.directory,
            contact=order.contact,
            account_key=account_key(config, order.directory),
            trust=client_context(config.tls_ca_file),
            publish=self._publish,
        )

    def _publish(self, token: str, answer: str) -> None:
        with self._parts.public.session() as db:
            service.publish(db, token, answer, self._parts.clock.now())


@contextmanager
def ordering(worker: Worker) -> Iterator[None]:
    """Round after round, until the end; one under way that does not end soon is given up, and another's to take."""
    ended = threading.Event()
    thread = threading.Thread(target=_work, args=(worker, ended), name="certificates", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(ENDING_S)


def _work(worker: Worker, ended: threading.Event) -> None:
    while not ended.wait(EVERY_S):
        try:
            worker.round()
        except Exception:  # whatever it is, the certificate has to be renewed next time
            log.exception("a certificate could not be looked after")
