"""Search keys that rows decide alone, as conditions of SQL (RFC 9051 §6.4.4)."""

from __future__ import annotations

from array import array
from datetime import date, timedelta

from mailsite_ext.protocol import search_keys as keys
from mailsite_ext.protocol.search_keys import Known
from mailsite_ext.storage.catalogue_messages import span
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.catalogue_values import LAST_UID
from mailsite_ext.storage.values import DELETED, SEEN, Uids

MARKED = {SEEN.lower(): "is_seen", DELETED.lower(): "is_deleted"}
FLAGS, MESSAGES = "mailsite_flag", "mailsite_message"
EPOCH = date(1970, 1, 1)
Condition = tuple[str, str, list[object]]
"""The table, the condition, its values."""


def uids_where(link: Link, folder_id: int, key: Known, now_s: int) -> Uids:
    table, condition, values = _condition(link, key, now_s)
    query = f"SELECT id & {LAST_UID} FROM {table} WHERE id BETWEEN ? AND ? AND {condition} ORDER BY id"
    return array("Q", [uid for (uid,) in link.rows(query, [*span(folder_id), *values])])


def _condition(link: Link, key: Known, now_s: int) -> Condition:
    match key:
        case keys.HasFlag(flag=flag):
            return _flagged(link, flag.lower())
        case keys.ModSeq(modseq=modseq):
            return FLAGS, "modseq >= ?", [modseq]
        case keys.Larger(octets=octets):
            return MESSAGES, "size_octets > ?", [octets]
        case keys.Smaller(octets=octets):
            return MESSAGES, "size_octets < ?", [octets]
        case keys.Older(seconds=seconds):
            return MESSAGES, "internal_date <= ?", [now_s - seconds]
        case keys.Younger(seconds=seconds):
            return MESSAGES, "internal_date >= ?", [now_s - seconds]
        case keys.EmailId(id=wanted):
            return MESSAGES, "email_id = ?", [wanted]
        case keys.ThreadId(id=wanted):
            return MESSAGES, "thread_id = ?", [wanted]
    return _dated(key)


def _flagged(link: Link, flag: str) -> Condition:
    if flag in MARKED:
        return FLAGS, MARKED[flag], []
    place = "instr" if link.is_sqlite else "strpos"
    return FLAGS, f"{place}(' ' || lower(flags) || ' ', ?) > 0", [f" {flag} "]


def _dated(key: keys.Dated) -> Condition:
    """The day as the time is shown: INTERNALDATE in the zone it was given in, SAVEDATE in UTC."""
    column = "saved_at" if key.day is keys.Day.SAVED else "internal_date + internal_zone * 60"
    begins = (key.date - EPOCH) // timedelta(seconds=1)
    match key.relation:
        case keys.Relation.BEFORE:
            return MESSAGES, f"{column} < ?", [begins]
        case keys.Relation.ON:
            return MESSAGES, f"{column} >= ? AND {column} < ?", [begins, begins + 86_400]
    return MESSAGES, f"{column} >= ?", [begins]
