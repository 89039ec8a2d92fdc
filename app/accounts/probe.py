"""Trying both logins of an account before anything is stored, and saying which step failed (E2)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from socket import socket
from threading import BoundedSemaphore

from app.accounts import guard
from app.accounts.addresses import Address, GuardPolicy
from app.accounts.door import STEPS, Record, Service, Step, StepResult, Visitor, knock
from app.accounts.endpoint import Credentials, Endpoint, Tls
from app.accounts.tls import client_context, lenient_context
from app.errors import MailError, StarttlsNotOffered, TimedOut, TooManyConnections
from app.imap.dialog import Command
from app.imap.folders import listed_in
from app.imap.session import Connector, ImapSession, open_session
from app.outbox.smtp import Login, SmtpSubmitter
from app.runtime import Runtime

TIME_LIMIT_S = 15.0
AT_ONCE = BoundedSemaphore(8)  # of this process: web threads are for pages
QUEUE_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Report:
    """How both servers did."""

    imap: Record
    smtp: Record

    @property
    def works(self) -> bool:
        return self.failure is None

    @property
    def failed(self) -> Record | None:
        return next((record for record in (self.imap, self.smtp) if record.failure), None)

    @property
    def failure(self) -> StepResult | None:
        return self.failed.failure if self.failed else None


class NotVerified(MailError):
    """A login was not possible; `report` says which step failed, and nothing was stored."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.failure.error.detail if report.failure and report.failure.error else "")
        self.report = report


def examine(
    parts: Runtime,
    policy: GuardPolicy,
    imap: Endpoint,
    smtp: Endpoint,
    given: Credentials,
    *,
    time_limit_s: float = TIME_LIMIT_S,
) -> Report:
    """Knock and log in at both servers at once, in at most `time_limit_s`.

    Failures are in the report.  Raises TooManyConnections if eight others are at it and none ends in time.
    """
    if not AT_ONCE.acquire(timeout=QUEUE_WAIT_S):
        raise TooManyConnections("other accounts are being tested; try again in a minute")
    try:
        return _examine(parts, policy, imap, smtp, given, time_limit_s)
    finally:
        AT_ONCE.release()


def _examine(
    parts: Runtime, policy: GuardPolicy, imap: Endpoint, smtp: Endpoint, given: Credentials, time_limit_s: float
) -> Report:
    ca_file = parts.config.tls_ca_file
    deadline = time.monotonic() + time_limit_s
    visitor = Visitor(policy, parts.resolver, client_context(ca_file), lenient_context(ca_file), deadline)
    report = Report(Record(Service.IMAP, imap), Record(Service.SMTP, smtp))
    threads = ThreadPoolExecutor(2, "probe")
    visits = [threads.submit(_visit, visitor, record, given) for record in (report.imap, report.smtp)]
    done, late = wait(visits, timeout=time_limit_s + 1)
    threads.shutdown(wait=False)
    for visit in done:
        visit.result()  # a bug is a bug; failures of servers are in the records
    return _closed(report) if late else report


def _closed(report: Report) -> Report:
    """A copy that late threads no longer write to; what was not done is out of time."""
    records = [Record(old.service, old.endpoint, list(old.steps), old.extensions) for old in (report.imap, report.smtp)]
    for record in records:
        reached = {result.step for result in record.steps}
        missing = [step for step in _order(record) if step not in reached]
        if missing and not record.failure:
            record.steps.append(StepResult(missing[0], error=TimedOut("the time allowed was over")))
    return Report(*records)


def _order(record: Record) -> Sequence[Step]:
    """The steps of a server as they are taken: with STARTTLS the greeting comes before the encryption."""
    steps = list(STEPS[record.service])
    if record.endpoint.tls is not Tls.IMPLICIT:
        steps[2:4] = [Step.GREETING, Step.ENCRYPTION]
    return steps


def steps_in_order(record: Record) -> Sequence[StepResult | Step]:
    """All steps of a server: those taken with their results, and those not tried."""
    taken = {result.step: result for result in record.steps}
    wanted = [step for step in _order(record) if step is not Step.ENCRYPTION or record.endpoint.tls is not Tls.NONE]
    return [taken.get(step, step) for step in wanted]


def _visit(visitor: Visitor, record: Record, given: Credentials) -> None:
    with suppress(MailError):  # it stands in the record
        if record.endpoint.tls is Tls.NONE and not visitor.policy.allows_cleartext(record.endpoint.host):
            with record.step(Step.NAME):
                raise StarttlsNotOffered("connections without encryption are not allowed to this host")
        addresses = knock(visitor, record)
        LOGINS[record.service](visitor, record, given, addresses)


def _dial(addresses: Sequence[Address], visitor: Visitor) -> Connector:
    """Connects to what was checked a moment ago, whatever the name says by now."""

    def dial(host: str, port: int, timeout_s: float) -> socket:  # noqa: ARG001  the host has an address already
        return guard.connect_to(addresses, port, min(timeout_s, visitor.left_s()))

    return dial


def _log_in_to_read(visitor: Visitor, record: Record, given: Credentials, addresses: Sequence[Address]) -> None:
    with record.step(Step.LOGIN):
        session = open_session(
            record.endpoint,
            given,
            connect=_dial(addresses, visitor),
            ssl_context=visitor.context,
            timeout_s=visitor.left_s(),
        )
    try:
        record.extensions = tuple(sorted(session.capabilities))
        with record.step(Step.FOLDERS) as facts:
            facts["detail"] = str(_count_folders(session))
    finally:
        session.close()


def _count_folders(session: ImapSession) -> int:
    """How many folders the login may see; INBOX must open.  Raises ActionRefused."""
    turn = session.run(Command(b'LIST "" "*"'), Command(b"EXAMINE INBOX")).check()
    return len(listed_in(turn.untagged))


def _log_in_to_send(visitor: Visitor, record: Record, given: Credentials, addresses: Sequence[Address]) -> None:
    login = Login(given.smtp_username, given.smtp_password)
    if given.uses_token:
        login = Login(given.smtp_username, given.access_token, "xoauth2")
    submitter = SmtpSubmitter(record.endpoint, login, connect=_dial(addresses, visitor), tls=visitor.context)
    with record.step(Step.LOGIN):
        submitter.check_login(visitor.left_s())


LOGINS = {Service.IMAP: _log_in_to_read, Service.SMTP: _log_in_to_send}
