"""Carrying a SASL exchange between a client, whatever protocol it speaks, and the directory."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

from app.extension_api import LoginRefused, MailError, SignInBusy
from mailsite_ext.domains.directory import Hosted
from mailsite_ext.domains.scram import Keys, Verifier
from mailsite_ext.protocol.sasl import Challenge, CheckPassword, Exchange, FindVerifier, SignedIn, begin

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)

_threads = ThreadPoolExecutor(4, "sign-in")
"""Its own: whoever waits for argon2 keeps no lookup of a recipient waiting."""
_places = threading.BoundedSemaphore(64)
"""For who waits with a password to be checked: one in a second or less; who finds none is told at once."""


class KnowsLogins(Protocol):
    """mailsite_ext.domains.logins.Logins; each may block, and raises LoginRefused, TooManyAttempts or SignInBusy."""

    def check_password(self, login: str, password: str, peer: str) -> Hosted: ...

    def find_verifier(self, login: str, peer: str) -> Verifier: ...

    def finish_scram(self, login: str, keys: Keys | None, peer: str) -> Hosted: ...

    def still_opens(self, hosted: Hosted) -> bool: ...


@contextmanager
def _place() -> Iterator[None]:
    """Raises SignInBusy."""
    if not _places.acquire(blocking=False):
        raise SignInBusy
    try:
        yield
    finally:
        _places.release()


class SignIn:
    """One AUTH or AUTHENTICATE.  `step` gives the next challenge (not yet base64), or the mailbox that is open now."""

    def __init__(self, logins: KnowsLogins, peer: str, mechanism: str) -> None:
        """Raises MechanismUnknown."""
        self._logins = logins
        self._peer = peer
        self._exchange: Exchange = begin(mechanism, nonce=secrets.token_urlsafe(24))
        self._hosted: Hosted | None = None
        self._scram_login: str | None = None

    async def start(self, initial: bytes | None) -> bytes | Hosted:
        """`initial`: the client's initial response, decoded; None: it sent none.  Raises as `step` does."""
        first = next(self._exchange)
        if initial is None:
            return first.data if isinstance(first, Challenge) else b""
        return await self.step(initial)

    async def step(self, response: bytes) -> bytes | Hosted:
        """Raises LoginRefused (counted by the directory), TooManyAttempts, SignInBusy, BadSasl."""
        given: bytes | bool | Verifier = response
        try:
            while True:
                wanted = self._exchange.send(given)
                if isinstance(wanted, Challenge):
                    return wanted.data
                given = await self._look_up(wanted)
        except StopIteration as done:
            return await self._finish(done.value)
        except LoginRefused:
            if self._scram_login is not None:
                await self._ask(lambda: self._logins.finish_scram(self._scram_login or "", None, self._peer))
            raise

    async def _look_up(self, wanted: CheckPassword | FindVerifier) -> bool | Verifier:
        if isinstance(wanted, CheckPassword):
            login, password = wanted.login, wanted.password
            with _place():
                self._hosted = await self._ask(lambda: self._logins.check_password(login, password, self._peer))
            return True
        self._scram_login = login = wanted.login
        return await self._ask(lambda: self._logins.find_verifier(login, self._peer))

    async def _finish(self, who: SignedIn) -> Hosted:
        if self._hosted is not None:
            return self._hosted
        return await self._ask(lambda: self._logins.finish_scram(who.login, who.keys, self._peer))

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        """A fault of ours, such as a database on a full disk, is said like any other.  Raises MailError."""
        try:
            return await asyncio.get_running_loop().run_in_executor(_threads, question)
        except MailError:
            raise
        except Exception:
            log.exception("nobody can sign in: a fault of ours")
            raise MailError from None
