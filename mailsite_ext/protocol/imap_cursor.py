"""The words of IMAP's grammar, read one after the other (RFC 9051 §9).  Pure.

Every method raises BadCommand, without a tag, where the text is something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import TypeVar

from mailsite_ext.protocol.folder_names import decode_name
from mailsite_ext.protocol.imap_limits import BadCommand, ImapLimits
from mailsite_ext.protocol.sequence_sets import SequenceSet, parse_set

T = TypeVar("T")

SPACE = re.compile(rb" +")  # one is right; more are common
ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
ASTRING = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+')
LIST_MAILBOX = re.compile(rb'[^\x00-\x20\x7f-\xff(){"\\]+')
QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00]|\\["\\])*+)"')
ESCAPE = re.compile(rb"\\(.)")
LITERAL = re.compile(rb"(~?)\{([0-9]+)(\+?)\}\r\n")
NIL = re.compile(rb"NIL(?=[ )]|\Z)", re.IGNORECASE)
NUMBER = re.compile(rb"[0-9]{1,20}")
SET = re.compile(rb"[0-9*:,]+|\$")
FLAG = re.compile(rb'\\?[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
DATE = re.compile(rb'"?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})"?')
DATE_TIME = re.compile(
    rb'"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
SYSTEM_FLAGS = {flag.lower(): flag for flag in ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")}


@dataclass(frozen=True, slots=True)
class RawCommand:
    """A command's lines as one: each literal stands as `{n}` and a CRLF, its octets in `literals`, in order.

    Of a message that is passed on in chunks the octets are missing.
    """

    text: bytes
    literals: tuple[bytes, ...] = ()


class Cursor:
    """Where a parser stands in a command.  `utf8`: names of folders and quoted strings are UTF-8 (RFC 6855 §3)."""

    def __init__(self, raw: RawCommand, limits: ImapLimits, *, utf8: bool = False) -> None:
        self.text = raw.text
        self.at = 0
        self.limits = limits
        self.utf8 = utf8
        self.search_keys_left = limits.search_keys
        self._literals = iter(raw.literals)
        self._nesting = 0

    def find(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Step over `pattern` if it is next."""
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def get(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        match = self.find(pattern)
        if match is None:
            raise BadCommand(f"expected {what} at octet {self.at}")
        return match

    def space(self) -> None:
        self.get(SPACE, "a space")

    def has_space(self) -> bool:
        return self.find(SPACE) is not None

    def peek(self, octet: bytes) -> bool:
        return self.text.startswith(octet, self.at)

    def skip(self, octet: bytes) -> bool:
        if not self.peek(octet):
            return False
        self.at += len(octet)
        return True

    def expect(self, octet: bytes) -> None:
        if not self.skip(octet):
            raise BadCommand(f"expected {octet.decode()} at octet {self.at}")

    @property
    def is_at_end(self) -> bool:
        return self.at >= len(self.text)

    def end(self) -> None:
        self.find(SPACE)
        if not self.is_at_end:
            raise BadCommand(f"unexpected text at octet {self.at}")

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Around whatever may hold itself."""
        self._nesting += 1
        if self._nesting > self.limits.nesting:
            raise BadCommand("too deeply nested", code="LIMIT")
        yield
        self._nesting -= 1

    def word(self) -> str:
        """An atom in capitals: the name of a command, an item, an option."""
        return self.get(ATOM, "a word")[0].decode("ascii").upper()

    def number(self, longest: int = 4_294_967_295) -> int:
        number = int(self.get(NUMBER, "a number")[0])
        if number > longest:
            raise BadCommand("a number is too large")
        return number

    def number64(self) -> int:
        return self.number((1 << 63) - 1)

    def positive(self) -> int:
        number = self.number()
        if not number:
            raise BadCommand("a number is 0")
        return number

    def find_string(self) -> bytes | None:
        """Quoted or literal."""
        if (quoted := self.find(QUOTED)) is not None:
            return self._unquoted(quoted[1])
        if (announced := self.find(LITERAL)) is not None:
            literal = next(self._literals, None)
            if not isinstance(literal, bytes):
                raise BadCommand("a message stands where none can")
            if b"\0" in literal and not announced[1]:
                raise BadCommand("a literal has a NUL octet")
            return literal
        return None

    def _unquoted(self, content: bytes) -> bytes:
        return ESCAPE.sub(rb"\1", content) if b"\\" in content else content

    def string(self) -> bytes:
        found = self.find_string()
        if found is None:
            raise BadCommand(f"expected a string at octet {self.at}")
        return found

    def nstring(self) -> bytes | None:
        return None if self.find(NIL) else self.string()

    def astring(self) -> bytes:
        found = self.find_string()
        return self.get(ASTRING, "a string")[0] if found is None else found

    def utf8_string(self) -> str:
        return _text(self.astring())

    def folder(self) -> str:
        return self._folder_name(self.astring())

    def pattern(self) -> str:
        """A name with wildcards (RFC 9051 `list-mailbox`)."""
        found = self.find_string()
        octets = self.get(LIST_MAILBOX, "a folder name")[0] if found is None else found
        if octets.count(b"*") + octets.count(b"%") > self.limits.wildcards:
            raise BadCommand("too many wildcards", code="LIMIT")
        return self._folder_name(octets)

    def _folder_name(self, octets: bytes) -> str:
        if len(octets) > self.limits.name_octets:
            raise BadCommand("the folder name is too long", code="LIMIT", condition="NO")
        try:
            return decode_name(octets, utf8=self.utf8)
        except ValueError as error:
            raise BadCommand("no folder can have this name", code="CANNOT", condition="NO") from error

    def sequence_set(self) -> SequenceSet:
        try:
            return parse_set(self.get(SET, "message numbers")[0], self.limits.set_members)
        except ValueError as error:
            raise BadCommand("message numbers are wrong or too many") from error

    def known_uids(self) -> SequenceSet:
        """A set without `*` or `$` (RFC 7162 §3.2.5)."""
        found = self.sequence_set()
        if found.is_saved or any(0 in pair for pair in found.ranges):
            raise BadCommand("these UIDs have to be numbers")
        return found

    def flag(self) -> str:
        """A system flag in the RFC's capitals, or a keyword as it is; `\\Recent` is the server's (RFC 3501 §2.3.2)."""
        flag = self.get(FLAG, "a flag")[0].decode("ascii")
        if len(flag) > self.limits.flag_octets:
            raise BadCommand("a flag is too long", code="LIMIT")
        if not flag.startswith("\\"):
            return flag
        if flag.lower() not in SYSTEM_FLAGS:
            raise BadCommand("no such system flag can be set")
        return SYSTEM_FLAGS[flag.lower()]

    def listed(self, item: Callable[[], T]) -> tuple[T, ...]:
        """`(a b c)`, also empty; spaces inside the brackets are wrong, and known from real clients."""
        self.expect(b"(")
        self.find(SPACE)
        items: list[T] = []
        while not self.skip(b")"):
            items.append(item())
            if not self.peek(b")"):
                self.space()
        return tuple(items)

    def some(self, item: Callable[[], T]) -> tuple[T, ...]:
        """`(a b c)`, at least one."""
        items = self.listed(item)
        if not items:
            raise BadCommand("a list is empty")
        return items

    def flags(self) -> tuple[str, ...]:
        """`(\\Seen $Work)`, each once."""
        return self.distinct_flags(self.listed(self.flag))

    def distinct_flags(self, flags: tuple[str, ...]) -> tuple[str, ...]:
        if len(flags) > self.limits.flags:
            raise BadCommand("too many flags", code="LIMIT")
        return tuple({flag.lower(): flag for flag in flags}.values())

    def date(self) -> date:
        match = self.get(DATE, "a date such as 1-Feb-2026")
        try:
            return date(int(match[3]), MONTHS.index(match[2].lower()) + 1, int(match[1]))
        except ValueError as error:
            raise BadCommand("there is no such date") from error

    def date_time(self) -> datetime:
        """`" 1-Feb-2026 09:00:00 +0100"`"""
        match = self.get(DATE_TIME, "a date and time")
        day, year, hour, minute, second = (int(match[group]) for group in (1, 3, 4, 5, 6))
        offset = timedelta(hours=int(match[8]), minutes=int(match[9]))
        try:
            zone = timezone(-offset if match[7] == b"-" else offset)
            month = MONTHS.index(match[2].lower()) + 1
            moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
            return moment if 1 < year < 9999 else moment.replace(tzinfo=timezone(timedelta(0)))  # its UTC exists
        except ValueError as error:
            raise BadCommand("there is no such date and time") from error


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadCommand("a text is not UTF-8") from error
