"""One error, one row: what SMTP and IMAP clients hear.

SMTP replies: RFC 5321 §4.2 with enhanced codes of RFC 3463 and RFC 5248; IMAP response codes: RFC 9051 §7.1, RFC 5530.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.extension_api import LoginRefused, MailError, NoSuchFolder, TooManyAttempts
from mailsite_ext.errors import (
    AuthenticationRequired,
    BadFolderName,
    DomainNotAllowed,
    FolderExists,
    FolderNotEmptied,
    MailboxFull,
    MailLoop,
    MessageTooLarge,
    NoSuchMailbox,
    NotLocal,
    NotYourAddress,
    StorageDamaged,
    StorageFull,
    TlsRequired,
    TooManyRecipients,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply: code, and words that begin with the enhanced status code."""

    code: int
    words: str

    def encode(self) -> bytes:
        return f"{self.code} {self.words}\r\n".encode()


@dataclass(frozen=True, slots=True)
class Wire:
    """The same fault on both wires; `imap` is the tagged response without its tag."""

    smtp: Reply
    imap: str


REPLIES: dict[type[MailError], Wire] = {
    NoSuchMailbox: Wire(Reply(550, "5.1.1 no such mailbox here"), "NO [NONEXISTENT] no such mailbox"),
    NoSuchFolder: Wire(Reply(451, "4.2.0 the folder is gone"), "NO [NONEXISTENT] no such folder"),
    FolderExists: Wire(Reply(451, "4.2.0 the folder exists already"), "NO [ALREADYEXISTS] the folder exists already"),
    BadFolderName: Wire(Reply(451, "4.2.0 bad folder name"), "NO [CANNOT] no folder can have this name"),
    FolderNotEmptied: Wire(Reply(451, "4.2.0 folder in use"), "NO [CANNOT] this folder cannot be removed"),
    MailboxFull: Wire(Reply(452, "4.2.2 the mailbox is full"), "NO [OVERQUOTA] the mailbox is full"),
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
    TooManyAttempts: Wire(Reply(421, "4.7.0 too many wrong passwords, try later"), "NO [LIMIT] try later"),
    TooManyRecipients: Wire(Reply(452, "4.5.3 too many recipients"), "NO [LIMIT] too many recipients"),
    MailLoop: Wire(Reply(554, "5.4.6 the message goes in circles"), "NO [CANNOT] the message goes in circles"),
    MailError: Wire(Reply(451, "4.3.0 a fault here, try later"), "NO [UNAVAILABLE] a fault here, try later"),
}


def smtp_reply(error: MailError) -> Reply:
    """The SMTP reply to `error`: the nearest class in the table decides."""
    return _wire(error).smtp


def imap_reply(error: MailError) -> str:
    """The tagged IMAP response to `error`, without the tag."""
    return _wire(error).imap


def _wire(error: MailError) -> Wire:
    return next(REPLIES[kind] for kind in type(error).__mro__ if kind in REPLIES)
