"""What can go wrong, as one tree, and the one table from error to HTTP status and words.

MailError
├── ConfigError                  the environment asks for something impossible
├── NotFound                     no such thing, or not yours: the two look the same
│   ├── NoSuchFolder
│   └── NoSuchMessage
├── NotAllowed                   signed in, but not for this
├── TooManyAttempts              throttled; says when to come back
├── SignInBusy                   too many others wait for their passwords to be checked: this one was not looked at
├── BadInput                     what a person typed cannot be used; names the field
├── VaultError                   a seal that does not open
│   └── NoSuchKey
├── ServerUnreachable            nothing to talk to: DNS, TCP, time-out
│   ├── NameNotFound             DNS has no address
│   ├── ConnectionRefused
│   ├── TimedOut
│   ├── AddressRefused           guard E4: a private address the admin has not listed
│   ├── TlsFailed                the certificate's or protocol's fault, in words
│   ├── StarttlsNotOffered
│   ├── NotAMailServer           what answered speaks another protocol
│   └── ConnectionLost           it was there and went away
├── LoginRefused                 with the server's own words
│   └── GrantRevoked             OAuth: the person must consent again
├── TooManyConnections           back off; not a wrong password
├── ActionRefused                a command answered NO, with the server's own words
│   ├── FolderFull               OVERQUOTA
│   └── FolderMissing            TRYCREATE, NONEXISTENT
├── ProtocolError                the peer broke its protocol or one of our bounds
├── SubmissionRefused            SMTP refused the sender or the message for good
├── SubmissionDeferred           SMTP said: not now (4xx); nobody has the message yet
├── FateUnknown                  the message may or may not have been accepted: never sent again unasked
├── DraftConflict                the draft was saved elsewhere meanwhile, or is on its way out
└── EngineSilent                 the mail engine did not answer in time
"""

from __future__ import annotations


class MailError(Exception):
    """The root: every fault Satchel foresees.  `detail` is shown to people: never a secret in it."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class ConfigError(MailError):
    """A variable of the environment cannot be used; `variable` names it."""

    def __init__(self, variable: str, value: str, wanted: str) -> None:
        super().__init__(f"{variable} is {value!r}; it must be {wanted}.")
        self.variable = variable


class NotFound(MailError): ...


class NoSuchFolder(NotFound): ...


class NoSuchMessage(NotFound): ...


class NotAllowed(MailError): ...


class TooManyAttempts(MailError):
    """Throttled; `retry_after_s` seconds until the next try counts."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"{retry_after_s} s")
        self.retry_after_s = retry_after_s


class SignInBusy(MailError): ...


class BadInput(MailError):
    """What was typed cannot be used; `field` names the form field."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class VaultError(MailError): ...


class NoSuchKey(VaultError): ...


class ServerUnreachable(MailError): ...


class NameNotFound(ServerUnreachable): ...


class ConnectionRefused(ServerUnreachable): ...


class TimedOut(ServerUnreachable): ...


class AddressRefused(ServerUnreachable): ...


class TlsFailed(ServerUnreachable): ...


class StarttlsNotOffered(ServerUnreachable): ...


class NotAMailServer(ServerUnreachable): ...


class ConnectionLost(ServerUnreachable): ...


class LoginRefused(MailError): ...


class GrantRevoked(LoginRefused): ...


class TooManyConnections(MailError): ...


class ActionRefused(MailError): ...


class FolderFull(ActionRefused): ...


class FolderMissing(ActionRefused): ...


class ProtocolError(MailError): ...


class SubmissionRefused(MailError): ...


class SubmissionDeferred(MailError): ...


class FateUnknown(MailError): ...


class DraftConflict(MailError): ...


class EngineSilent(MailError): ...


HTTP_STATUS: dict[type[MailError], int] = {
    NotFound: 404,
    NotAllowed: 403,
    TooManyAttempts: 429,
    SignInBusy: 503,
    BadInput: 422,
    LoginRefused: 422,
    ServerUnreachable: 502,
    TooManyConnections: 503,
    ActionRefused: 409,
    EngineSilent: 503,
    SubmissionRefused: 422,
    DraftConflict: 409,
    ProtocolError: 502,
    MailError: 500,
}


def http_status(error: MailError) -> int:
    """The HTTP status of `error`: the nearest class in the table decides."""
    return next(HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in HTTP_STATUS)
