"""APPEND and REPLACE, once their messages are here (RFC 9051 §6.3.12, RFC 3502, RFC 8508)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import tell_news
from mailsite_ext.imap.view import packed
from mailsite_ext.protocol.append_grammar import LiteralBegins
from mailsite_ext.protocol.imap_commands import Append, NewMessage, Replace
from mailsite_ext.protocol.imap_data import status_line
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.protocol.sequence_sets import STAR, SequenceSet, compact
from mailsite_ext.storage.values import Content, Stored


def check_target(account: Account, command: Append | Replace) -> None:
    """Before a message is read: could it be stored?  Raises NoSuchFolder, or BadCommand that says why not."""
    account.get_folder(command.folder, code="TRYCREATE")
    if isinstance(command, Replace):
        _replaced(account, command)


def check_literal(account: Account, literal: LiteralBegins) -> None:
    """Before its octets are read.  Raises BadCommand."""
    if literal.is_utf8 and not account.is_utf8:
        raise BadCommand("ENABLE UTF8=ACCEPT comes first")  # RFC 6855 §4


def append(account: Account, command: Append, contents: Sequence[Content]) -> Iterator[bytes]:
    """All messages in one step, or none of them (MULTIAPPEND)."""
    target = account.get_folder(command.folder, code="TRYCREATE")
    stored = account.storage.append(target.id, _messages(command.messages, contents)).result()
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "stored", _appenduid(stored))


def replace(account: Account, command: Replace, contents: Sequence[Content]) -> Iterator[bytes]:
    """The new message first, then the old one goes; in one step where both are in the same folder."""
    target = account.get_folder(command.folder, code="TRYCREATE")
    view, uid = account.writable(), _replaced(account, command)
    messages = _messages(command.messages, contents)
    if target.id == view.folder_id:
        stored = account.storage.append(target.id, messages, replaces=uid).result()
    else:
        stored = account.storage.append(target.id, messages).result()
        account.storage.expunge(view.folder_id, [uid], only_deleted=False)
    yield status_line(b"", "OK", "stored", _appenduid(stored))  # RFC 8508 §3.3: before the EXPUNGE
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "replaced")


def _replaced(account: Account, command: Replace) -> int:
    """The UID of the message that is to go.  Raises BadCommand where there is none."""
    view = account.writable()
    if command.number == STAR and view.uids:
        return view.uids[-1]
    chosen = view.chosen(SequenceSet(((command.number, command.number),)), is_uid=command.is_uid)
    if not chosen:
        raise BadCommand("There is no such message", code="NONEXISTENT", condition="NO")
    return chosen[0]


def _messages(
    messages: Sequence[NewMessage], contents: Sequence[Content]
) -> list[tuple[Content, frozenset[str], datetime | None]]:
    return [
        (content, frozenset(message.flags), message.received_at)
        for message, content in zip(messages, contents, strict=True)
    ]


def _appenduid(stored: Sequence[Stored]) -> str:
    """APPENDUID (RFC 4315 §3)."""
    uids = compact(packed(each.uid for each in stored)).decode()
    return f"APPENDUID {stored[0].uidvalidity} {uids}"
