"""Signing in from a mail client: by an app password, or by the login password where no second factor guards it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.extension_api import (
    AttemptLimit,
    LoginRefused,
    Runtime,
    SignInBusy,
    TooManyAttempts,
    User,
    UserState,
    Way,
    account_key,
    check_limits,
    check_login_password,
    count_attempt,
    forget_attempt,
    record_failure,
    server_secret,
)
from mailsite_ext.domains.app_passwords import canonical, is_app_password
from mailsite_ext.domains.directory import Hosted, find_by_name, find_by_user, find_named
from mailsite_ext.domains.models import AppPassword, Mailbox
from mailsite_ext.domains.names import fold
from mailsite_ext.domains.scram import Keys, Verifier, decoy
from mailsite_ext.limits import Limits
from mailsite_ext.settings.values import Settings

USED_STEP = timedelta(minutes=5)  # how stale "last used" may be: not a write per login
LONGEST_LOGIN = 320  # no address is longer (RFC 5321 §4.5.3.1)
PROVED_S = 600.0
PROVED_KEPT = 4_096
LONGEST_WAIT_S = 30
_argon2_turn = threading.Lock()
"""One argon2 at a time in a listener's process: each takes 64 MiB."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens a mailbox: its app passwords, and the login password where it counts."""

    mailbox: Hosted
    verifier: Verifier
    password_hash: str | None  # None: none, or a second factor guards it

    @property
    def throttle_key(self) -> str:
        """The same for each of the mailbox's names."""
        return f"client-mailbox:{self.mailbox.id}"

    @property
    def names(self) -> frozenset[str]:
        """Of all that opens it, for Hosted.opened_by."""
        passwords = {_name_of(keys) for keys in self.verifier.keys}
        return frozenset(passwords | ({_name_of_hash(self.password_hash)} if self.password_hash else set()))


class Logins:
    """Who signs in.  Every method may wait for the database or for argon2: asyncio calls them in a thread.

    A login is an address of the mailbox, its name alone, or the address its person signs in to the web with.  Unknown
    names cost the same work and look the same as wrong passwords.
    """

    def __init__(self, parts: Runtime, settings: Settings, limits: Limits, way: Way) -> None:
        """`way`: what admins read that a failed sign-in came over."""
        self._parts = parts
        self._way = way
        self._domains = settings.hosted_domains
        self._limits = limits
        self._proved: dict[bytes, float] = {}
        self._proof_key = secrets.token_bytes(32)
        self._decoy_secret = server_secret(parts.private, "mail-login")

    def check_password(self, login: str, password: str, peer: str) -> Hosted:
        """The mailbox that `password`, sent whole (PLAIN, LOGIN), opens.  `peer`: the client's IP address.

        Raises LoginRefused, TooManyAttempts after as many as Limits.bad_logins, and SignInBusy, which is no attempt
        (RFC 4954 §4, RFC 5530 §3).
        """
        opening = self._look_up(login, peer)
        with self._recorded(opening, login, peer):
            return self._check(opening, login, password, peer)

    def _check(self, opening: Opening | None, login: str, password: str, peer: str) -> Hosted:
        check = self._app_password if is_app_password(password) else self._login_password
        opened_by = check(opening, login, password, peer)
        if opened_by is None or opening is None:
            raise LoginRefused
        return replace(opening.mailbox, opened_by=opened_by)

    def find_verifier(self, login: str, peer: str) -> Verifier:
        """What SCRAM verifies `login` with; for who has no app password, one that nothing fits.

        Raises TooManyAttempts.
        """
        opening = self._look_up(login, peer)
        return self._verifier(opening, login)

    def finish_scram(self, login: str, keys: Keys | None, peer: str) -> Hosted:
        """The mailbox that an exchange opens whose proof fits `keys`; None: it failed, which is counted.

        Raises LoginRefused, TooManyAttempts.
        """
        opening = self._look_up(login, peer)
        if opening is None or keys is None:
            with self._recorded(opening, login, peer):
                self._count_failure(opening, login, peer)
                raise LoginRefused
        self._note_use(keys, peer)
        return replace(opening.mailbox, opened_by=_name_of(keys))

    def still_opens(self, hosted: Hosted) -> bool:
        """Would what opened `hosted` open it now: open mailbox, active person, the same password, not revoked?"""
        with self._parts.public.session() as db:
            opening = find_opening(db, hosted.name, self._domains)
        return opening is not None and hosted.opened_by in opening.names

    def _verifier(self, opening: Opening | None, login: str) -> Verifier:
        return opening.verifier if opening and opening.verifier.keys else decoy(fold(login), self._decoy_secret)

    def _look_up(self, login: str, peer: str) -> Opening | None:
        """Raises TooManyAttempts."""
        with self._parts.public.session() as db:
            opening = find_opening(db, login, self._domains)
        with self._recorded(opening, login, peer), self._parts.public.session() as db:
            check_limits(db, self._attempt_limits(opening, login, peer), self._parts.clock.now())
        return opening

    @contextmanager
    def _recorded(self, opening: Opening | None, login: str, peer: str) -> Iterator[None]:
        """A failure is noted for the admins; a name that is nobody's is not."""
        try:
            yield
        except (LoginRefused, TooManyAttempts):
            name, limits = opening.mailbox.name if opening else "", self._attempt_limits(opening, login, peer)
            with self._parts.public.session() as db:
                record_failure(db, self._way, name, limits, self._parts.clock.now())
            raise

    def _app_password(self, opening: Opening | None, login: str, password: str, peer: str) -> str | None:
        keys = self._verifier(opening, login).check_password(canonical(password))
        if keys is None:
            self._count_failure(opening, login, peer)
            return None
        self._note_use(keys, peer)
        return _name_of(keys)

    def _login_password(self, opening: Opening | None, login: str, password: str, peer: str) -> str | None:
        """Counted before it is tried, so that a hundred at the same instant see each other."""
        stored = opening.password_hash if opening else None
        proof = hmac.digest(self._proof_key, f"{stored}\0{password}".encode(), "sha256")
        if stored and self._proved.get(proof, 0.0) > self._parts.clock.monotonic_s():
            return _name_of_hash(stored)
        limits = self._attempt_limits(opening, login, peer)
        with self._parts.public.session() as db:
            attempt = count_attempt(db, limits, self._parts.clock.now())
        try:
            is_right = _in_turn(stored, password)
        except SignInBusy:
            self._forget(attempt)
            raise
        if not is_right or stored is None:
            return None
        self._forget(attempt)
        self._remember(proof)
        return _name_of_hash(stored)

    def _forget(self, attempt: Sequence[int]) -> None:
        with self._parts.public.session() as db:
            forget_attempt(db, attempt)

    def _remember(self, proof: bytes) -> None:
        """Argon2 said yes: the next connections of the same client need not ask again.  A new hash, a new proof."""
        if len(self._proved) >= PROVED_KEPT:
            self._proved.clear()
        self._proved[proof] = self._parts.clock.monotonic_s() + PROVED_S

    def _count_failure(self, opening: Opening | None, login: str, peer: str) -> None:
        with self._parts.public.session() as db:
            count_attempt(db, self._attempt_limits(opening, login, peer), self._parts.clock.now())

    def _attempt_limits(self, opening: Opening | None, login: str, peer: str) -> tuple[AttemptLimit, AttemptLimit]:
        window = timedelta(seconds=self._limits.bad_logins_window_s)
        name = opening.throttle_key if opening else "client-" + account_key(fold(login))
        return (
            AttemptLimit(name, self._limits.bad_logins, window),
            AttemptLimit(network_key(peer), self._limits.bad_logins, window),
        )

    def _note_use(self, keys: Keys, peer: str) -> None:
        now = self._parts.clock.now()
        stale = or_(AppPassword.last_used_at.is_(None), AppPassword.last_used_at < now - USED_STEP)
        used = update(AppPassword).where(AppPassword.id == keys.id, stale)
        with self._parts.public.session() as db:
            db.execute(used.values(last_used_at=now, last_address=peer[:45]))
            db.commit()


def network_key(peer: str) -> str:
    """The key of a client's network: an IPv4 /24, an IPv6 /64."""
    try:
        address = ip_address(peer)
    except ValueError:
        return "client-network:unknown"
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return f"client-network:{ip_network((address, 24 if address.version == 4 else 64), strict=False)}"


def find_opening(db: Session, login: str, domains: tuple[str, ...]) -> Opening | None:
    """What opens the mailbox of `login`; None: nobody's, closed, or its person may not sign in."""
    mailbox = _find_mailbox(db, login, domains)
    if mailbox is None:
        return None
    person = select(User.password_hash, User.sealed_totp, Mailbox.scram_salt, Mailbox.scram_iterations)
    row = db.execute(
        person.join(Mailbox, Mailbox.user_id == User.id).where(Mailbox.id == mailbox.id, User.state == UserState.ACTIVE)
    ).one_or_none()
    if row is None:
        return None
    kept = select(AppPassword.id, AppPassword.stored_key, AppPassword.server_key)
    keys = [Keys(*found) for found in db.execute(kept.where(AppPassword.mailbox_id == mailbox.id))]
    return Opening(mailbox, Verifier(row[2], row[3], tuple(keys)), row[0] if row[1] is None else None)


def _find_mailbox(db: Session, login: str, domains: tuple[str, ...]) -> Hosted | None:
    """By an address that leads to this mailbox alone, by its name, by the address of its person."""
    if not login.isprintable() or len(login) > LONGEST_LOGIN:
        return None
    local, at, domain = login.strip().rpartition("@")
    if not at:
        return find_by_name(db, fold(domain))
    named = find_named(db, fold(local), domain.lower()) if domain.lower() in domains else ()
    if len(named) == 1:
        return named[0]
    user_id = db.scalar(select(User.id).where(User.email == login.strip().lower()))
    return find_by_user(db, user_id) if user_id is not None else None


def _name_of(keys: Keys) -> str:
    return f"app password {keys.id}"


def _name_of_hash(stored: str) -> str:
    return "login password " + hashlib.sha256(stored.encode()).hexdigest()


def _in_turn(stored: str | None, password: str) -> bool:
    """Is it the login password?  As slow for nobody's.  Raises SignInBusy while too many others wait."""
    if not _argon2_turn.acquire(timeout=LONGEST_WAIT_S):
        raise SignInBusy
    try:
        return check_login_password(stored, password)
    finally:
        _argon2_turn.release()
