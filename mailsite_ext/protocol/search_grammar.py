"""SEARCH, SORT and THREAD (RFC 9051 §6.4.4, RFC 5256), as far as their arguments go.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from mailsite_ext.protocol.imap_commands import Criterion, SearchReturn, SortKey
from mailsite_ext.protocol.imap_cursor import FLAG, QUOTED, Cursor
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.protocol.search_keys import (
    All,
    And,
    Body,
    Dated,
    Day,
    EmailId,
    HasFlag,
    Header,
    Key,
    Larger,
    ModSeq,
    Not,
    Numbers,
    Older,
    Or,
    Relation,
    SaveDateSupported,
    Smaller,
    Text,
    ThreadId,
    Uids,
    Younger,
)

SET_AHEAD = re.compile(rb"[0-9*$]")
RETURN = re.compile(rb"RETURN(?= *\()", re.IGNORECASE)
CHARSET = re.compile(rb"CHARSET +", re.IGNORECASE)
ENTRY_TYPE = re.compile(rb"(?:priv|shared|all) +", re.IGNORECASE)
PARTIAL = re.compile(rb"(-?)([1-9][0-9]{0,9}):(-?)([1-9][0-9]{0,9})")
CHARSETS = ("US-ASCII", "UTF-8")

PLAIN: dict[str, Key] = {
    "ALL": All(),
    "ANSWERED": HasFlag("\\Answered"),
    "DELETED": HasFlag("\\Deleted"),
    "DRAFT": HasFlag("\\Draft"),
    "FLAGGED": HasFlag("\\Flagged"),
    "SEEN": HasFlag("\\Seen"),
    "RECENT": HasFlag("\\Recent"),
    "UNANSWERED": Not(HasFlag("\\Answered")),
    "UNDELETED": Not(HasFlag("\\Deleted")),
    "UNDRAFT": Not(HasFlag("\\Draft")),
    "UNFLAGGED": Not(HasFlag("\\Flagged")),
    "UNSEEN": Not(HasFlag("\\Seen")),
    "NEW": And((HasFlag("\\Recent"), Not(HasFlag("\\Seen")))),
    "OLD": Not(HasFlag("\\Recent")),
    "SAVEDATESUPPORTED": SaveDateSupported(),
}


class SearchGrammar:
    """Search keys of one command, in its charset: raises BadCommand, as Cursor does."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._charset = "UTF-8"

    def program(self) -> Key:
        """`[CHARSET name SP] key *(SP key)`"""
        if self._cursor.find(CHARSET):
            self.charset()
            self._cursor.space()
        return self.keys()

    def charset(self) -> None:
        """Raises with BADCHARSET and those known (RFC 9051 §6.4.4)."""
        name = self._cursor.astring().decode("ascii", "replace").upper()
        if name not in CHARSETS:
            raise BadCommand("charset not known", code=f"BADCHARSET ({' '.join(CHARSETS)})", condition="NO")
        self._charset = name

    def keys(self) -> Key:
        keys = [self._key()]
        while self._cursor.has_space() and self._cursor.at < len(self._cursor.text):
            keys.append(self._key())
        return keys[0] if len(keys) == 1 else And(tuple(keys))

    def _key(self) -> Key:
        self._cursor.search_keys_left -= 1
        if self._cursor.search_keys_left < 0:
            raise BadCommand("too many search keys", code="LIMIT")
        if self._cursor.peek(b"("):
            return self._group()
        if SET_AHEAD.match(self._cursor.text, self._cursor.at):
            return Numbers(self._cursor.sequence_set())
        word = self._cursor.word()
        if word in PLAIN:
            return PLAIN[word]
        if word not in KEYS:
            raise BadCommand(f"no search key {word[:40]}")
        self._cursor.space()
        return KEYS[word](self)

    def _group(self) -> Key:
        with self._cursor.nested():
            keys = self._cursor.some(self._key)
        return keys[0] if len(keys) == 1 else And(keys)

    def negated(self) -> Key:
        with self._cursor.nested():
            return Not(self._key())

    def either(self) -> Key:
        with self._cursor.nested():
            first = self._key()
            self._cursor.space()
            return Or(first, self._key())

    def text(self) -> str:
        octets = self._cursor.astring()
        try:
            return octets.decode("ascii" if self._charset == "US-ASCII" else "utf-8")
        except UnicodeDecodeError as error:
            raise BadCommand(f"a text is not {self._charset}", code="BADCHARSET (UTF-8)", condition="NO") from error

    def keyword(self) -> Key:
        return HasFlag(self._cursor.get(FLAG, "a keyword")[0].decode("ascii"))

    def header(self) -> Key:
        name = self._cursor.astring()
        self._cursor.space()
        return Header(name.decode("latin-1").strip().rstrip(":").lower(), self.text())

    def seconds(self) -> int:
        return self._cursor.positive()

    def uids(self) -> Key:
        return Uids(self._cursor.sequence_set())

    def octets(self) -> int:
        return self._cursor.number64()

    def modseq(self) -> Key:
        """`[entry-name SP entry-type SP] number`; flags have one MODSEQ together here (RFC 7162 §3.1.5)."""
        if self._cursor.find(QUOTED):
            self._cursor.space()
            self._cursor.get(ENTRY_TYPE, "priv, shared or all")
        return ModSeq(self._cursor.number64())

    def object_id(self) -> str:
        return self._cursor.astring().decode("latin-1")

    def day(self, day: Day, relation: Relation) -> Key:
        return Dated(day, relation, self._cursor.date())


def _header(name: str) -> Callable[[SearchGrammar], Key]:
    return lambda grammar: Header(name, grammar.text())


def _day(day: Day, relation: Relation) -> Callable[[SearchGrammar], Key]:
    return lambda grammar: grammar.day(day, relation)


KEYS: dict[str, Callable[[SearchGrammar], Key]] = {
    **{name.upper(): _header(name) for name in ("bcc", "cc", "from", "subject", "to")},
    **{relation.value: _day(Day.RECEIVED, relation) for relation in Relation},
    **{f"SENT{relation.value}": _day(Day.SENT, relation) for relation in Relation},
    **{f"SAVED{relation.value}": _day(Day.SAVED, relation) for relation in Relation},
    "HEADER": SearchGrammar.header,
    "BODY": lambda grammar: Body(grammar.text()),
    "TEXT": lambda grammar: Text(grammar.text()),
    "KEYWORD": SearchGrammar.keyword,
    "UNKEYWORD": lambda grammar: Not(grammar.keyword()),
    "LARGER": lambda grammar: Larger(grammar.octets()),
    "SMALLER": lambda grammar: Smaller(grammar.octets()),
    "OLDER": lambda grammar: Older(grammar.seconds()),
    "YOUNGER": lambda grammar: Younger(grammar.seconds()),
    "UID": SearchGrammar.uids,
    "MODSEQ": SearchGrammar.modseq,
    "EMAILID": lambda grammar: EmailId(grammar.object_id()),
    "THREADID": lambda grammar: ThreadId(grammar.object_id()),
    "NOT": SearchGrammar.negated,
    "OR": SearchGrammar.either,
}


def search_return(cursor: Cursor) -> SearchReturn | None:
    """`RETURN (…)` and the space after it, if it is next; `RETURN ()` is ALL (RFC 4731 §3.1)."""
    if not cursor.find(RETURN):
        return None
    cursor.space()
    options = dict(cursor.listed(lambda: _return_option(cursor)))
    options.pop("context", None)  # a hint that the search will come again (RFC 5267 §4.2)
    cursor.space()
    if "all" in options and "partial" in options:
        raise BadCommand("ALL and PARTIAL exclude each other")  # RFC 9394 §3.1
    return SearchReturn(**options or {"all": True})  # type: ignore[arg-type]


def _return_option(cursor: Cursor) -> tuple[str, bool | tuple[int, int]]:
    word = cursor.word()
    if word == "PARTIAL":
        cursor.space()
        return "partial", partial_range(cursor)
    if word not in ("MIN", "MAX", "ALL", "COUNT", "SAVE", "UPDATE", "CONTEXT"):
        raise BadCommand(f"no search option {word[:40]}")
    return word.lower(), True


def partial_range(cursor: Cursor) -> tuple[int, int]:
    """`1:100`, or `-1:-100` from the end; the nearer end first (RFC 9394 §3.1)."""
    match = cursor.get(PARTIAL, "a range such as 1:100 or -1:-100")
    if match[1] != match[3]:
        raise BadCommand("a range goes from one end")
    low, high = sorted((int(match[2]), int(match[4])))
    return (-low, -high) if match[1] else (low, high)


def sort_criteria(cursor: Cursor) -> tuple[Criterion, ...]:
    """`(REVERSE DATE SUBJECT)`, RFC 5256 §3."""
    return cursor.some(lambda: _criterion(cursor))


def _criterion(cursor: Cursor) -> Criterion:
    word = cursor.word()
    is_reverse = word == "REVERSE"
    if is_reverse:
        cursor.space()
        word = cursor.word()
    try:
        return Criterion(SortKey(word), is_reverse)
    except ValueError as error:
        raise BadCommand(f"no sort key {word[:40]}") from error
