"""LIST, LSUB, STATUS and NOTIFY: what names folders in numbers (RFC 5258, RFC 5819, RFC 6154, RFC 5465).  Pure."""

from __future__ import annotations

import re

from mailsite_ext.protocol.fetch_grammar import item_list
from mailsite_ext.protocol.imap_commands import Command, EventGroup, FetchItem, List, Lsub, Notify
from mailsite_ext.protocol.imap_cursor import Cursor
from mailsite_ext.protocol.imap_limits import BadCommand

STATUS_ITEMS = frozenset(
    ("MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "RECENT", "HIGHESTMODSEQ", "MAILBOXID",
     "APPENDLIMIT", "DELETED-STORAGE")
)  # fmt: skip
SELECTIONS = frozenset(("SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"))
RETURNS = frozenset(("SUBSCRIBED", "CHILDREN", "SPECIAL-USE"))
EVENTS = ("FlagChange", "MailboxName", "MessageExpunge", "MessageNew", "SubscriptionChange")
"""What can be told of; RFC 5465 §5 knows of annotations and metadata too."""
IN_CAPITALS = frozenset(map(str.upper, EVENTS))
FILTERS = frozenset(("SELECTED", "SELECTED-DELAYED", "INBOXES", "PERSONAL", "SUBSCRIBED", "SUBTREE", "MAILBOXES"))
OF_NAMED_FOLDERS = frozenset(("SUBTREE", "MAILBOXES"))
NONE = re.compile(rb"NONE(?=\)|\Z)", re.IGNORECASE)
STATUS = re.compile(rb"STATUS +", re.IGNORECASE)
MAX_GROUPS = 50


def list_command(tag: bytes, cursor: Cursor) -> Command:
    """`[(selection) SP] reference SP pattern-or-patterns [SP RETURN (…)]`"""
    selected = _options(cursor, SELECTIONS)
    if "RECURSIVEMATCH" in (selected or ()) and not (selected or frozenset()) & {"SUBSCRIBED", "SPECIAL-USE"}:
        raise BadCommand("RECURSIVEMATCH needs something to match")  # RFC 5258 §3.5
    reference = cursor.pattern()
    cursor.space()
    patterns, has_several = _patterns(cursor)
    is_extended = selected is not None or has_several
    if not cursor.has_space():
        return List(tag, reference, patterns, is_extended, selected or frozenset())
    returns, status = _returns(cursor)
    return List(tag, reference, patterns, True, selected or frozenset(), returns, status)


def _options(cursor: Cursor, known: frozenset[str]) -> frozenset[str] | None:
    if not cursor.peek(b"("):
        return None
    words = frozenset(cursor.listed(cursor.word))
    cursor.space()
    if words - known:
        raise BadCommand("no such LIST option")
    return words


def _patterns(cursor: Cursor) -> tuple[tuple[str, ...], bool]:
    if not cursor.peek(b"("):
        return (cursor.pattern(),), False
    patterns = cursor.some(cursor.pattern)
    if len(patterns) > cursor.limits.list_patterns:
        raise BadCommand("too many patterns", code="LIMIT")
    return patterns, True


def _returns(cursor: Cursor) -> tuple[frozenset[str], tuple[str, ...]]:
    if cursor.word() != "RETURN":
        raise BadCommand("expected RETURN")
    cursor.space()
    options = cursor.listed(lambda: _return_option(cursor))
    words = frozenset(word for word, _ in options if word != "STATUS")
    status = next((items for word, items in options if word == "STATUS"), ())
    return words, status


def _return_option(cursor: Cursor) -> tuple[str, tuple[str, ...]]:
    word = cursor.word()
    if word == "STATUS":
        cursor.space()
        return word, status_items(cursor)
    if word not in RETURNS:
        raise BadCommand("no such LIST option")
    return word, ()


def status_items(cursor: Cursor) -> tuple[str, ...]:
    """`(MESSAGES UNSEEN)`"""
    items = tuple(dict.fromkeys(cursor.some(cursor.word)))
    if not STATUS_ITEMS.issuperset(items):
        raise BadCommand("no such STATUS item")
    return items


def lsub_command(tag: bytes, cursor: Cursor) -> Command:
    reference = cursor.pattern()
    cursor.space()
    return Lsub(tag, reference, (cursor.pattern(),))


def notify_command(tag: bytes, cursor: Cursor) -> Command:
    """`NONE`, or `SET [STATUS] (group) …` (RFC 5465 §8)"""
    word = cursor.word()
    if word == "NONE":
        return Notify(tag)
    if word != "SET":
        raise BadCommand("NOTIFY takes SET or NONE")
    cursor.space()
    wants_status = cursor.find(STATUS) is not None
    groups = [_group(cursor)]
    while cursor.has_space() and len(groups) < MAX_GROUPS:
        groups.append(_group(cursor))
    return Notify(tag, tuple(groups), wants_status)


def _group(cursor: Cursor) -> EventGroup:
    cursor.expect(b"(")
    kind = cursor.word()
    if kind not in FILTERS:
        raise BadCommand("no such NOTIFY filter")
    cursor.space()
    folders = _named_folders(cursor) if kind in OF_NAMED_FOLDERS else ()
    events = () if cursor.find(NONE) else cursor.some(lambda: _event(cursor))
    cursor.expect(b")")
    fetch = next((items for _, items in events if items), ())
    return EventGroup(kind, folders, frozenset(word for word, _ in events), fetch)


def _named_folders(cursor: Cursor) -> tuple[str, ...]:
    folders = cursor.some(cursor.folder) if cursor.peek(b"(") else (cursor.folder(),)
    cursor.space()
    return folders


def _event(cursor: Cursor) -> tuple[str, tuple[FetchItem, ...]]:
    word = cursor.word()
    if word not in IN_CAPITALS:
        raise BadCommand("no such event", code=f"BADEVENT ({' '.join(EVENTS)})", condition="NO")
    if word == "MESSAGENEW" and cursor.skip(b" ("):
        cursor.at -= 1
        return word, item_list(cursor)
    return word, ()
