"""Mail handed to a relay (smarthost), the way out where a network closes port 25.

TLS that proves the relay's name comes before anything else, then signing in.  What the relay says of a recipient is
final.  It is the relay that looks for the recipient's servers and honours their MTA-STS policy; nothing here can see
whether it does.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.extension_api import MailError, TlsFailed
from mailsite_ext.delivery.connection import Connection, Timeouts, connected
from mailsite_ext.delivery.relay_tls import RelayTls
from mailsite_ext.delivery.remote import Courier, Handed, Parcel, Trip
from mailsite_ext.delivery.route import Hop
from mailsite_ext.protocol.smtp_client import Features, HostRefused, begin_with_tls, greet, secure
from mailsite_ext.protocol.smtp_client_auth import Login, sign_in
from mailsite_ext.replies import Reply

PROBE_TIMEOUTS = Timeouts(connect_s=8, answer_s=8, block_s=8, last_answer_s=8)
PROBE_LONGEST_S = 25


@dataclass(frozen=True, slots=True)
class Relay:
    """Where it is, and what opens it; `hop` has addresses that were checked this moment (E4)."""

    hop: Hop
    port: int
    tls: RelayTls
    login: Login | None


@dataclass(frozen=True, slots=True)
class Probe:
    """`problem` empty: mail could be handed over."""

    problem: str
    transcript: Sequence[str]


def hand_to_relay(courier: Courier, relay: Relay, parcels: Sequence[Parcel]) -> Handed:
    """As Courier.hand_over."""
    trip = _RelayTrip(courier, relay, parcels)
    trip.go([relay.hop], relay.port)
    return Handed(trip.answers(), trip.transcript.lines)


def probe(courier: Courier, relay: Relay) -> Probe:
    """Connect, secure, sign in and leave again."""
    quick = replace(courier, timeouts=PROBE_TIMEOUTS, longest_s=PROBE_LONGEST_S)
    trip = _RelayTrip(quick, relay, [])
    try:
        link, _features = trip.opened(relay.hop, relay.port)
    except MailError as error:
        said = f"{error.reply.code} {error.reply.words}" if isinstance(error, HostRefused) else error.detail
        return Probe(said, trip.transcript.lines)
    link.close()
    return Probe("", trip.transcript.lines)


class _RelayTrip(Trip):
    def __init__(self, courier: Courier, relay: Relay, parcels: Sequence[Parcel]) -> None:
        super().__init__(courier, parcels, True, [courier.verifying])
        self._relay = relay
        self._ends_s = time.monotonic() + courier.longest_s

    def kept(self, reply: Reply, port: int) -> Reply:
        return reply

    def greeted(self, host: str, address: str, port: int) -> tuple[Connection, Features]:
        courier = self._courier
        link = connected(
            host, address, port, dial=courier.dial, timeouts=courier.timeouts, transcript=self.transcript,
            until_s=self._ends_s,
        )  # fmt: skip
        self.dialled = self.reached = True
        try:
            features = self._secured_first(link, host)
            if self._relay.login is not None:
                link.run(sign_in(self._relay.login, features, secrets.token_urlsafe(24)))
        except BaseException:
            link.close()
            raise
        return link, features

    def _secured_first(self, link: Connection, host: str) -> Features:
        courier = self._courier
        if self._relay.tls is RelayTls.IMPLICIT:
            link.run(begin_with_tls(), tls=courier.verifying)
            return link.run(greet(courier.name))
        if "STARTTLS" not in link.run(greet(courier.name)):
            raise TlsFailed(f"{host} offers no STARTTLS: nothing is said to a relay without TLS")
        return link.run(secure(courier.name), tls=courier.verifying)
