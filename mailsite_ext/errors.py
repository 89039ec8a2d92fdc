"""What can go wrong in hosting mail, below app.errors.MailError; `replies.py` says each in SMTP and in IMAP.

MailError
├── NotFound
│   ├── NoSuchMailbox            nobody here has that address
│   ├── NoSuchSigningKey         a domain has no such DKIM key
│   └── NoSuchFolder             (app.errors)
├── FolderExists                 a folder of that name is there already
├── BadFolderName                a name no folder can have
├── FolderNotEmptied             INBOX, or a folder with others below it, cannot be removed so
├── MailboxFull                  over its quota
├── TooManyFolders               a mailbox has as many as it can have
├── TooManyKeywords              a folder has as many as it can have
├── TooManyMessages              for one command
├── SearchTooLong                no index knew enough, and reading everything takes too long
├── StorageFull                  the disk is: try again later
├── StorageDamaged               bytes on disk are not those that were written
├── StorageElsewhere             this storage belongs to another machine (N2)
├── MessageTooLarge
├── NotLocal                     never a relay: the recipient is not hosted here
├── NotYourAddress               signed in, but sending as somebody else
├── DomainNotAllowed             a single-label or literal domain outside Test Mail Mode (O15)
├── TlsRequired                  not without TLS (T4, T5)
├── AuthenticationRequired
├── SignedOut                    what opened this session opens nothing any more
├── TooManyRecipients
├── MailLoop
├── PeerListed                   a DNS block list has its address
├── ComeAgainLater               greylisted
├── RefusedByPolicy              the domain of its From asks to refuse it, and DMARC is enforced (A4)
├── SenderTakesNoMail            a null MX at the domain of MAIL FROM (RFC 7505)
├── BadSmtpCommand               an SMTP client said what cannot be taken; some of these in a row end the session
│   ├── CommandUnknown
│   ├── CommandNotOffered        known to the world, not done here
│   ├── CommandLineTooLong
│   ├── LineEndsInLf             a command without its CR (RFC 5321 §2.3.8)
│   ├── BadSequence              not now
│   ├── BadArgument
│   ├── BadBase64
│   ├── MechanismUnknown         of AUTH
│   ├── UnknownParameter         of MAIL or RCPT
│   ├── BadAddress
│   ├── AddressTooLong
│   ├── BadDomain
│   ├── AddressNeedsUtf8         not ASCII, and SMTPUTF8 was not said (RFC 6531)
│   ├── RouteRefused             source routes, % and quoted @: ways to make a relay of us
│   ├── BadChunkSize             BDAT without a size: what follows cannot be told apart
│   └── NotAMailClient           speaks HTTP
├── TooManyBadCommands
├── BareLineEnding               a CR or LF alone in a message (SMTP smuggling)
├── NulInMessage
├── TextLineTooLong
├── BadSasl                      the client broke the grammar of a SASL mechanism
├── LoginCancelled               the client broke off AUTH with "*"
├── HeaderTooLarge               of a message
├── NoAuthor                     a From that is missing, doubled or cannot be read
├── Stopping                     this listener is
├── TooMuchBeforeLogin           a stranger that talks and talks
├── OutboundNotSetUp             mail to the world, where nobody delivers it
├── QueueUnavailable             the delivery queue cannot be written now
├── SendingLimitReached          a mailbox sent to as many recipients elsewhere as it may
├── JunkNotForwarded             an alias leads elsewhere, and the message looks like junk
├── BouncedLately                the address said lately, and for good, that it takes no mail
├── KeyAlreadyComing             a DKIM key waits to be published: one at a time
├── SigningKeyInUse              it signs: another must first
├── CannotBind                   a port of this machine cannot be had, and what to do
└── (ConnectionLost, TooManyAttempts, SignInBusy, LoginRefused of app.errors)
"""

from __future__ import annotations

from app.extension_api import MailError, NotFound


class NoSuchMailbox(NotFound): ...


class NoSuchSigningKey(NotFound): ...


class KeyAlreadyComing(MailError): ...


class SigningKeyInUse(MailError): ...


class FolderExists(MailError): ...


class BadFolderName(MailError): ...


class FolderNotEmptied(MailError): ...


class MailboxFull(MailError): ...


class TooManyFolders(MailError): ...


class TooManyKeywords(MailError): ...


class TooManyMessages(MailError): ...


class SearchTooLong(MailError): ...


class StorageFull(MailError): ...


class StorageDamaged(MailError): ...


class StorageElsewhere(MailError): ...


class MessageTooLarge(MailError): ...


class NotLocal(MailError): ...


class NotYourAddress(MailError): ...


class DomainNotAllowed(MailError): ...


class TlsRequired(MailError): ...


class SignedOut(MailError): ...


class AuthenticationRequired(MailError): ...


class TooManyRecipients(MailError): ...


class MailLoop(MailError): ...


class PeerListed(MailError): ...


class ComeAgainLater(MailError): ...


class RefusedByPolicy(MailError): ...


class SenderTakesNoMail(MailError): ...


class CannotBind(MailError): ...


class BadSmtpCommand(MailError): ...


class CommandUnknown(BadSmtpCommand): ...


class CommandNotOffered(BadSmtpCommand): ...


class CommandLineTooLong(BadSmtpCommand): ...


class LineEndsInLf(BadSmtpCommand): ...


class BadSequence(BadSmtpCommand): ...


class BadArgument(BadSmtpCommand): ...


class BadBase64(BadSmtpCommand): ...


class MechanismUnknown(BadSmtpCommand): ...


class UnknownParameter(BadSmtpCommand): ...


class BadAddress(BadSmtpCommand): ...


class AddressTooLong(BadSmtpCommand): ...


class BadDomain(BadSmtpCommand): ...


class AddressNeedsUtf8(BadSmtpCommand): ...


class RouteRefused(BadSmtpCommand): ...


class BadChunkSize(BadSmtpCommand): ...


class NotAMailClient(BadSmtpCommand): ...


class TooManyBadCommands(MailError): ...


class BareLineEnding(MailError): ...


class NulInMessage(MailError): ...


class TextLineTooLong(MailError): ...


class BadSasl(MailError): ...


class LoginCancelled(MailError): ...


class OutboundNotSetUp(MailError): ...


class QueueUnavailable(MailError): ...


class SendingLimitReached(MailError): ...


class BouncedLately(MailError): ...


class JunkNotForwarded(MailError): ...


class TooManyReports(MailError): ...


class HeaderTooLarge(MailError): ...


class NoAuthor(MailError): ...


class Stopping(MailError): ...


class TooMuchBeforeLogin(MailError): ...
