"""Mail for addresses here that lead elsewhere: into the delivery queue with a sender of ours, its content untouched.

What stands below our own Received is as it came, so the author's DKIM signatures hold (RFC 6376 §3.4).  Delivered-To
names the address here, so a message that comes round is known (check_loops).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

from app.extension_api import Runtime
from mailsite_ext.delivery.header import Field
from mailsite_ext.delivery.inbound import Arrival, Forward
from mailsite_ext.delivery.queue import Submission
from mailsite_ext.domains.directory import Directory
from mailsite_ext.forwarding.key import SrsKey
from mailsite_ext.forwarding.srs import rewrite
from mailsite_ext.protocol.smtp_address import Address, parse_address
from mailsite_ext.protocol.smtp_grammar import MailFrom, Notify, RcptTo
from mailsite_ext.storage.values import Content, Stored

THREADS = 2


class TakesForwards(Protocol):
    """mailsite_ext.delivery.outbound.DeliveryQueue."""

    def take_forward(
        self, submission: Submission, arrival: Arrival, content: Content, fields: Sequence[Field]
    ) -> None: ...


class Forwarder:
    """See inbound.Forwards; one for each process that takes mail."""

    def __init__(self, parts: Runtime, directory: Directory, queue: TakesForwards) -> None:
        self._parts = parts
        self._directory = directory
        self._queue = queue
        self._key = SrsKey(parts.config)
        self._threads = ThreadPoolExecutor(THREADS, "forwards")

    def take(
        self, arrival: Arrival, forwards: Sequence[Forward], content: Content, fields: Sequence[Field],
        then: Callable[[], Sequence[Stored]],
    ) -> Future[Sequence[Stored]]:  # fmt: skip
        """First into the queue, where one message is taken once: a copy that fails then is the lesser evil."""
        submissions = list(self._submissions(arrival, forwards))  # here, so that a sender too long is refused at once
        return self._threads.submit(self._take, submissions, arrival, content, fields, then)

    def _take(
        self, submissions: Sequence[Submission], arrival: Arrival, content: Content, fields: Sequence[Field],
        then: Callable[[], Sequence[Stored]],
    ) -> Sequence[Stored]:  # fmt: skip
        for submission in submissions:
            self._queue.take_forward(submission, arrival, content, fields)
        return then()

    def _submissions(self, arrival: Arrival, forwards: Sequence[Forward]) -> Iterator[Submission]:
        """One for each address here, since each has a Delivered-To of its own."""
        for number, address in enumerate(dict.fromkeys(forward.address for forward in forwards)):
            of_it = [forward for forward in forwards if forward.address == address]
            targets = dict.fromkeys(forward.target for forward in of_it)
            rcpts = [RcptTo(parse_address(target, utf8=True), frozenset({Notify.FAILURE})) for target in targets]
            yield Submission(
                f"forward:{arrival.id}:{number}", of_it[0].mailbox, self._mail(arrival.mail, address), rcpts,
                forwarded_for=str(address),
            )  # fmt: skip

    def _mail(self, mail: MailFrom, address: Address) -> MailFrom:
        """Bounces have no sender and keep none; people here send as themselves, which SPF allows us."""
        sender = mail.sender
        if sender is None or self._directory.is_local(sender):
            return replace(mail, ret="", envid="")
        domain = address.domain or self._directory.domains[0]
        rewritten = rewrite(sender, domain, self._key.octets(), self._parts.clock.now())
        return replace(mail, sender=rewritten, ret="", envid="")
