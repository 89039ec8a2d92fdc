"""Sending from a hosted mailbox in the webmail: people here get it at once, others by the delivery queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.extension_api import Clock, Envelope, MailError, Reply, SubmissionDeferred, SubmissionRefused
from mailsite_ext.delivery.header import Field, Origin, read_header
from mailsite_ext.delivery.inbound import Arrival, Inbound
from mailsite_ext.delivery.outbound import DeliveryQueue
from mailsite_ext.delivery.verdict import JUNK
from mailsite_ext.domains.directory import Directory, Recipient
from mailsite_ext.errors import MailboxFull, NoSuchMailbox, NotYourAddress
from mailsite_ext.protocol.smtp_address import Address, parse_address
from mailsite_ext.protocol.smtp_grammar import MailFrom, RcptTo
from mailsite_ext.replies import smtp_reply
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import INBOX, Content


class LocalSubmitter:
    """MailSubmitter of one mailbox; see there for what is raised and promised."""

    def __init__(
        self, mailbox: str, directory: Directory, inbound: Inbound, outbound: DeliveryQueue, storage: StorageEngine,
        clock: Clock, host: str,
    ) -> None:  # fmt: skip
        self._mailbox = mailbox
        self._outbound = outbound
        self._directory = directory
        self._inbound = inbound
        self._storage = storage
        self._clock = clock
        self._host = host

    def submit(self, envelope: Envelope, message: bytes) -> Mapping[str, Reply]:
        """Idempotent: who has a message of this Message-ID already gets no second one.

        All get it in one step; where a mailbox among them is full, each by themselves, and that one is refused for now.
        """
        sender, fields = self._sender(envelope), self._fields(message)
        local, outside, refused = self._sorted(envelope)
        new = {address: each for address, each in local.items() if not self._has_it(each, fields)}
        mail = MailFrom(sender, len(message), utf8=envelope.needs_smtputf8)
        origin = Origin(peer="127.0.0.1", hello=self._host, extended=True, login=self._mailbox)
        arrival = Arrival(mail, list(new.values()), origin, envelope.id, self._clock.now())
        if new:
            refused |= self._deliver(arrival, new, fields, message)
        if outside:
            self._queue(arrival, outside, fields, message)
        return refused

    def _sorted(self, envelope: Envelope) -> tuple[dict[str, Recipient], list[RcptTo], dict[str, Reply]]:
        """People here, those elsewhere, and what is nobody's address."""
        local: dict[str, Recipient] = {}
        outside: list[RcptTo] = []
        refused: dict[str, Reply] = {}
        for address in envelope.recipients:
            try:
                parsed = parse_address(address, utf8=True)
                if self._directory.is_local(parsed):
                    local[address] = self._recipient(parsed)
                else:
                    self._directory.check_domain(parsed.domain)
                    self._outbound.check(self._mailbox, parsed, len(outside), envelope.id)
                    outside.append(RcptTo(parsed))
            except MailError as error:
                refused[address] = _reply(error)
        return local, outside, refused

    def _queue(self, arrival: Arrival, outside: Sequence[RcptTo], fields: Sequence[Field], message: bytes) -> None:
        """Into the delivery queue, after the copies for people here: until it is there, all is tried again."""
        try:
            self._outbound.take(arrival, outside, Content(message, len(message)), fields)
        except MailError as error:
            raise SubmissionDeferred(str(_reply(error))) from error

    def _fields(self, message: bytes) -> Sequence[Field]:
        """Raises SubmissionRefused for a header that is too large."""
        try:
            return read_header(message, is_whole=True)
        except MailError as error:
            raise SubmissionRefused(str(_reply(error))) from error

    def _sender(self, envelope: Envelope) -> Address:
        """Raises SubmissionRefused for an address that is not the mailbox's."""
        try:
            sender = parse_address(envelope.mail_from, utf8=True)
            if not self._directory.may_send_as(self._mailbox, sender):
                raise NotYourAddress
        except MailError as error:
            raise SubmissionRefused(str(_reply(error))) from error
        return sender

    def _recipient(self, address: Address) -> Recipient:
        found = self._directory.find_recipient(address)
        if found is None or found.takes_bounces_alone:
            raise NoSuchMailbox(str(address))
        return found

    def _has_it(self, recipient: Recipient, fields: Sequence[Field]) -> bool:
        ids = [field.value.decode("utf-8", "replace").strip("<> ") for field in fields if field.name == "message-id"]
        kept = [hosted for hosted in recipient.mailboxes if hosted.keeps_copy or not hosted.forward_to]
        return bool(ids and kept) and all(self._holds(hosted.name, ids[0]) for hosted in kept)

    def _holds(self, mailbox: str, message_id: str) -> bool:
        try:
            folders = [self._storage.find_folder(mailbox, name) for name in (INBOX, JUNK)]
        except NoSuchMailbox:
            return False
        return any(folder and self._storage.find_by_message_id(folder.id, message_id) for folder in folders)

    def _deliver(
        self, arrival: Arrival, new: Mapping[str, Recipient], fields: Sequence[Field], message: bytes
    ) -> dict[str, Reply]:
        """Who did not get it.  Raises SubmissionDeferred, SubmissionRefused: nobody has it then."""
        try:
            self._store(arrival, fields, message)
        except MailboxFull as error:
            if len(new) == 1:
                return dict.fromkeys(new, _reply(error))
            return self._deliver_singly(arrival, new, fields, message)
        except MailError as error:
            reply = _reply(error)
            raise (SubmissionDeferred if reply.is_temporary else SubmissionRefused)(str(reply)) from error
        return {}

    def _deliver_singly(
        self, arrival: Arrival, new: Mapping[str, Recipient], fields: Sequence[Field], message: bytes
    ) -> dict[str, Reply]:
        refused = {}
        for address, recipient in new.items():
            try:
                if not self._has_it(recipient, fields):  # by another of the addresses
                    self._store(replace(arrival, recipients=[recipient]), fields, message)
            except MailError as error:  # others may have it by now
                refused[address] = _reply(error)
        return refused

    def _store(self, arrival: Arrival, fields: Sequence[Field], message: bytes) -> None:
        self._inbound.deliver(arrival, Content(message, len(message)), fields).result()


def _reply(error: MailError) -> Reply:
    said = smtp_reply(error)
    return Reply(said.code, said.words)
