"""What the engine opens for an account whose source is `mailsite`: the mailbox of its owner."""

from __future__ import annotations

import os
import threading
from functools import partial

from sqlalchemy.orm import Session

from app.extension_api import Host, MailAccount, MailSource, MailSubmitter, Runtime
from mailsite_ext.delivery.inbound import Inbound
from mailsite_ext.delivery.outbound import DeliveryQueue
from mailsite_ext.domains.directory import Directory, Hosted, find_by_user
from mailsite_ext.domains.sources import SOURCE
from mailsite_ext.errors import NoSuchMailbox
from mailsite_ext.forwarding.forwarder import Forwarder
from mailsite_ext.limits import Limits
from mailsite_ext.reception.seals import Seals
from mailsite_ext.settings.certificate import load_certificate
from mailsite_ext.settings.posture import effective_posture
from mailsite_ext.settings.service import load_settings
from mailsite_ext.storage.bells import FolderBells
from mailsite_ext.storage.first_use import ensure_mailbox
from mailsite_ext.storage.open import open_storage
from mailsite_ext.webmail.source import StorageSource
from mailsite_ext.webmail.submitter import LocalSubmitter
from mailsite_ext.webmail.verification import verify

_lock = threading.Lock()
_bells: dict[tuple[int, int], tuple[Runtime, FolderBells]] = {}
"""By process and runtime, which is kept: its number would be given again."""


def register_webmail(host: Host) -> None:
    host.add_mail_source(SOURCE, lambda switches: switches.hosting, open_source)
    host.add_nearby_bodies(SOURCE, open_source)
    host.add_submitter(SOURCE, make_submitter)
    host.add_verifier(SOURCE, verify)


def open_source(parts: Runtime, account_id: int) -> MailSource:
    """Raises NoSuchMailbox for an account whose owner has none, or a closed one."""
    with parts.public.session() as db:
        settings = load_settings(db)
        account = db.get(MailAccount, account_id)
        hosted = _hosted(db, account.owner_id if account else 0)
    storage = open_storage(parts, settings)
    ensure_mailbox(storage, hosted.name)
    return StorageSource(storage, hosted.name, partial(_bells_of, parts), parts.clock)


def make_submitter(parts: Runtime, account: MailAccount) -> MailSubmitter:
    with parts.public.session() as db:
        settings = load_settings(db)
        hosted = _hosted(db, account.owner_id)
    storage, host = open_storage(parts, settings), parts.config.host_names[0]
    posture = effective_posture(settings, load_certificate(parts.config, parts.clock.now()))
    directory, outbound = Directory(parts, settings), DeliveryQueue(parts, host, Limits())
    forwards = Forwarder(parts, directory, outbound)
    inbound = Inbound(storage, host, posture, Limits(), Seals.of(parts), forwards=forwards)
    return LocalSubmitter(hosted.name, directory, inbound, outbound, storage, parts.clock, host)


def _hosted(db: Session, user_id: int) -> Hosted:
    found = find_by_user(db, user_id)
    if found is None:
        raise NoSuchMailbox
    return found


def _bells_of(parts: Runtime) -> FolderBells:
    """One ear on the bus for all mailboxes of the process."""
    with _lock:
        key = (os.getpid(), id(parts))
        if key not in _bells:
            _bells[key] = parts, FolderBells(parts.bus)
        return _bells[key][1]
