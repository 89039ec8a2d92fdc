"""One error, one row: what SMTP and IMAP clients hear.

SMTP replies: RFC 5321 §4.2 with enhanced codes of RFC 3463 and RFC 5248; IMAP response codes: RFC 9051 §7.1, RFC 5530.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.extension_api import LoginRefused, MailError, NoSuchFolder, SignInBusy, TimedOut, TooManyAttempts
from mailsite_ext.errors import (
    AddressNeedsUtf8,
    AddressTooLong,
    AuthenticationRequired,
    BadAddress,
    BadArgument,
    BadBase64,
    BadChunkSize,
    BadDomain,
    BadFolderName,
    BadSasl,
    BadSequence,
    BareLineEnding,
    BouncedLately,
    ComeAgainLater,
    CommandLineTooLong,
    CommandNotOffered,
    CommandUnknown,
    DomainNotAllowed,
    FolderExists,
    FolderNotEmptied,
    HeaderTooLarge,
    JunkNotForwarded,
    LineEndsInLf,
    LoginCancelled,
    MailboxFull,
    MailLoop,
    MechanismUnknown,
    MessageTooLarge,
    NoAuthor,
    NoSuchMailbox,
    NotAMailClient,
    NotLocal,
    NotYourAddress,
    NulInMessage,
    OutboundNotSetUp,
    PeerListed,
    QueueUnavailable,
    RefusedByPolicy,
    RouteRefused,
    SearchTooLong,
    SenderTakesNoMail,
    SendingLimitReached,
    SignedOut,
    Stopping,
    StorageDamaged,
    StorageFull,
    TextLineTooLong,
    TlsRequired,
    TooManyBadCommands,
    TooManyFolders,
    TooManyKeywords,
    TooManyMessages,
    TooManyRecipients,
    TooManyReports,
    TooMuchBeforeLogin,
    UnknownParameter,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply: code, and words that begin with the enhanced status code; a line of words for each line sent."""

    code: int
    words: str

    def encode(self) -> bytes:
        *first, last = self.words.splitlines() or [""]
        return "".join([*(f"{self.code}-{line}\r\n" for line in first), f"{self.code} {last}\r\n"]).encode()


@dataclass(frozen=True, slots=True)
class Wire:
    """The same fault on both wires; `imap` is the tagged response without its tag."""

    smtp: Reply
    imap: str


DETAIL = "{}"
"""Where in the words of a reply the error's own stand."""

REPLIES: dict[type[MailError], Wire] = {
    NoSuchMailbox: Wire(Reply(550, "5.1.1 no such mailbox here"), "NO [NONEXISTENT] no such mailbox"),
    NoSuchFolder: Wire(Reply(451, "4.2.0 the folder is gone"), "NO [NONEXISTENT] no such folder"),
    FolderExists: Wire(Reply(451, "4.2.0 the folder exists already"), "NO [ALREADYEXISTS] the folder exists already"),
    BadFolderName: Wire(Reply(451, "4.2.0 bad folder name"), "NO [CANNOT] no folder can have this name"),
    FolderNotEmptied: Wire(Reply(451, "4.2.0 folder in use"), "NO [CANNOT] this folder cannot be removed"),
    MailboxFull: Wire(Reply(452, "4.2.2 the mailbox is full"), "NO [OVERQUOTA] the mailbox is full"),
    TooManyFolders: Wire(Reply(451, "4.2.0 too many folders"), "NO [LIMIT] the mailbox has as many folders as it can"),
    TooManyMessages: Wire(Reply(451, "4.3.0 too many messages"), "NO [LIMIT] too many messages at once, take fewer"),
    SearchTooLong: Wire(Reply(451, "4.3.0 too slow"), "NO [LIMIT] this search took too long, narrow it or try later"),
    TooManyKeywords: Wire(Reply(451, "4.2.0 too many keywords"), "NO [LIMIT] too many keywords in this folder"),
    StorageFull: Wire(Reply(452, "4.3.1 no space left here, try later"), "NO [LIMIT] no space left here, try later"),
    StorageDamaged: Wire(Reply(451, "4.3.0 storage fault, try later"), "NO [SERVERBUG] this message cannot be read"),
    MessageTooLarge: Wire(Reply(552, "5.3.4 the message is too large"), "NO [TOOBIG] the message is too large"),
    NotLocal: Wire(Reply(550, "5.7.1 mail for that domain is not taken here"), "NO [CANNOT] not a local address"),
    NotYourAddress: Wire(Reply(550, "5.7.1 that sender address is not yours"), "NO [NOPERM] not your address"),
    DomainNotAllowed: Wire(
        Reply(550, "5.1.2 a full domain name is needed (only Test Mail Mode takes others)"), "NO [CANNOT] bad domain"
    ),
    TlsRequired: Wire(Reply(530, "5.7.0 STARTTLS first"), "NO [PRIVACYREQUIRED] STARTTLS first"),
    AuthenticationRequired: Wire(Reply(530, "5.7.0 sign in first"), "NO [AUTHORIZATIONFAILED] sign in first"),
    LoginRefused: Wire(Reply(535, "5.7.8 wrong name or password"), "NO [AUTHENTICATIONFAILED] wrong name or password"),
    SignedOut: Wire(Reply(421, "4.7.0 signed out: closed, or another password"), "BYE signed out"),
    SignInBusy: Wire(
        Reply(454, "4.7.0 too many sign in at this moment, try again in a minute"),
        "NO [UNAVAILABLE] too many sign in at this moment, try again in a minute",
    ),
    TooManyAttempts: Wire(Reply(421, "4.7.0 too many attempts to sign in, try later"), "NO [LIMIT] try later"),
    TooManyRecipients: Wire(Reply(452, "4.5.3 too many recipients"), "NO [LIMIT] too many recipients"),
    MailLoop: Wire(Reply(554, "5.4.6 the message goes in circles"), "NO [CANNOT] the message goes in circles"),
    PeerListed: Wire(Reply(550, f"5.7.1 {DETAIL}"), "NO [CANNOT] refused by a block list"),
    ComeAgainLater: Wire(
        Reply(450, "4.7.1 greylisted: the first mail to this address waits, try again in 5 minutes"),
        "NO [LIMIT] try later",
    ),
    RefusedByPolicy: Wire(
        Reply(550, "5.7.1 the policy of the domain in From says to refuse this (DMARC)"), "NO [CANNOT] refused by DMARC"
    ),
    SenderTakesNoMail: Wire(Reply(550, "5.7.27 the sender's domain takes no mail"), "NO [CANNOT] no way to answer"),
    CommandUnknown: Wire(Reply(500, "5.5.1 unknown command"), "BAD unknown command"),
    CommandNotOffered: Wire(Reply(502, "5.5.1 not offered here"), "NO [CANNOT] not offered here"),
    CommandLineTooLong: Wire(Reply(500, "5.5.2 the line is too long"), "BAD [TOOBIG] the line is too long"),
    LineEndsInLf: Wire(Reply(500, "5.5.2 a line ends in CR LF"), "BAD a line ends in CR LF"),
    BadSequence: Wire(Reply(503, "5.5.1 not at this point"), "BAD not at this point"),
    BadArgument: Wire(Reply(501, "5.5.4 bad argument"), "BAD bad argument"),
    BadBase64: Wire(Reply(501, "5.5.2 that is not base64"), "BAD that is not base64"),
    MechanismUnknown: Wire(Reply(504, "5.5.4 unknown way to sign in"), "NO [CANNOT] unknown way to sign in"),
    UnknownParameter: Wire(Reply(555, "5.5.4 unknown parameter"), "BAD unknown parameter"),
    BadAddress: Wire(Reply(501, "5.1.3 bad address"), "NO [CANNOT] bad address"),
    AddressTooLong: Wire(Reply(501, "5.1.3 the address is too long"), "NO [CANNOT] the address is too long"),
    BadDomain: Wire(Reply(501, "5.1.2 bad domain name"), "NO [CANNOT] bad domain name"),
    AddressNeedsUtf8: Wire(Reply(553, "5.6.7 such an address needs SMTPUTF8"), "NO [CANNOT] bad address"),
    RouteRefused: Wire(Reply(550, "5.7.1 no routes through here"), "NO [CANNOT] bad address"),
    BadChunkSize: Wire(Reply(421, "4.5.0 BDAT without a size, closing"), "BAD bad argument"),
    NotAMailClient: Wire(Reply(421, "4.7.0 this is a mail server, closing"), "BYE this is a mail server"),
    TooManyBadCommands: Wire(Reply(421, "4.7.0 too many errors, closing"), "BYE too many errors"),
    BareLineEnding: Wire(Reply(500, "5.5.2 CR or LF alone in the message"), "NO [CANNOT] CR or LF alone"),
    NulInMessage: Wire(Reply(554, "5.6.0 NUL in the message"), "NO [CANNOT] NUL in the message"),
    TextLineTooLong: Wire(Reply(554, "5.6.0 a line of the message is too long"), "NO [TOOBIG] a line is too long"),
    BadSasl: Wire(Reply(501, "5.5.2 that makes no sense in this exchange"), "BAD that makes no sense in this exchange"),
    LoginCancelled: Wire(Reply(501, "5.7.0 broken off"), "BAD broken off"),
    HeaderTooLarge: Wire(Reply(552, "5.3.4 the header is too large"), "NO [TOOBIG] the header is too large"),
    NoAuthor: Wire(Reply(554, "5.6.0 the From field cannot be read"), "NO [CANNOT] the From field cannot be read"),
    Stopping: Wire(Reply(421, "4.3.2 going down, try later"), "BYE going down, try later"),
    TooMuchBeforeLogin: Wire(Reply(421, "4.7.0 too much said, closing"), "BYE too much before login"),
    TimedOut: Wire(Reply(421, "4.4.2 too slow, closing"), "BYE too slow, closing"),
    QueueUnavailable: Wire(
        Reply(451, "4.3.0 the delivery queue cannot be written, try later"), "NO [UNAVAILABLE] try later"
    ),
    TooManyReports: Wire(Reply(452, "4.3.1 too many reports wait to be read, try later"), "NO [UNAVAILABLE] try later"),
    SendingLimitReached: Wire(
        Reply(450, f"4.7.1 this mailbox may send to {DETAIL} and has, try later"), "NO [LIMIT] try later"
    ),
    JunkNotForwarded: Wire(Reply(550, "5.7.1 it looks like junk, and such is not forwarded"), "NO [CANNOT] junk"),
    BouncedLately: Wire(
        Reply(550, f"5.1.1 {DETAIL} (the outbox on the web lets you send all the same)"), "NO [CANNOT] it bounced"
    ),
    OutboundNotSetUp: Wire(Reply(550, "5.7.1 delivery to other servers is not set up here"), "NO [CANNOT] not local"),
    MailError: Wire(Reply(451, "4.3.0 a fault here, try later"), "NO [UNAVAILABLE] a fault here, try later"),
}


def smtp_reply(error: MailError) -> Reply:
    """The SMTP reply to `error`: the nearest class in the table decides."""
    reply = _wire(error).smtp
    return replace(reply, words=reply.words.replace(DETAIL, error.detail))


def imap_reply(error: MailError) -> str:
    """The tagged IMAP response to `error`, without the tag."""
    return _wire(error).imap


def _wire(error: MailError) -> Wire:
    return next(REPLIES[kind] for kind in type(error).__mro__ if kind in REPLIES)
