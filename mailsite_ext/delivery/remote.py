"""Messages handed to the hosts of one destination (X1-X3, X5): which is tried after which, and what is said of each.

* The next host takes over where one cannot be reached, refuses to talk, or goes away in the middle.
* TLS wherever it is offered.  Where it fails the same host is tried without, unless the destination's policy is
  enforced: then a host without verified TLS gets no mail (RFC 8461 §5).
* Port 587 only where port 25 of no host can be *connected*; it belongs to people who sign in (RFC 6409 §4.3), so
  whatever it refuses is refused for now, and the message stays.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.extension_api import MailError, ServerUnreachable, TlsFailed
from mailsite_ext.delivery.connection import Connection, Dial, Timeouts, Transcript, connected
from mailsite_ext.delivery.route import Hop
from mailsite_ext.protocol.smtp_client import (
    Features,
    HostRefused,
    Mail,
    begin_anew,
    greet,
    hindrance,
    secure,
    transact,
)
from mailsite_ext.replies import Reply
from mailsite_ext.transport_security.tls_results import NO_STARTTLS, TlsSession, result_type

PORT, FALLBACK_PORT = 25, 587
NOBODY_ANSWERS = Reply(451, "4.4.1 no mail server of the domain can be reached")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message for one destination; `key` names it for the caller, `blocks` reads its octets, as often as need be."""

    key: int
    mail: Mail
    blocks: Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The last word on a recipient; `host` said it, or nobody did."""

    reply: Reply
    host: str = ""
    tells_itself: bool = False  # the host knows DSN, and was told what its sender wants to hear


@dataclass(frozen=True, slots=True)
class Handed:
    """What came of it: (parcel key, address) → answer for every recipient, and what was said on the way."""

    answers: Mapping[tuple[int, str], Answer]
    transcript: Sequence[str]
    port_25_blocked: bool = False
    sessions: Sequence[TlsSession] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Courier:
    """What every delivery of this host has in common."""

    name: str  # what we call ourselves
    dial: Dial
    opportunistic: ssl.SSLContext  # takes any certificate: better than no TLS (RFC 7435)
    verifying: ssl.SSLContext
    timeouts: Timeouts = field(default_factory=Timeouts)
    longest_s: float = 2_700  # of one trip, however slow all are: less than a claim lasts

    def hand_over(
        self, hops: Sequence[Hop], parcels: Sequence[Parcel], *, verified_tls: bool, tests_tls: bool = False
    ) -> Handed:
        """Never raises for what another host does.

        `tests_tls`: verified TLS is tried first, and done without where it fails (RFC 8461 §5, mode testing).
        """
        trip = Trip(self, parcels, verified_tls, self._ways(verified_tls=verified_tls, tests_tls=tests_tls))
        trip.go(hops, PORT)
        blocked = trip.dialled and not trip.reached
        if blocked:
            trip.go(hops, FALLBACK_PORT)
        return Handed(trip.answers(), trip.transcript.lines, blocked, trip.sessions)

    def _ways(self, *, verified_tls: bool, tests_tls: bool) -> Sequence[ssl.SSLContext | None]:
        """How TLS is tried, one after the other; None: without."""
        if verified_tls:
            return [self.verifying]
        return [self.verifying, self.opportunistic, None] if tests_tls else [self.opportunistic, None]


class Trip:
    """One way past the hosts of a destination."""

    def __init__(
        self, courier: Courier, parcels: Sequence[Parcel], verified_tls: bool, ways: Sequence[ssl.SSLContext | None]
    ) -> None:
        self._courier = courier
        self._ways = ways
        self._verified_tls = verified_tls
        self._left = list(parcels)
        self._parcels = parcels
        self._answers: dict[tuple[int, str], Answer] = {}
        self._last = Answer(NOBODY_ANSWERS)
        self._until_s = time.monotonic() + courier.longest_s
        self.transcript = Transcript()
        self.sessions: list[TlsSession] = []
        self.dialled = self.reached = False

    def go(self, hops: Sequence[Hop], port: int) -> None:
        for hop in hops:
            if self._left and time.monotonic() < self._until_s:
                self._visit(hop, port)

    def answers(self) -> Mapping[tuple[int, str], Answer]:
        """Whoever got no answer of their own got the last host's, which is temporary."""
        missing = {(parcel.key, to.address): self._last for parcel in self._left for to in parcel.mail.recipients}
        return missing | self._answers

    def _visit(self, hop: Hop, port: int) -> None:
        try:
            link, features = self.opened(hop, port)
        except MailError as error:
            self._note(hop, error)
            return
        try:
            self._deliver(hop, port, link, features)
        except MailError as error:
            self._note(hop, error)
        finally:
            link.close()

    def _note(self, hop: Hop, error: MailError) -> None:
        """Remember why a host got nothing: for now, since another time it may."""
        self.transcript.note(f"- {error.detail}")
        if isinstance(error, HostRefused):
            self._last = Answer(_for_now(error.reply), hop.host)
        elif isinstance(error, TlsFailed):
            self._last = Answer(Reply(451, f"4.7.5 {error.detail}"))
        elif self.reached:
            self._last = Answer(Reply(451, f"4.4.2 {error.detail}"))

    def opened(self, hop: Hop, port: int) -> tuple[Connection, Features]:
        """A greeted connection to the first address that takes one.  Raises what the last one did."""
        failure: MailError = ServerUnreachable(f"{hop.host} has no address")
        for address in hop.addresses:
            try:
                return self.greeted(hop.host, address, port)
            except ServerUnreachable as error:
                failure = error
        raise failure

    def greeted(self, host: str, address: str, port: int) -> tuple[Connection, Features]:
        """TLS as wanted, then less of it; what is counted is the first try."""
        for tls in self._ways[:-1]:
            try:
                return self._greeted_once(host, address, port, tls)
            except TlsFailed:
                less = " verifying it" if tls is self._courier.verifying else ""
                self.transcript.note(f"- TLS failed; once more without{less}")
        return self._greeted_once(host, address, port, self._ways[-1])

    def _greeted_once(
        self, host: str, address: str, port: int, tls: ssl.SSLContext | None
    ) -> tuple[Connection, Features]:
        courier = self._courier
        self.dialled = True
        link = connected(
            host,
            address,
            port,
            dial=courier.dial,
            timeouts=courier.timeouts,
            transcript=self.transcript,
            until_s=self._until_s,
        )
        self.reached = True
        try:
            features = link.run(greet(courier.name))
            return link, self._secured(host, address, link, features, tls) if tls else features
        except BaseException:
            link.close()
            raise

    def _secured(self, host: str, address: str, link: Connection, features: Features, tls: ssl.SSLContext) -> Features:
        is_counted = tls is self._ways[0]
        if "STARTTLS" not in features:
            self._count(TlsSession(host, address, NO_STARTTLS), is_counted=is_counted)
            if self._verified_tls:
                raise TlsFailed(f"{host} offers no STARTTLS, and the domain's policy asks for it")
            return features
        try:
            secured = self._started_tls(host, link, tls)
        except TlsFailed as error:
            failed = TlsSession(host, address, result_type(error.__cause__), error.detail)
            self._count(failed, is_counted=is_counted)
            raise
        self._count(TlsSession(host, address), is_counted=is_counted)
        return secured

    def _started_tls(self, host: str, link: Connection, tls: ssl.SSLContext) -> Features:
        try:
            return link.run(secure(self._courier.name), tls=tls)
        except HostRefused as error:
            raise TlsFailed(f"{host} refuses STARTTLS: {error.reply.code} {error.reply.words}") from None

    def _count(self, session: TlsSession, *, is_counted: bool) -> None:
        if is_counted:
            self.sessions.append(session)

    def _deliver(self, hop: Hop, port: int, link: Connection, features: Features) -> None:
        """All that is left, over one connection; what was answered is no longer left."""
        for number, parcel in enumerate(list(self._left)):
            if number:
                link.run(begin_anew())
            for part in self._parts(parcel, features):
                for address, reply in self._said_of(part, parcel, link, features).items():
                    self._answers[parcel.key, address] = Answer(self.kept(reply, port), hop.host, "DSN" in features)
            self._left.remove(parcel)

    def kept(self, reply: Reply, port: int) -> Reply:
        """What a server's answer means for a recipient."""
        return reply if port == PORT or reply.code < 400 else _for_now(reply)

    def _parts(self, parcel: Parcel, features: Features) -> Iterator[Mail]:
        """The mail for those without an answer, in transactions of as many recipients as the server takes."""
        left = [to for to in parcel.mail.recipients if (parcel.key, to.address) not in self._answers]
        for start in range(0, len(left), features.most_recipients):
            yield replace(parcel.mail, recipients=left[start : start + features.most_recipients])

    def _said_of(self, mail: Mail, parcel: Parcel, link: Connection, features: Features) -> Mapping[str, Reply]:
        if problem := hindrance(mail, features, over_tls=link.over_tls):
            return {to.address: problem for to in mail.recipients}
        return link.run(transact(mail, features), blocks=parcel.blocks)


def _for_now(reply: Reply) -> Reply:
    """An answer that lets us go no further and says nothing of the recipient: whatever its code, the message stays.

    250 for a greeting is such a one too: nothing was delivered.
    """
    if 400 <= reply.code < 500:
        return reply
    return Reply(451, f"4.4.0 {reply.code} {reply.words}")
