"""The text of an IMAP command → a value of `imap_commands` (RFC 9051 §9, RFC 3501 §9 and extensions).  Pure.

`parse` raises BadCommand and nothing else.  `imap_reader.py` cuts a connection's octets into commands.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

from mailsite_ext.protocol import imap_commands as c
from mailsite_ext.protocol.fetch_grammar import fetch_items
from mailsite_ext.protocol.imap_cursor import SPACE, Cursor, RawCommand
from mailsite_ext.protocol.imap_limits import BadCommand, ImapLimits
from mailsite_ext.protocol.list_grammar import (
    list_command,
    lsub_command,
    notify_command,
    status_items,
)
from mailsite_ext.protocol.search_grammar import SearchGrammar, partial_range, search_return, sort_criteria

TAG = re.compile(rb'([^\x00-\x20\x7f-\xff(){%*"\\+]{1,100})(?: +|\Z)')
BASE64 = re.compile(rb"=|(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
STORE_ITEM = re.compile(rb"([+-]?)FLAGS(\.SILENT)?(?= )", re.IGNORECASE)
SYSTEM_USE = re.compile(rb"\\[A-Za-z]{1,30}")
MAX_ID_PAIRS = 30  # RFC 2971 §3.3

Parser = Callable[[bytes, Cursor], c.Command]


def parse(raw: RawCommand, limits: ImapLimits, *, utf8: bool = False) -> c.Command:
    """Raises BadCommand, with the tag if that could be read."""
    cursor = Cursor(raw, limits, utf8=utf8)
    tag = read_tag(cursor)
    try:
        command = _parser(cursor)(tag, cursor)
        cursor.end()
        return command
    except BadCommand as error:
        error.tag = tag
        raise


def read_tag(cursor: Cursor) -> bytes:
    match = cursor.find(TAG)
    if match is None:
        raise BadCommand("a command begins with a tag")
    return match[1]


def _parser(cursor: Cursor) -> Parser:
    word = cursor.word() if cursor.at < len(cursor.text) else ""
    table = PARSERS
    if word == "UID":
        cursor.space()
        word, table = cursor.word(), UID_PARSERS
    if word not in table:
        raise BadCommand(f"no command {word[:40]}" if word else "a command is missing after the tag")
    parser = table[word]
    if parser is not BARE.get(word):
        cursor.space()
    return parser


def _enable(tag: bytes, cursor: Cursor) -> c.Command:
    return c.Enable(tag, _words(cursor))


def _words(cursor: Cursor) -> tuple[str, ...]:
    words = [cursor.word()]
    while cursor.has_space() and cursor.at < len(cursor.text):
        words.append(cursor.word())
    return tuple(words)


def _login(tag: bytes, cursor: Cursor) -> c.Command:
    user = cursor.astring()
    cursor.space()
    return c.Login(tag, user, cursor.astring())


def _authenticate(tag: bytes, cursor: Cursor) -> c.Command:
    mechanism = cursor.word()
    if not cursor.has_space():
        return c.Authenticate(tag, mechanism, None)
    return c.Authenticate(tag, mechanism, decode_sasl(cursor.get(BASE64, "base64")[0]))


def decode_sasl(line: bytes) -> bytes:
    """What a client sends in AUTHENTICATE, decoded; `=` is an empty one (RFC 4959).  Raises BadCommand."""
    if BASE64.fullmatch(line) is None:
        raise BadCommand("expected base64")
    return b"" if line == b"=" else binascii.a2b_base64(line)


def _id(tag: bytes, cursor: Cursor) -> c.Command:
    if not cursor.peek(b"("):
        cursor.nstring()
        return c.Id(tag, {})
    pairs = cursor.listed(lambda: _id_pair(cursor))
    if len(pairs) > MAX_ID_PAIRS:
        raise BadCommand("too many parameters", code="LIMIT")
    return c.Id(tag, dict(pairs))


def _id_pair(cursor: Cursor) -> tuple[str, str]:
    name = cursor.string()
    cursor.space()
    return name.decode("latin-1").lower(), (cursor.nstring() or b"").decode("utf-8", "replace")


def _compress(tag: bytes, cursor: Cursor) -> c.Command:
    return c.Compress(tag, cursor.word())


def _select(tag: bytes, cursor: Cursor) -> c.Command:
    return _selection(c.Select(tag, cursor.folder()), cursor)


def _examine(tag: bytes, cursor: Cursor) -> c.Command:
    return _selection(c.Select(tag, cursor.folder(), is_read_only=True), cursor)


def _selection(select: c.Select, cursor: Cursor) -> c.Command:
    """`(CONDSTORE)`, `(QRESYNC (…))`: RFC 7162 §3.1.8, §3.2.5"""
    if not cursor.has_space():
        return select
    params = dict(cursor.some(lambda: _select_param(cursor)))
    return c.Select(select.tag, select.folder, select.is_read_only, "CONDSTORE" in params, params.get("QRESYNC"))


def _select_param(cursor: Cursor) -> tuple[str, c.QResync | None]:
    word = cursor.word()
    if word == "CONDSTORE":
        return word, None
    if word != "QRESYNC":
        raise BadCommand(f"no parameter {word[:40]}")
    cursor.space()
    return word, _qresync(cursor)


def _qresync(cursor: Cursor) -> c.QResync:
    cursor.expect(b"(")
    uid_validity = cursor.positive()
    cursor.space()
    modseq = cursor.number64()
    known = numbers = uids = None
    if cursor.has_space() and not cursor.peek(b"("):
        known = cursor.known_uids()
        cursor.find(SPACE)
    if cursor.skip(b"("):
        numbers = cursor.known_uids()
        cursor.space()
        uids = cursor.known_uids()
        cursor.expect(b")")
    cursor.expect(b")")
    return c.QResync(uid_validity, modseq, known, numbers, uids)


def _create(tag: bytes, cursor: Cursor) -> c.Command:
    folder = cursor.folder()
    stripped = folder.removesuffix("/") or folder  # its end says that folders will follow below (RFC 9051 §6.3.4)
    if not cursor.has_space():
        return c.Create(tag, stripped)
    cursor.expect(b"(")
    if cursor.word() != "USE":
        raise BadCommand("CREATE knows only USE")
    cursor.space()
    uses = cursor.some(lambda: cursor.get(SYSTEM_USE, "a use such as \\Sent")[0].decode())
    cursor.expect(b")")
    return c.Create(tag, stripped, tuple("\\" + use[1:].capitalize() for use in uses))


def _rename(tag: bytes, cursor: Cursor) -> c.Command:
    folder = cursor.folder()
    cursor.space()
    return c.Rename(tag, folder, cursor.folder())


def _status(tag: bytes, cursor: Cursor) -> c.Command:
    folder = cursor.folder()
    cursor.space()
    return c.Status(tag, folder, status_items(cursor))


def _without_literal(*_: object) -> c.Command:
    """APPEND and REPLACE that say nothing of a message: the reader takes care of the others."""
    raise BadCommand("a message is missing")


def _search(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    returns = search_return(cursor)
    return c.Search(tag, SearchGrammar(cursor).program(), returns, is_uid)


def _cancel_update(tag: bytes, cursor: Cursor) -> c.Command:
    tags = [cursor.string()]
    while cursor.has_space() and cursor.at < len(cursor.text):
        tags.append(cursor.string())
    return c.CancelUpdate(tag, tuple(tags))


def _uid_batches(tag: bytes, cursor: Cursor) -> c.Command:
    size = cursor.positive()
    if not cursor.has_space():
        return c.UidBatches(tag, size)
    first = cursor.positive()
    cursor.expect(b":")
    last = cursor.positive()
    if first > last:
        raise BadCommand("the first batch comes first", code="CLIENTBUG")  # RFC 10022 §3.1.5
    return c.UidBatches(tag, size, first, last)


def _sort(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    returns = search_return(cursor)
    criteria = sort_criteria(cursor)
    grammar = _charset_first(cursor)
    return c.Sort(tag, criteria, grammar.keys(), returns, is_uid)


def _thread(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    algorithm = cursor.word()
    if algorithm not in ("REFERENCES", "ORDEREDSUBJECT"):
        raise BadCommand("no such threading algorithm")
    return c.Thread(tag, algorithm, _charset_first(cursor).keys(), is_uid)


def _charset_first(cursor: Cursor) -> SearchGrammar:
    cursor.space()
    grammar = SearchGrammar(cursor)
    grammar.charset()
    cursor.space()
    return grammar


def _fetch(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    numbers = cursor.sequence_set()
    cursor.space()
    items = fetch_items(cursor)
    params = dict(cursor.some(lambda: _fetch_param(cursor))) if cursor.has_space() else {}
    if "vanished" in params and not (is_uid and "changed_since" in params):
        raise BadCommand("VANISHED needs UID FETCH and CHANGEDSINCE")  # RFC 7162 §3.2.6
    return c.Fetch(tag, numbers, items, is_uid, **params)  # type: ignore[arg-type]


def _fetch_param(cursor: Cursor) -> tuple[str, int | bool | tuple[int, int]]:
    word = cursor.word()
    if word == "VANISHED":
        return "vanished", True
    cursor.space()
    if word == "CHANGEDSINCE":
        return "changed_since", cursor.number64()
    if word == "PARTIAL":
        return "partial", partial_range(cursor)
    raise BadCommand(f"no parameter {word[:40]}")


def _store(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    numbers = cursor.sequence_set()
    cursor.space()
    unchanged_since = _unchanged_since(cursor) if cursor.peek(b"(") else None
    item = cursor.get(STORE_ITEM, "FLAGS, +FLAGS or -FLAGS")
    cursor.space()
    flags = cursor.flags() if cursor.peek(b"(") else cursor.distinct_flags(_bare_flags(cursor))
    change = c.Change(item[1].decode() + "FLAGS")
    return c.Store(tag, numbers, change, flags, bool(item[2]), is_uid, unchanged_since)


def _bare_flags(cursor: Cursor) -> tuple[str, ...]:
    flags = [cursor.flag()]
    while cursor.has_space() and cursor.at < len(cursor.text):
        flags.append(cursor.flag())
    return tuple(flags)


def _unchanged_since(cursor: Cursor) -> int:
    """`(UNCHANGEDSINCE 9) `: RFC 7162 §3.1.3"""
    cursor.expect(b"(")
    if cursor.word() != "UNCHANGEDSINCE":
        raise BadCommand("STORE knows only UNCHANGEDSINCE")
    cursor.space()
    modseq = cursor.number64()
    cursor.expect(b")")
    cursor.space()
    return modseq


def _copy(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    numbers = cursor.sequence_set()
    cursor.space()
    return c.Copy(tag, numbers, cursor.folder(), is_uid)


def _move(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Command:
    numbers = cursor.sequence_set()
    cursor.space()
    return c.Move(tag, numbers, cursor.folder(), is_uid)


def _set_quota(tag: bytes, cursor: Cursor) -> c.Command:
    root = cursor.utf8_string()
    cursor.space()
    return c.SetQuota(tag, root, dict(cursor.listed(lambda: _quota(cursor))))


def _quota(cursor: Cursor) -> tuple[str, int]:
    resource = cursor.word()
    cursor.space()
    return resource, cursor.number64()


def _both(parser: Callable[..., c.Command], *, is_uid: bool) -> Parser:
    return lambda tag, cursor: parser(tag, cursor, is_uid=is_uid)


def _bare(command: type[c.Command]) -> Parser:
    return lambda tag, _: command(tag)


def _on_folder(command: Callable[[bytes, str], c.Command]) -> Parser:
    return lambda tag, cursor: command(tag, cursor.folder())


ALSO_BY_UID: dict[str, Callable[..., c.Command]] = {
    "SEARCH": _search, "SORT": _sort, "THREAD": _thread, "FETCH": _fetch, "STORE": _store, "COPY": _copy, "MOVE": _move,
}  # fmt: skip
BARE: dict[str, Parser] = {
    "CAPABILITY": _bare(c.Capability), "NOOP": _bare(c.Noop), "LOGOUT": _bare(c.Logout), "STARTTLS": _bare(c.StartTls),
    "IDLE": _bare(c.Idle), "NAMESPACE": _bare(c.Namespace), "CHECK": _bare(c.Check), "CLOSE": _bare(c.Close),
    "UNSELECT": _bare(c.Unselect), "EXPUNGE": _bare(c.Expunge),
}  # fmt: skip
PARSERS: dict[str, Parser] = {
    **BARE,
    **{word: _both(parser, is_uid=False) for word, parser in ALSO_BY_UID.items()},
    "AUTHENTICATE": _authenticate, "LOGIN": _login, "ENABLE": _enable, "ID": _id, "COMPRESS": _compress,
    "SELECT": _select, "EXAMINE": _examine, "CREATE": _create, "DELETE": _on_folder(c.Delete), "RENAME": _rename,
    "SUBSCRIBE": _on_folder(c.Subscribe), "UNSUBSCRIBE": _on_folder(c.Unsubscribe), "LIST": list_command,
    "LSUB": lsub_command, "STATUS": _status, "APPEND": _without_literal, "REPLACE": _without_literal,
    "GETQUOTA": lambda tag, cursor: c.GetQuota(tag, cursor.utf8_string()),
    "GETQUOTAROOT": _on_folder(c.GetQuotaRoot), "SETQUOTA": _set_quota, "NOTIFY": notify_command,
    "CANCELUPDATE": _cancel_update, "UIDBATCHES": _uid_batches,
}  # fmt: skip
UID_PARSERS: dict[str, Parser] = {
    **{word: _both(parser, is_uid=True) for word, parser in ALSO_BY_UID.items()},
    "EXPUNGE": lambda tag, cursor: c.Expunge(tag, cursor.sequence_set()),
    "REPLACE": _without_literal,
}
