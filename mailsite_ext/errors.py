"""What can go wrong in hosting mail, below app.errors.MailError; `replies.py` says each in SMTP and in IMAP.

MailError
├── NotFound
│   ├── NoSuchMailbox            nobody here has that address
│   └── NoSuchFolder             (app.errors)
├── FolderExists                 a folder of that name is there already
├── BadFolderName                a name no folder can have
├── FolderNotEmptied             INBOX, or a folder with others below it, cannot be removed so
├── MailboxFull                  over its quota
├── StorageFull                  the disk is: try again later
├── StorageDamaged               bytes on disk are not those that were written
├── StorageElsewhere             this storage belongs to another machine (N2)
├── MessageTooLarge
├── NotLocal                     never a relay: the recipient is not hosted here
├── NotYourAddress               signed in, but sending as somebody else
├── DomainNotAllowed             a single-label or literal domain outside Test Mail Mode (O15)
├── TlsRequired                  not without TLS (T4, T5)
├── AuthenticationRequired
├── TooManyRecipients
├── MailLoop
├── CannotBind                   a port of this machine cannot be had, and what to do
└── (ConnectionLost, TooManyAttempts, LoginRefused of app.errors)
"""

from __future__ import annotations

from app.extension_api import MailError, NotFound


class NoSuchMailbox(NotFound): ...


class FolderExists(MailError): ...


class BadFolderName(MailError): ...


class FolderNotEmptied(MailError): ...


class MailboxFull(MailError): ...


class StorageFull(MailError): ...


class StorageDamaged(MailError): ...


class StorageElsewhere(MailError): ...


class MessageTooLarge(MailError): ...


class NotLocal(MailError): ...


class NotYourAddress(MailError): ...


class DomainNotAllowed(MailError): ...


class TlsRequired(MailError): ...


class AuthenticationRequired(MailError): ...


class TooManyRecipients(MailError): ...


class MailLoop(MailError): ...


class CannotBind(MailError): ...
