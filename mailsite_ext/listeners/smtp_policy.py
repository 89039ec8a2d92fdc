"""What a peer may do on an SMTP listener (O4, O5, O10, T3-T5).  Pure: facts in, an answer or a MailError out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from app.extension_api import MailError
from mailsite_ext.domains.directory import Recipient
from mailsite_ext.errors import (
    AuthenticationRequired,
    BadSequence,
    CommandNotOffered,
    MessageTooLarge,
    NotYourAddress,
    RouteRefused,
    TlsRequired,
    TooManyRecipients,
)
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.sasl import MECHANISMS
from mailsite_ext.protocol.smtp_address import Address, parse_address
from mailsite_ext.protocol.smtp_grammar import MailFrom
from mailsite_ext.settings.posture import ListenerRole, ListenerSpec

_ROUTE = frozenset("@%!")


class KnowsAddresses(Protocol):
    """mailsite_ext.domains.directory.Directory; each may block."""

    def check_domain(self, domain: str) -> None:
        """Raises DomainNotAllowed (O15)."""
        ...

    def find_recipient(self, address: Address) -> Recipient | None:
        """None: nobody's.  Raises DomainNotAllowed, NotLocal."""
        ...

    def remembers(self, address: Address) -> bool:
        """Does find_recipient answer at once?"""
        ...

    def may_send_as(self, mailbox: str, address: Address) -> bool: ...


@dataclass(frozen=True, slots=True)
class Peer:
    """How a peer is connected, as far as anything depends on it."""

    over_tls: bool
    can_start_tls: bool
    from_loopback: bool
    signed_in: bool = False


def extensions(spec: ListenerSpec, peer: Peer, limits: Limits) -> Iterator[str]:
    """The lines of EHLO's reply after the first."""
    yield f"SIZE {limits.message_octets}"
    yield from ("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN", "ENHANCEDSTATUSCODES")
    yield f"LIMITS RCPTMAX={limits.recipients}"  # RFC 9422
    if peer.can_start_tls:
        yield "STARTTLS"
    if peer.over_tls:
        yield "REQUIRETLS"  # RFC 8689 §2: only over TLS
    if offers_sign_in(spec, peer):
        yield "AUTH " + " ".join(MECHANISMS)
    yield "HELP"


def offers_sign_in(spec: ListenerSpec, peer: Peer) -> bool:
    return spec.offers_sign_in(from_loopback=peer.from_loopback, over_tls=peer.over_tls)


def check_sign_in(spec: ListenerSpec, peer: Peer) -> None:
    """Raises TlsRequired where it is offered after STARTTLS, CommandNotOffered where it never is."""
    if offers_sign_in(spec, peer):
        return
    if peer.can_start_tls and spec.offers_sign_in(from_loopback=peer.from_loopback, over_tls=True):
        raise TlsRequired
    raise CommandNotOffered


def check_starttls(peer: Peer) -> None:
    """Raises CommandNotOffered: there is no certificate; BadSequence: TLS is there already (RFC 3207 §4.2)."""
    if peer.over_tls:
        raise BadSequence
    if not peer.can_start_tls:
        raise CommandNotOffered


def check_mail(spec: ListenerSpec, peer: Peer, mail: MailFrom, limits: Limits) -> None:
    """Raises TlsRequired, AuthenticationRequired, MessageTooLarge."""
    if (mail.require_tls or spec.mail_needs_tls) and not peer.over_tls:
        raise TlsRequired
    if ListenerRole.RECEPTION not in spec.roles and not peer.signed_in:
        check_sign_in(spec, peer)
        raise AuthenticationRequired
    if mail.size_octets > limits.message_octets:
        raise MessageTooLarge


def author(text: str) -> Address:
    """An address of a header.  Raises NotYourAddress: what cannot be read is nobody's."""
    try:
        return parse_address(text, utf8=True)
    except MailError:
        raise NotYourAddress from None


def check_recipient(peer: Peer, mail: MailFrom, recipient: Address, others: int, limits: Limits) -> None:
    """Before anybody is looked up.  `others`: recipients taken already.

    Raises RouteRefused for local parts that another server would read as a route to somewhere else, TooManyRecipients
    (a bounce has one recipient: RFC 3464 §2.1 makes one for each sender).
    """
    if _ROUTE & set(recipient.local):
        raise RouteRefused
    most = 1 if mail.sender is None and not peer.signed_in else limits.recipients
    if others >= most:
        raise TooManyRecipients
