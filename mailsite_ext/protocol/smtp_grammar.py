"""What an SMTP client can say, and how one line of it is read: RFC 5321 §4.1 and the extensions.  Pure.

command("MAIL FROM:<a@b.example> SIZE=12") → MailFrom(sender=Address("a", "b.example"), size_octets=12, …)
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

from mailsite_ext.errors import (
    AddressNeedsUtf8,
    BadArgument,
    BadBase64,
    BadChunkSize,
    CommandNotOffered,
    CommandUnknown,
    NotAMailClient,
    UnknownParameter,
)
from mailsite_ext.protocol.smtp_address import Address, parse_address, split_path

AnyCommand = TypeVar("AnyCommand", "MailFrom", "RcptTo")


class Body(StrEnum):
    """BODY=: RFC 6152, RFC 3030."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"
    BINARY = "BINARYMIME"


class Notify(StrEnum):
    """NOTIFY=: RFC 3461 §4.1."""

    NEVER = "NEVER"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


@dataclass(frozen=True, slots=True)
class Hello:
    name: str
    extended: bool  # EHLO


@dataclass(frozen=True, slots=True)
class MailFrom:
    sender: Address | None  # None: the null sender, <>
    size_octets: int = 0  # as declared (RFC 1870); 0: not
    body: Body = Body.SEVEN_BIT
    utf8: bool = False  # RFC 6531
    require_tls: bool = False  # RFC 8689
    ret: str = ""  # FULL or HDRS, RFC 3461 §4.3
    envid: str = ""  # xtext as it came, RFC 3461 §4.4
    auth: str = ""  # xtext as it came, RFC 4954 §5; nobody here believes it


@dataclass(frozen=True, slots=True)
class RcptTo:
    recipient: Address
    notify: frozenset[Notify] = frozenset()
    orcpt: str = ""  # as it came, RFC 3461 §4.2


@dataclass(frozen=True, slots=True)
class Data: ...


@dataclass(frozen=True, slots=True)
class Bdat:
    """RFC 3030 §2; the octets follow the line."""

    octets: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class Auth:
    """RFC 4954 §4; `initial` is decoded, None where there was no initial response."""

    mechanism: str
    initial: bytes | None


@dataclass(frozen=True, slots=True)
class StartTls: ...


@dataclass(frozen=True, slots=True)
class Rset: ...


@dataclass(frozen=True, slots=True)
class Noop: ...


@dataclass(frozen=True, slots=True)
class Vrfy: ...


@dataclass(frozen=True, slots=True)
class Help: ...


@dataclass(frozen=True, slots=True)
class Quit: ...


Command: TypeAlias = Hello | MailFrom | RcptTo | Data | Bdat | Auth | StartTls | Rset | Noop | Vrfy | Help | Quit

_HTTP = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "CONNECT"})
_KNOWN_NOT_OFFERED = frozenset({"EXPN", "TURN", "ETRN", "SEND", "SOML", "SAML", "ATRN", "BURL", "XCLIENT", "XFORWARD"})
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LONGEST_NAME = 255  # RFC 5321 §4.5.3.1.2
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")  # RFC 3461 §4
_BDAT = re.compile(r"([0-9]{1,20})( +LAST)?", re.ASCII | re.IGNORECASE)
_ORCPT = re.compile(r"[A-Za-z0-9-]{1,40};[^\x00-\x20\x7f=]{1,500}")  # RFC 3461 §4.2, RFC 6533 §3


def parse_command(line: bytes, *, extended: bool, utf8: bool) -> Command:
    """One command line, without its CRLF.

    `extended`: EHLO came, so parameters are allowed; `utf8`: SMTPUTF8 holds for this transaction.  Raises a
    BadSmtpCommand, whose class says what is wrong.
    """
    text = _text(line)
    verb, _, argument = text.partition(" ")
    verb, argument = verb.upper(), argument.strip(" \t")
    if verb in _HTTP:
        raise NotAMailClient
    if verb in _KNOWN_NOT_OFFERED:
        raise CommandNotOffered
    if verb not in _PARSERS:
        raise CommandUnknown
    return _PARSERS[verb](argument, extended, utf8)


def _text(line: bytes) -> str:
    """Raises BadArgument where a control character or broken UTF-8 stands in the line (RFC 5321 §4.1.1.1)."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise BadArgument from None
    if _CONTROL.search(line):
        raise BadArgument
    return text


def _helo(argument: str, _extended: bool, _utf8: bool) -> Hello:
    return Hello(_name(argument), extended=False)


def _ehlo(argument: str, _extended: bool, _utf8: bool) -> Hello:
    return Hello(_name(argument), extended=True)


def _name(argument: str) -> str:
    """Any one word: a server must not refuse a client for how it names itself (RFC 5321 §4.1.4)."""
    if not argument or len(argument.encode()) > _LONGEST_NAME:
        raise BadArgument
    return argument.split()[0]


def _mail(argument: str, extended: bool, _utf8: bool) -> MailFrom:
    path, parameters = split_path(_after("FROM:", argument))
    given = _with_parameters(MailFrom(None), parameters, _MAIL_PARAMETERS, extended)
    if not path.isascii() and not given.utf8:
        raise AddressNeedsUtf8
    return replace(given, sender=parse_address(path, utf8=given.utf8) if path else None)


def _rcpt(argument: str, extended: bool, utf8: bool) -> RcptTo:
    path, parameters = split_path(_after("TO:", argument))
    return _with_parameters(RcptTo(parse_address(path, utf8=utf8)), parameters, _RCPT_PARAMETERS, extended)


def _after(keyword: str, argument: str) -> str:
    if argument[: len(keyword)].upper() != keyword:
        raise BadArgument
    return argument[len(keyword) :]


def _with_parameters(
    command: AnyCommand, text: str, known: Mapping[str, tuple[str, Callable[[str], Any]]], extended: bool
) -> AnyCommand:
    """`command` with the parameters in `text`: each at most once, and of EHLO's extensions only after EHLO."""
    if not text:
        return command
    found: dict[str, Any] = {}
    for word in text.split():
        keyword, _, value = word.partition("=")
        if not extended or keyword.upper() not in known:
            raise UnknownParameter
        name, read = known[keyword.upper()]
        if name in found:
            raise BadArgument
        found[name] = read(value)
    return replace(command, **found)


def _size(value: str) -> int:
    """RFC 1870 §6: at most 20 digits."""
    if not value.isdecimal() or not value.isascii() or len(value) > 20:
        raise BadArgument
    return int(value)


def _body(value: str) -> Body:
    try:
        return Body(value.upper())
    except ValueError:
        raise BadArgument from None


def _flag(value: str) -> bool:
    if value:
        raise BadArgument
    return True


def _ret(value: str) -> str:
    if value.upper() not in ("FULL", "HDRS"):
        raise BadArgument
    return value.upper()


def _xtext(value: str) -> str:
    if not value or len(value) > 500 or not _XTEXT.fullmatch(value):
        raise BadArgument
    return value


def _envid(value: str) -> str:
    if len(value) > 100:
        raise BadArgument
    return _xtext(value)


def _auth_of_sender(value: str) -> str:
    return value if value == "<>" else _xtext(value)


def _notify(value: str) -> frozenset[Notify]:
    try:
        wanted = frozenset(Notify(word) for word in value.upper().split(","))
    except ValueError:
        raise BadArgument from None
    if Notify.NEVER in wanted and len(wanted) > 1:
        raise BadArgument
    return wanted


def _orcpt(value: str) -> str:
    if not _ORCPT.fullmatch(value):
        raise BadArgument
    return value


_MAIL_PARAMETERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "SIZE": ("size_octets", _size),
    "BODY": ("body", _body),
    "SMTPUTF8": ("utf8", _flag),
    "REQUIRETLS": ("require_tls", _flag),
    "RET": ("ret", _ret),
    "ENVID": ("envid", _envid),
    "AUTH": ("auth", _auth_of_sender),
}
_RCPT_PARAMETERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "NOTIFY": ("notify", _notify),
    "ORCPT": ("orcpt", _orcpt),
}


def _bdat(argument: str, _extended: bool, _utf8: bool) -> Bdat:
    """Raises BadChunkSize: nobody can tell then what is command and what is message."""
    found = _BDAT.fullmatch(argument)
    if found is None:
        raise BadChunkSize
    return Bdat(int(found[1]), found[2] is not None)


def _auth(argument: str, _extended: bool, _utf8: bool) -> Auth:
    mechanism, _, initial = argument.partition(" ")
    if not mechanism:
        raise BadArgument
    return Auth(mechanism.upper(), decode_initial(initial.strip()) if initial else None)


def decode_initial(text: str) -> bytes:
    """An initial response: "=" stands for an empty one (RFC 4954 §4, RFC 9051 §6.2.2).  Raises BadBase64."""
    return b"" if text == "=" else decode_base64(text)


def decode_base64(text: str | bytes) -> bytes:
    """Strict base64 (RFC 4648 §4).  Raises BadBase64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadBase64 from None


def _bare(command: Command, *, takes_text: bool = False) -> Callable[[str, bool, bool], Command]:
    """A verb without arguments; with `takes_text` any are ignored."""

    def read(argument: str, _extended: bool, _utf8: bool) -> Command:
        if argument and not takes_text:
            raise BadArgument
        return command

    return read


def _vrfy(argument: str, _extended: bool, _utf8: bool) -> Vrfy:
    if not argument:
        raise BadArgument
    return Vrfy()


_PARSERS: Mapping[str, Callable[[str, bool, bool], Command]] = {
    "HELO": _helo,
    "EHLO": _ehlo,
    "MAIL": _mail,
    "RCPT": _rcpt,
    "DATA": _bare(Data()),
    "BDAT": _bdat,
    "AUTH": _auth,
    "STARTTLS": _bare(StartTls()),
    "RSET": _bare(Rset()),
    "NOOP": _bare(Noop(), takes_text=True),
    "VRFY": _vrfy,
    "HELP": _bare(Help(), takes_text=True),
    "QUIT": _bare(Quit()),
}
