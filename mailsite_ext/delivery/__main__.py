"""`python -m mailsite_ext.delivery`: the process that takes queued mail to other servers, until SIGTERM."""

from __future__ import annotations

import logging
import random
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Sequence
from functools import partial

from app.extension_api import (
    Config,
    MailError,
    Runtime,
    build_runtime,
    client_context,
    set_up_logs,
    tell_failure,
    tell_ready,
)
from mailsite_ext.authentication.signing_keys import SigningKeys
from mailsite_ext.certificates import worker as certificates
from mailsite_ext.certificates.worker import ordering
from mailsite_ext.delivery.connection import dial
from mailsite_ext.delivery.dispatch import Dispatcher, World
from mailsite_ext.delivery.inbound import Inbound
from mailsite_ext.delivery.notices import Notices
from mailsite_ext.delivery.relays import Relays
from mailsite_ext.delivery.remote import Courier
from mailsite_ext.delivery.route import Ourselves
from mailsite_ext.domains.directory import Directory
from mailsite_ext.limits import Limits
from mailsite_ext.reception.seals import Seals
from mailsite_ext.reports.tally import Tally
from mailsite_ext.reports.worker import Worker, working
from mailsite_ext.settings.certificate import load_certificate
from mailsite_ext.settings.posture import effective_posture
from mailsite_ext.settings.service import load_settings
from mailsite_ext.settings.values import Settings
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.open import open_storage
from mailsite_ext.transport_security.policy_cache import PolicyCache, PolicyFetcher

log = logging.getLogger(__name__)


def main() -> None:
    config = Config.from_env()
    set_up_logs(config)
    parts = build_runtime(config)
    try:
        run(parts)
    except MailError as error:
        sys.exit(error.detail or type(error).__name__)
    finally:
        parts.dispose()


def run(parts: Runtime) -> None:
    """Deliver until SIGTERM or SIGINT; what is under way is finished.  Raises what opening the storage does."""
    with parts.public.session() as db:
        settings = load_settings(db)
    try:
        storage = open_storage(parts, settings)
    except MailError as error:
        tell_failure(error.detail)
        raise
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    try:
        tell, care = _notices(parts, settings, storage).tell, partial(_retire_keys, parts, settings.hosted_domains)
        with Tally(parts.public, parts.clock, settings.hosted_domains) as tally:
            dispatcher = Dispatcher(parts, _world(parts, settings, tally), tell, care)
            tell_ready([])
            with working(Worker(parts, settings, _host(parts))), ordering(certificates.Worker(parts)):
                dispatcher.run(lambda: not ending.is_set())
    finally:
        storage.close()


def _retire_keys(parts: Runtime, domains: Sequence[str]) -> None:
    """What a key signed has aged when no retry can carry it any more: then its record may go (A2)."""
    keys = SigningKeys(parts.config, parts.clock)
    for domain in domains:
        try:
            for selector in keys.retire_old(domain):
                log.info("the key %s of %s is retired: its record may go", selector, domain)
        except MailError as error:
            log.warning("keys of %s could not be looked through: %s", domain, error.detail)


def _world(parts: Runtime, settings: Settings, tally: Tally) -> World:
    host = _host(parts)
    chance = random.SystemRandom()
    return World(
        resolver=parts.resolver,
        courier=Courier(
            name=host,
            dial=dial,
            opportunistic=_opportunistic(),
            verifying=client_context(parts.config.tls_ca_file),
        ),
        ours=Ourselves(frozenset({host, *parts.config.host_names}), reaches_private=settings.test_mode),
        shuffle=lambda hosts: chance.sample(hosts, len(hosts)),
        chance=chance.random,
        policy_of=PolicyCache(parts, PolicyFetcher(parts, settings.test_mode)).policy_of,
        relay_of=Relays(parts, host).find,
        note_sessions=tally.note_sessions,
    )


def _opportunistic() -> ssl.SSLContext:
    """Whoever could forge a certificate could also strip STARTTLS: any is better than none (RFC 7435 §3)."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _notices(parts: Runtime, settings: Settings, storage: StorageEngine) -> Notices:
    host = _host(parts)
    posture = effective_posture(settings, load_certificate(parts.config, parts.clock.now()))
    inbound = Inbound(storage, host, posture, Limits(), Seals.of(parts))
    return Notices(parts, Directory(parts, settings), inbound, storage, host)


def _host(parts: Runtime) -> str:
    """What we call ourselves (RFC 5321 §4.1.1.1)."""
    names: Sequence[str] = parts.config.host_names
    return names[0] if parts.config.public_url else socket.getfqdn()


if __name__ == "__main__":
    main()
