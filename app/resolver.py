"""DNS, passed in: *no answer* and *no record* are different results, and answers carry the authenticated-data bit.

dnspython is imported with the first question: many processes never ask one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dns.resolver import Resolver as StubResolver


class Outcome(StrEnum):
    FOUND = "found"
    NO_RECORD = "no-record"  # the name exists, or not, and has none of these records: an answer
    NO_NAME = "no-name"  # NXDOMAIN: an answer too
    NO_ANSWER = "no-answer"  # time-out or SERVFAIL: nothing is known


@dataclass(frozen=True, slots=True)
class Answer:
    """Records in presentation form (RFC 1035 §5.1), TXT strings already joined without spaces (RFC 7208 §3.3)."""

    outcome: Outcome
    records: Sequence[str] = ()
    authenticated: bool = False


class Resolver(Protocol):
    """Never raises for DNS faults: the outcome says what happened.  Blocks at most `timeout_s`."""

    def lookup(self, name: str, record_type: str, *, timeout_s: float = 5.0) -> Answer: ...


class DnsResolver:
    """dnspython's stub resolver; `name_server` is "address" or "address:port", empty for the system's."""

    def __init__(self, name_server: str = "") -> None:
        self._name_server = name_server

    @cached_property
    def _resolver(self) -> StubResolver:
        import dns.flags
        import dns.resolver

        name_server = self._name_server
        made = dns.resolver.Resolver(configure=not name_server)
        if name_server:
            host, _, port = name_server.rpartition(":") if name_server.count(":") == 1 else (name_server, "", "53")
            made.nameservers = [host]
            made.port = int(port)
        made.use_edns(0, dns.flags.DO, 1232)
        return made

    def lookup(self, name: str, record_type: str, *, timeout_s: float = 5.0) -> Answer:
        import dns.exception
        import dns.flags
        import dns.resolver

        try:
            found = self._resolver.resolve(name, record_type, lifetime=timeout_s, search=False)
        except dns.resolver.NXDOMAIN:
            return Answer(Outcome.NO_NAME)
        except dns.resolver.NoAnswer:
            return Answer(Outcome.NO_RECORD)
        except (dns.exception.DNSException, UnicodeError):
            return Answer(Outcome.NO_ANSWER)
        authenticated = bool(found.response.flags & dns.flags.AD)
        return Answer(Outcome.FOUND, [_text_of(record) for record in found], authenticated)


def _text_of(record: object) -> str:
    strings = getattr(record, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("ascii", "surrogateescape")
    return str(record)


class ZoneResolver:
    """A zone as a mapping, for tests: {("example.org", "MX"): ["10 mx.example.org."]}; a missing name is NXDOMAIN."""

    def __init__(self, zone: Mapping[tuple[str, str], Sequence[str]], silent: Sequence[str] = ()) -> None:
        self._zone = {(name.rstrip(".").lower(), kind): list(records) for (name, kind), records in zone.items()}
        self._silent = {name.rstrip(".").lower() for name in silent}

    def lookup(self, name: str, record_type: str, *, timeout_s: float = 5.0) -> Answer:
        key = name.rstrip(".").lower()
        if key in self._silent:
            return Answer(Outcome.NO_ANSWER)
        if (key, record_type) in self._zone:
            return Answer(Outcome.FOUND, self._zone[key, record_type])
        known = any(name == key for name, _ in self._zone)
        return Answer(Outcome.NO_RECORD if known else Outcome.NO_NAME)
