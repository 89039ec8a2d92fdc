"""Notices of a message's fate, delivered to the mailbox of who sent it (RFC 3464 §2, X4)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice

from app.extension_api import MailError, Runtime
from mailsite_ext.delivery import queue
from mailsite_ext.delivery.bounce import MOST_RETURNED_OCTETS, Original, Subject, report, returned
from mailsite_ext.delivery.header import Origin, read_header
from mailsite_ext.delivery.inbound import Arrival, Inbound
from mailsite_ext.delivery.models import QueuedMessage, QueuedRecipient
from mailsite_ext.delivery.queue import ToTell
from mailsite_ext.domains.directory import Directory, Recipient
from mailsite_ext.protocol.smtp_address import parse_address
from mailsite_ext.protocol.smtp_grammar import MailFrom
from mailsite_ext.replies import Reply
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import INBOX, Content

log = logging.getLogger(__name__)


class Notices:
    """Tells senders what is still to be told.  A crash in the middle tells nobody twice: notices have their names."""

    def __init__(
        self, parts: Runtime, directory: Directory, inbound: Inbound, storage: StorageEngine, host: str
    ) -> None:
        self._parts = parts
        self._directory = directory
        self._inbound = inbound
        self._storage = storage
        self._host = host

    def tell(self) -> None:
        """All that waits now.  A mailbox that takes none keeps nobody else's from coming."""
        with self._parts.public.session() as db:
            waiting = queue.find_to_tell(db)
        for one in waiting:
            try:
                self._tell(one)
            except MailError as error:
                log.warning("the notice on message %d waits: %s", one.message.id, error.detail or type(error).__name__)
                continue
            with self._parts.public.session() as db:
                queue.told(db, one)

    def _tell(self, one: ToTell) -> None:
        recipient = self._reader(one.message)
        if recipient is None:
            log.info("nobody here is %s any more: no notice on message %d", one.message.sender, one.message.id)
            return
        if self._has_it(recipient, f"{one.token}@{self._host}"):
            return
        octets = report(
            one.notice, self._original(one), [_subject(each) for each in one.recipients],
            host=self._host, now=self._parts.clock.now(), token=one.token,
        )  # fmt: skip
        origin = Origin(peer="127.0.0.1", hello=self._host, extended=True, login="postmaster")
        arrival = Arrival(MailFrom(None), [recipient], origin, one.token, self._parts.clock.now())
        content = Content(octets, len(octets))
        self._inbound.deliver(arrival, content, read_header(octets, is_whole=True)).result()

    def _reader(self, message: QueuedMessage) -> Recipient | None:
        """Its sender; of what was forwarded whoever has it forwarded, since its sender is a stranger (X4)."""
        if not message.forwarded_for:
            return self._recipient(message.sender)
        found = self._recipient(message.forwarded_for)
        return found if found and found.mailboxes else self._recipient(f"postmaster@{self._directory.domains[0]}")

    def _recipient(self, sender: str) -> Recipient | None:
        try:
            return self._directory.find_recipient(parse_address(sender, utf8=True))
        except MailError:  # its domain is not hosted any more
            return None

    def _has_it(self, recipient: Recipient, message_id: str) -> bool:
        folders = [self._storage.find_folder(hosted.name, INBOX) for hosted in recipient.mailboxes]
        return any(folder and self._storage.find_by_message_id(folder.id, message_id) for folder in folders)

    def _original(self, one: ToTell) -> Original:
        message = one.message
        octets, is_whole = returned(b"".join(self._first(message.id)), message.ret)
        return Original(message.forwarded_for or message.sender, message.queued_at, octets, is_whole, message.envid)

    def _first(self, message_id: int) -> Iterator[bytes]:
        """As much of the message as is looked at: more than goes back, so that a larger one is seen to be larger."""
        blocks = queue.read_blocks(self._parts.public, message_id)
        return islice(blocks, MOST_RETURNED_OCTETS // queue.BLOCK_OCTETS + 1)


def _subject(each: QueuedRecipient) -> Subject:
    return Subject(each.address, Reply(each.code, each.words), each.host, each.orcpt, each.tried_at)
