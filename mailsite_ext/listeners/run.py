"""A listener's process: `python -m mailsite_ext.listeners smtp` or `imap`, from the settings to the last connection."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.extension_api import Config, MailError, MailLog, Runtime, Way, log_file, tell_failure, tell_ready
from mailsite_ext.delivery.spool import sweep
from mailsite_ext.domains.directory import Directory, Hosted
from mailsite_ext.domains.logins import Logins
from mailsite_ext.domains.newcomers import make_mailboxes
from mailsite_ext.errors import CannotBind
from mailsite_ext.imap.folder_maps import FolderMaps
from mailsite_ext.limits import Limits
from mailsite_ext.listeners import imap, ports
from mailsite_ext.listeners.exchange_log import ExchangeLog
from mailsite_ext.listeners.open_files import find_shortage, limits_here
from mailsite_ext.listeners.peers import TOO_MANY, Peers
from mailsite_ext.listeners.serve import Handler, Server
from mailsite_ext.listeners.tls import CertificateFiles
from mailsite_ext.listeners.turns import Turns
from mailsite_ext.settings.certificate import certificate_files, load_certificate, tls_context
from mailsite_ext.settings.posture import (
    Certificate,
    CertificateState,
    ListenerRole,
    ListenerSpec,
    TlsMode,
    effective_posture,
    listeners_wanted,
)
from mailsite_ext.settings.service import load_settings
from mailsite_ext.settings.values import Settings
from mailsite_ext.storage.bells import FolderBells
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.open import Storage, open_storage
from mailsite_ext.storage.text_indexer import TextIndexer

if TYPE_CHECKING:
    from mailsite_ext.reception.door import Door
    from mailsite_ext.reception.examine import Examiner
    from mailsite_ext.reports.tally import Tally

log = logging.getLogger(__name__)

CARE_S = 3_600.0


@dataclass(slots=True)
class Process:
    """What the listeners of one process share."""

    parts: Runtime
    settings: Settings
    certificate: Certificate
    storage: Storage
    limits: Limits

    @property
    def host(self) -> str:
        """The name in greetings and in Received (RFC 5321 §4.2)."""
        return self.parts.config.host_names[0] if self.parts.config.public_url else socket.getfqdn()

    @property
    def spool_folder(self) -> Path:
        return self.parts.config.work_directory.absolute() / "mailsite" / "spool"

    def peers(self, service: str) -> Peers:
        """Those of all processes of the service on this machine."""
        return Peers(self.limits, self.parts.config.work_directory.absolute() / "mailsite" / "peers" / service)

    def log(self, service: str) -> ExchangeLog | None:
        if not self.settings.log_mail:
            return None
        return ExchangeLog(MailLog(log_file(self.parts.config, "mail")), self.parts.clock, service)

    def smtp_handler(self, spec: ListenerSpec, tally: Tally | None) -> Handler:
        from mailsite_ext.delivery.inbound import Inbound  # these bring DKIM and cryptography, 8 MiB that IMAP spares
        from mailsite_ext.delivery.outbound import DeliveryQueue
        from mailsite_ext.forwarding.forwarder import Forwarder
        from mailsite_ext.listeners.examining import Examining
        from mailsite_ext.listeners.smtp import Reception
        from mailsite_ext.reception.seals import Seals
        from mailsite_ext.reports.box import ReportBox

        directory, outbound = Directory(self.parts, self.settings), DeliveryQueue(self.parts, self.host, self.limits)
        return Reception(
            spec=spec,
            host=self.host,
            limits=self.limits,
            directory=directory,
            logins=Logins(self.parts, self.settings, self.limits, Way.SMTP),
            has_room=self._has_room,
            inbound=Inbound(
                self.storage,
                self.host,
                effective_posture(self.settings, self.certificate),
                self.limits,
                Seals.of(self.parts),
                enforces_dmarc=self.settings.enforce_dmarc,
                reports=ReportBox(self.parts.public),
                tally=tally,
                forwards=Forwarder(self.parts, directory, outbound),
            ),
            examining=Examining(self._examiner(), self.limits, self._door()),
            outbound=outbound,
            clock=self.parts.clock,
            spool_folder=self.spool_folder,
            log=self.log("smtp"),
        ).serve

    def _examiner(self) -> Examiner:
        from mailsite_ext.junk.judging import JunkFilters
        from mailsite_ext.reception.examine import Examiner
        from mailsite_ext.trusted_senders.service import TrustedSenders

        parts = self.parts
        return Examiner(
            parts.resolver,
            parts.clock,
            self.host,
            TrustedSenders(parts.public),
            JunkFilters(parts.public),
            self.settings.trusted_forwarders,
        )

    def _door(self) -> Door | None:
        from mailsite_ext.reception.door import Door

        made = Door(self.parts, blocklists=self.settings.blocklists, greylists=self.settings.greylisting)
        return None if made.is_open else made

    def _has_room(self, hosted: Hosted, octets: int) -> bool:
        quota = self.storage.quota(hosted.name)
        return quota.limit_octets is None or quota.used_octets + octets <= quota.limit_octets

    def imap_handler(self, bells: FolderBells, turns: Turns) -> Callable[[ListenerSpec], Handler]:
        logins, maps = Logins(self.parts, self.settings, self.limits, Way.IMAP), FolderMaps(self.storage)

        def make(spec: ListenerSpec) -> Handler:
            return imap.Access(
                spec=spec,
                limits=self.limits,
                storage=self.storage,
                maps=maps,
                bells=bells,
                logins=logins,
                clock=self.parts.clock,
                spool_folder=self.spool_folder,
                turns=turns,
                log=self.log("imap"),
            ).serve

        return make


SMTP = frozenset({ListenerRole.RECEPTION, ListenerRole.SUBMISSION})
IMAP = frozenset({ListenerRole.IMAP})


def run(parts: Runtime, roles: frozenset[ListenerRole]) -> None:
    """Listen on the ports of `roles` until SIGTERM.  Raises CannotBind, which the agent was told of too."""
    with parts.public.session() as db:
        settings = load_settings(db)
    certificate, limits = load_certificate(parts.config, parts.clock.now()), _limits(parts.config)
    try:
        _require_usable(certificate)
        specs = [spec for spec in _wanted(parts.config, settings, certificate) if spec.roles & roles]
        bound = [(spec, _sockets(parts.config, spec)) for spec in specs]
        storage = open_storage(parts, settings)
    except MailError as error:
        tell_failure(error.detail)
        raise
    make_mailboxes(parts)
    process = Process(parts, settings, certificate, storage, limits)
    sweep(process.spool_folder)
    try:
        asyncio.run(_listen(process, bound, is_imap=bool(roles & IMAP)))
    finally:
        storage.close()


def _limits(config: Config) -> Limits:
    """Says in the log what this process is not allowed."""
    limits = Limits(connections_per_address=config.mail_connections_per_address)
    if shortage := find_shortage(limits):
        log.warning(shortage)
    return limits_here(limits)


@contextmanager
def _indexing(storage: Storage, bells: FolderBells) -> Iterator[None]:
    """Text is indexed where it is searched, so that it takes nothing from those who deliver."""
    indexer = TextIndexer(storage, storage.text, bells)
    try:
        yield
    finally:
        indexer.close()


def _wanted(config: Config, settings: Settings, certificate: Certificate) -> Sequence[ListenerSpec]:
    return listeners_wanted(settings, certificate, config.mail_bind)


def _require_usable(certificate: Certificate) -> None:
    """Raises CannotBind: a listener that offers TLS it cannot do would turn everybody away (O13)."""
    if certificate.state is CertificateState.UNREADABLE:
        raise CannotBind(f"The TLS certificate cannot be used: {certificate.error}. Mend its file.")


def _sockets(config: Config, spec: ListenerSpec) -> Sequence[socket.socket]:
    handed = ports.inherited(os.environ, os.getpid(), os.getppid())
    if spec.port in handed:
        return handed[spec.port]
    locks = config.work_directory.absolute() / "mailsite" / "ports"
    return ports.share(locks, spec.addresses, spec.port, fallback_port=spec.fallback_port)


async def _listen(
    process: Process, bound: Sequence[tuple[ListenerSpec, Sequence[socket.socket]]], *, is_imap: bool
) -> None:
    """Until SIGTERM or SIGINT; then what is under way is finished."""
    tls = _certificate(process) if process.certificate.is_configured else None
    service = "imap" if is_imap else "smtp"
    with closing(process.peers(service)) as peers, _handlers(process, is_imap=is_imap) as make:
        servers = []
        for spec, sockets in bound:
            server = Server(make(spec), process.limits, peers=peers, too_many=TOO_MANY[service], tls=tls)
            await server.listen(sockets, implicit_tls=spec.tls is TlsMode.IMPLICIT)
            servers.append(server)
        tell_ready([_name(each) for _spec, sockets in bound for each in sockets])
        care = asyncio.create_task(_care(process.storage))
        await _told_to_stop()
        care.cancel()
        await asyncio.gather(*(server.stop() for server in servers))


async def _care(storage: StorageEngine) -> None:
    """Bytes nobody points at any more go when their grace time is over; several listeners take turns at it."""
    while True:
        await asyncio.sleep(CARE_S)
        try:
            await asyncio.to_thread(storage.collect_garbage)
        except MailError:
            log.exception("stored mail could not be tidied")


def _certificate(process: Process) -> CertificateFiles:
    files = certificate_files(process.parts.config)
    return CertificateFiles(lambda: tls_context(files), files)


@contextmanager
def _counting(process: Process) -> Iterator[Tally | None]:
    """What is counted for reports, where any are sent."""
    from mailsite_ext.reports.tally import Tally

    settings, parts = process.settings, process.parts
    if not settings.send_reports:
        yield None
        return
    with Tally(parts.public, parts.clock, settings.hosted_domains) as tally:
        yield tally


@contextmanager
def _handlers(process: Process, *, is_imap: bool) -> Iterator[Callable[[ListenerSpec], Handler]]:
    if not is_imap:
        with _counting(process) as tally:
            yield partial(process.smtp_handler, tally=tally)
        return
    bells = FolderBells(process.parts.bus)
    limits = process.limits
    threads = ThreadPoolExecutor(limits.imap_threads, "imap")
    with threads, _indexing(process.storage, bells):
        yield process.imap_handler(bells, Turns(threads, limits.imap_threads_per_mailbox))
    bells.close()


async def _told_to_stop() -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()


def _name(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
