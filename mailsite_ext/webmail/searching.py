"""The webmail's search in a hosted folder: its terms as keys of SEARCH, found as the IMAP listener finds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from app.extension_api import Clock, SearchField, SearchTerm
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.folder_maps import FolderMaps
from mailsite_ext.imap.searching import find
from mailsite_ext.imap.view import View
from mailsite_ext.protocol import search_keys as keys
from mailsite_ext.protocol.search_keys import Day, Key, Relation
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import StoredFolder


def find_uids(
    storage: StorageEngine, mailbox: str, folder: StoredFolder, terms: Sequence[SearchTerm], clock: Clock
) -> Sequence[int]:
    """UIDs, ascending.  Raises SearchTooLong where no index knows enough."""
    account = Account(storage, FolderMaps(storage), mailbox, clock, message_octets=0)
    view = View(
        folder.id,
        is_read_only=True,
        uids=storage.uids(folder.id),
        uidnext=folder.uidnext,
        modseq=folder.highestmodseq,
    )
    return [uid for uid, _modseq in find(account, view, search_key(terms))]


def search_key(terms: Sequence[SearchTerm]) -> Key:
    """All terms as one key; of attachments the storage knows nothing, and whoever asks decides."""
    wanted = [term for term in terms if term.field is not SearchField.ATTACHMENT]
    return keys.And(tuple(keys.Not(_key(term)) if term.negated else _key(term) for term in wanted) or (keys.All(),))


def _key(term: SearchTerm) -> Key:
    match term.value:
        case date():
            return keys.Dated(Day.RECEIVED, _RELATIONS[term.field], term.value)
        case int():
            return keys.Larger(term.value) if term.field is SearchField.LARGER else keys.Smaller(term.value)
        case text:
            return _text_key(term.field, text)


def _text_key(field: SearchField, text: str) -> Key:
    match field:
        case SearchField.ANY:
            return keys.Text(text)
        case SearchField.BODY:
            return keys.Body(text)
        case SearchField.TO:
            return keys.Or(keys.Header("to", text), keys.Header("cc", text))
        case SearchField.FROM | SearchField.SUBJECT:
            return keys.Header(field.value, text)
        case SearchField.STARRED:
            return keys.HasFlag("\\Flagged")
        case SearchField.ANSWERED:
            return keys.HasFlag("\\Answered")
        case _:
            return keys.Not(keys.HasFlag("\\Seen"))


_RELATIONS = {SearchField.SINCE: Relation.SINCE, SearchField.BEFORE: Relation.BEFORE}
