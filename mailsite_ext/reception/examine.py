"""Asking about a message from outside: SPF, DKIM, ARC and DMARC, on one budget of DNS look-ups and seconds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from app.extension_api import Clock, Outcome, Resolver
from mailsite_ext.authentication import arc, dkim, dmarc, spf
from mailsite_ext.authentication.authors import author_domains, author_organizations, organization
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.override import by_forwarders
from mailsite_ext.authentication.raw_message import RawField, read_message
from mailsite_ext.authentication.spf_record import is_spf
from mailsite_ext.delivery.inbound import Arrival
from mailsite_ext.domains.directory import Hosted
from mailsite_ext.errors import BadSmtpCommand
from mailsite_ext.junk.score import Judgement
from mailsite_ext.protocol.address_lists import parse_addresses
from mailsite_ext.protocol.smtp_address import Address, canonical_domain
from mailsite_ext.reception.findings import Findings


class KnowsTrusted(Protocol):
    """mailsite_ext.trusted_senders.service.TrustedSenders."""

    def trusting(self, people: Collection[int], author: Address) -> Collection[int]:
        """Those of `people`, by their ids, on whose list the author is (T6)."""
        ...


class JudgesJunk(Protocol):
    """mailsite_ext.junk.judging.JunkFilters."""

    def judge(self, mailboxes: Collection[str], message: bytes) -> Mapping[str, Judgement]:
        """By mailbox; `message`: its first octets will do."""
        ...


class Examiner:
    """One for each process.  `host`: what we are called."""

    def __init__(
        self,
        resolver: Resolver,
        clock: Clock,
        host: str,
        trusted: KnowsTrusted,
        junk: JudgesJunk,
        forwarders: Collection[str] = (),
    ) -> None:
        """`forwarders`: domains whose word on what passed DMARC before they changed it counts (A4)."""
        self._resolver = resolver
        self._clock = clock
        self._host = host
        self._trusted = trusted
        self._junk = junk
        self._forwarders = forwarders

    def examine(self, arrival: Arrival, blocks: Callable[[], Iterable[bytes]]) -> Findings:
        """May wait, for DNS as long as the budget lasts.  `blocks` gives the message as it came, each time anew.

        Whom it is about is asked first: what a stranger's DNS uses up of the budget is then only their own loss.
        Who sends in the name of the author's domain is looked at before signatures, a stranger after them.
        """
        dns, sender = DnsBudget(self._resolver, self._clock), arrival.mail.sender
        fields, _body = read_message(blocks())
        domains = list(author_domains(fields))
        dmarc.find_policy(domains, dns)
        junk = self._junk.judge({hosted.name for hosted in _people(arrival)}, next(iter(blocks()), b""))
        trusted_by, publishes = self._trusting(arrival, find_author(fields), junk, dns)
        is_authors_own = organization(sender.domain if sender else arrival.origin.hello) in author_organizations(fields)
        own = self._check_sender(arrival, dns) if is_authors_own else None
        signed = dkim.verify(blocks(), dns, arrival.received_at)
        sent = own or self._check_sender(arrival, dns)
        chain = arc.verify_chain(blocks(), dns)
        verdict = by_forwarders(dmarc.evaluate(domains, sent, signed, dns), chain, self._forwarders)
        return Findings(
            spf=sent,
            dkim=signed,
            arc=chain,
            dmarc=verdict,
            trusted_by=trusted_by,
            junk=junk,
            author_publishes=publishes or verdict.result is not dmarc.DmarcResult.NONE,
            takes_no_mail=sender is not None and has_null_mx(sender.domain, dns),
        )

    def _check_sender(self, arrival: Arrival, dns: DnsBudget) -> spf.SpfVerdict:
        origin, sender, at = arrival.origin, arrival.mail.sender, arrival.received_at
        return spf.check_sender(origin.peer, origin.hello, sender, dns, received_by=self._host, at=at)

    def _trusting(
        self, arrival: Arrival, author: Address | None, junk: Mapping[str, Judgement], dns: DnsBudget
    ) -> tuple[Collection[int], bool]:
        """Who trusts the author, and whether their domain publishes SPF; asked where that may count."""
        people = {hosted.user_id for hosted in _people(arrival)}
        is_doubted = not arrival.origin.tls or any(judgement.is_junk for judgement in junk.values())
        trusting = self._trusted.trusting(people, author) if author and people and is_doubted else ()
        return trusting, author is not None and bool(trusting) and publishes_spf(author.domain, dns)


def _people(arrival: Arrival) -> Iterator[Hosted]:
    for recipient in arrival.recipients:
        yield from recipient.mailboxes


def find_author(fields: Sequence[RawField]) -> Address | None:
    """The one address of the one From; None for any other number, and for what is no address."""
    froms = [field for field in fields if field.name == "from"]
    addresses = [found for found in _addresses(froms) if found[1]]
    if len(froms) != 1 or len(addresses) != 1:
        return None
    local, host = addresses[0]
    try:
        return Address(local, canonical_domain(host))
    except BadSmtpCommand:
        return None


def _addresses(froms: Sequence[RawField]) -> Iterator[tuple[str, str]]:
    for field in froms:
        for one in parse_addresses(field.value):
            yield (one.mailbox or b"").decode("utf-8", "replace"), (one.host or b"").decode("utf-8", "replace")


def publishes_spf(domain: str, dns: DnsBudget) -> bool:
    """Also where DNS does not say that it does not."""
    answer = dns.lookup(domain, "TXT")
    return answer.outcome is Outcome.NO_ANSWER or any(is_spf(text) for text in answer.records)


def has_null_mx(domain: str, dns: DnsBudget) -> bool:
    """RFC 7505 §3: one MX record, of preference 0, that names the root."""
    return [record.split() for record in dns.lookup(domain, "MX").records] == [["0", "."]]
