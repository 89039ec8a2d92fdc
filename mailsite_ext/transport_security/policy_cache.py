"""Policies of domains mail is sent to: fetched over HTTPS, kept in SQL, honoured while they last (RFC 8461 §5, X5)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any, TypeAlias

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.extension_api import Bounds, GuardPolicy, MailError, Outcome, Runtime, client_context, guarded_get, row_count
from mailsite_ext.authentication.budget import is_askable
from mailsite_ext.transport_security.models import KeptPolicy
from mailsite_ext.transport_security.mta_sts import LONGEST_POLICY_OCTETS, BadPolicy, Policy, parse_policy, record_id

log = logging.getLogger(__name__)

PATH = "/.well-known/mta-sts.txt"
REFRESHED_AFTER = timedelta(days=1)
BACK_OFF = timedelta(minutes=5)  # RFC 8461 §3.3
UNUSED = timedelta(days=180)
NOTED_AFTER = timedelta(days=1)  # that a policy is used is not written for each message
ANYWHERE = GuardPolicy(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))

FetchPolicy: TypeAlias = Callable[[str], bytes]
"""The octets a domain serves as its policy.  Raises MailError."""


@dataclass(frozen=True, slots=True)
class PolicyFetcher:
    """GET https://mta-sts.<domain>/.well-known/mta-sts.txt, verified for that name, and no redirect (RFC 8461 §3.3).

    Under `reaches_private`, Test Mail Mode, loopback and private addresses too.
    """

    parts: Runtime
    reaches_private: bool
    port: int = 443
    timeout_s: float = 60.0

    def __call__(self, domain: str) -> bytes:
        """Raises MailError, also for an answer that is no text."""
        bounds = Bounds(LONGEST_POLICY_OCTETS, self.timeout_s, types=("text/plain",), schemes=("https",))
        fetched = guarded_get(
            ANYWHERE if self.reaches_private else GuardPolicy(),
            self.parts.resolver,
            f"https://mta-sts.{domain}:{self.port}{PATH}",
            bounds,
            ssl_context=client_context(self.parts.config.tls_ca_file),
        )
        if fetched.status != 200:
            raise MailError(f"the policy's server answered {fetched.status}")
        return fetched.body


class PolicyCache:
    """`policy_of` is the World's: which policy holds for mail to a domain now."""

    def __init__(self, parts: Runtime, fetch: FetchPolicy) -> None:
        self._parts = parts
        self._fetch = fetch

    def policy_of(self, domain: str) -> Policy | None:
        """None: it has none, or none that can be had, and none is kept.

        What is kept and has not run out holds whatever DNS and the policy's server say (RFC 8461 §5.1): whoever can
        silence those must not be able to switch it off.
        """
        if not is_askable(domain):
            return None
        now = self._parts.clock.now()
        with self._parts.public.session() as db:
            kept = db.get(KeptPolicy, domain) or KeptPolicy(domain=domain, record_id="", octets=b"", used_at=now)
            _note_use(db, kept, now)
        named = self._named(domain)
        if not named or not _is_due(kept, named, now):
            return held(kept, now)
        return self._refresh(domain, named, kept, now)

    def _named(self, domain: str) -> str | None:
        """The id its record gives; None: no record, or no answer."""
        answer = self._parts.resolver.lookup(f"_mta-sts.{domain}", "TXT")
        return record_id(answer.records) if answer.outcome is Outcome.FOUND else None

    def _refresh(self, domain: str, named: str, kept: KeptPolicy, now: datetime) -> Policy | None:
        """Fetch it anew.  A policy that cannot be had or read leaves the one that is kept as it is."""
        try:
            octets = self._fetch(domain)
            policy = parse_policy(octets)
        except (MailError, BadPolicy) as error:
            log.warning("the MTA-STS policy of %s cannot be had: %s", domain, error)
            self._store(domain, now, failed_at=now)
            return held(kept, now)
        self._store(domain, now, record_id=named, octets=octets, fetched_at=now, failed_at=None)
        return policy

    def _store(self, domain: str, now: datetime, **values: Any) -> None:
        with self._parts.public.session() as db:
            db.execute(delete(KeptPolicy).where(KeptPolicy.used_at < now - UNUSED))
            change = update(KeptPolicy).where(KeptPolicy.domain == domain).values(used_at=now, **values)
            if not row_count(db.execute(change)):
                db.add(KeptPolicy(domain=domain, used_at=now, **values))
            try:
                db.commit()
            except IntegrityError:  # another process had the same idea: what it stored is as fresh
                db.rollback()


def held(kept: KeptPolicy, now: datetime) -> Policy | None:
    """The kept policy, if it was ever had and its max_age has not passed."""
    if kept.fetched_at is None:
        return None
    policy = parse_policy(kept.octets)
    return policy if now < kept.fetched_at + timedelta(seconds=policy.max_age_s) else None


def _is_due(kept: KeptPolicy, named: str, now: datetime) -> bool:
    """Is it to be fetched: new, changed, or a day old; and not just after it could not be had?"""
    if kept.failed_at is not None and now < kept.failed_at + BACK_OFF:
        return False
    if kept.fetched_at is None or kept.record_id != named or held(kept, now) is None:
        return True
    return now >= kept.fetched_at + REFRESHED_AFTER


def _note_use(db: Session, kept: KeptPolicy, now: datetime) -> None:
    if kept.used_at < now - NOTED_AFTER:
        db.execute(update(KeptPolicy).where(KeptPolicy.domain == kept.domain).values(used_at=now))
        db.commit()
