"""An account's mail over IMAP: the MailSource that speaks RFC 3501 and 9051 with whatever extensions a server has.

Deltas come by QRESYNC, CONDSTORE (both RFC 7162) or by comparing, as the server allows; none of them is believed
blindly: if what it leaves does not have as many messages as the folder, all UIDs are asked for.

Gmail (X-GM-EXT-1) keeps every message once and shows it under each of its labels.  `folders` tells for each folder
the label it shows (RemoteFolder.label); All Mail, Junk and Trash are synced, with labels and thread ids, and nothing
else is: no message comes twice, and a label is a filter over All Mail's rows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TypeVar

from app.errors import BadInput, NoSuchMessage, ProtocolError
from app.imap import deltas, fetch, names
from app.imap.actions import Actions, flag_list
from app.imap.changes import Changes
from app.imap.dialog import Command, ImapSession, Literal, Turn, astring
from app.imap.folders import UNSELECTABLE, Listed, listed_in, statuses_in, tree, with_gmail_labels
from app.imap.search import MONTHS, needs_charset, search_keys
from app.imap.selection import Asked, Selection
from app.imap.uids import MAX_UID, sets_of
from app.sources import Applied, Delta, FolderState, RemoteFolder, RemoteMessage, SearchTerm, SourceAction

T = TypeVar("T")

CHUNK_MESSAGES = 500
HEADERS_OCTETS = 67_108_864
FETCH_OCTETS = 67_108_864
LARGEST_SECTION_OCTETS = 1_073_741_824
STATUS_AT_ONCE = 100
STATUS_ITEMS = b"MESSAGES UNSEEN UIDNEXT UIDVALIDITY"
SECTION = re.compile(r"|HEADER|TEXT|\d{1,4}(\.\d{1,4}){0,80}(\.(HEADER|TEXT|MIME))?")
NEWS = re.compile(rb"\* (?:\d+ (?:EXISTS|EXPUNGE|FETCH)|VANISHED)\b", re.IGNORECASE)


class ImapSource:
    """MailSource over one session."""

    caches_bodies = True

    def __init__(self, session: ImapSession) -> None:
        self._session = session
        self._selection = Selection(session)
        self._changes = Changes(self._selection)
        self._actions = Actions(self._selection)
        self._idle: Turn | None = None

    @property
    def is_gmail(self) -> bool:
        return self._session.has("X-GM-EXT-1")

    @property
    def can_idle(self) -> bool:
        return self._session.has("IDLE")

    # Folders

    def folders(self) -> Sequence[RemoteFolder]:
        """In one turn by LIST-STATUS (RFC 5819, RFC 5258), else in two: LIST and LSUB, then every STATUS."""
        utf8 = "UTF8=ACCEPT" in self._session.enabled
        if self._session.has("LIST-EXTENDED", "LIST-STATUS"):
            special = b"SPECIAL-USE " if self._session.has("SPECIAL-USE") else b""
            wanted = b"SUBSCRIBED %bSTATUS (%b)" % (special, self._status_items)
            turn = self._session.ask(b'LIST "" "*" RETURN (%b)' % wanted)
            listed, subscribed, statuses = listed_in(turn.untagged, utf8=utf8), frozenset[str](), turn.untagged
        else:
            turn = self._session.run(Command(b'LIST "" "*"'), Command(b'LSUB "" "*"')).check()
            listed = listed_in(turn.untagged, utf8=utf8)
            subscribed = frozenset(entry.name for entry in listed_in(turn.untagged, b"LSUB", utf8=utf8))
            statuses = self._statuses(listed)
        found = tree(listed, statuses_in(statuses, utf8=utf8), subscribed, self._session.namespaces)
        return with_gmail_labels(found) if self.is_gmail else found

    @property
    def _status_items(self) -> bytes:
        return STATUS_ITEMS + (b" HIGHESTMODSEQ" if self._session.has("CONDSTORE") else b"")

    def _statuses(self, listed: Sequence[Listed]) -> list[bytes]:
        """STATUS of all; a folder that refuses has none."""
        utf8 = "UTF8=ACCEPT" in self._session.enabled
        open_ones = [one.name for one in listed if not one.attributes & UNSELECTABLE]
        commands = [
            Command(b"STATUS %b (%b)" % (names.encode(name, utf8=utf8), self._status_items)) for name in open_ones
        ]
        turns = [self._session.run(*some) for some in _chunks(commands, STATUS_AT_ONCE)]
        return [line for turn in turns for line in turn.untagged]

    def create_folder(self, name: str) -> None:
        """Created and subscribed, as other clients show only subscribed folders."""
        wire_name = self._selection.wire_name(name)
        self._session.ask(b"CREATE " + wire_name)
        self._session.ask(b"SUBSCRIBE " + wire_name)

    def rename_folder(self, name: str, new_name: str) -> None:
        """Subscriptions do not move along by themselves (RFC 9051 §6.3.6)."""
        old, new = self._selection.wire_name(name), self._selection.wire_name(new_name)
        self._selection.forget()
        self._session.ask(b"RENAME " + old + b" " + new)
        self._session.run(Command(b"UNSUBSCRIBE " + old), Command(b"SUBSCRIBE " + new))

    def delete_folder(self, name: str) -> None:
        wire_name = self._selection.wire_name(name)
        self._selection.forget()
        self._session.ask(b"DELETE " + wire_name)
        self._session.run(Command(b"UNSUBSCRIBE " + wire_name))

    def subscribe(self, name: str, *, subscribed: bool) -> None:
        self._session.ask((b"SUBSCRIBE " if subscribed else b"UNSUBSCRIBE ") + self._selection.wire_name(name))

    # Messages

    def changes(self, folder: str, since: FolderState | None, known: Sequence[int]) -> Delta:
        return self._changes.all(folder, known) if since is None else self._changes.since(folder, since, known)

    def headers(
        self, folder: str, uids: Sequence[int], uidvalidity: int | None = None
    ) -> Iterator[Sequence[RemoteMessage]]:
        """Chunks of at most CHUNK_MESSAGES; while one is read the server prepares the next."""
        chunks = list(_chunks(uids, CHUNK_MESSAGES))
        asked = self._ask_headers(folder, chunks[0], None) if chunks else None
        for chunk, next_chunk in zip_longest(chunks, chunks[1:]):
            following = self._ask_headers(folder, next_chunk, asked) if next_chunk else None
            if asked:
                found = deltas.messages_in(self._selection.receive(asked, uidvalidity), chunk)
                _hand_on(asked, following)
                yield found
            asked = following

    def _ask_headers(self, folder: str, uids: Sequence[int], behind: Asked | None) -> Asked:
        self._selection.open(folder)
        commands = self._changes.fetch_commands(uids)
        return self._selection.send(folder, *commands, most_octets=HEADERS_OCTETS, behind=behind)

    def fetch(
        self, folder: str, uid: int, sections: Sequence[str], uidvalidity: int | None = None
    ) -> Mapping[str, bytes]:
        wanted = b" ".join(b"BODY.PEEK[%b]" % _section(section) for section in sections)
        command = Command(b"UID FETCH %d (UID %b)" % (_uid(uid), wanted))
        turn = self._selection.run(folder, command, uidvalidity=uidvalidity, most_octets=FETCH_OCTETS)
        items = _items_by_uid(turn).get(uid)
        if items is None:
            raise NoSuchMessage
        return {section: items.get(b"BODY[%b]" % _section(section), b"") for section in sections}

    def stream(
        self, folder: str, uid: int, section: str, chunk_octets: int, uidvalidity: int | None = None
    ) -> Iterator[bytes]:
        """Partial fetches (RFC 9051 §6.4.5), the next asked for before this one is handed on."""
        offset = 0
        asked = self._ask_piece(folder, uid, section, offset, chunk_octets, None)
        while offset < LARGEST_SECTION_OCTETS:
            following = self._ask_piece(folder, uid, section, offset + chunk_octets, chunk_octets, asked)
            piece = _piece(self._selection.receive(asked, uidvalidity), uid, section, offset)
            if len(piece) > chunk_octets:
                raise ProtocolError("the server sends more than was asked for")
            if piece:
                yield piece
            if len(piece) < chunk_octets:
                return
            _hand_on(asked, following)
            asked, offset = following, offset + chunk_octets
        raise ProtocolError("a part of the message does not end")

    def _ask_piece(self, folder: str, uid: int, section: str, offset: int, octets: int, behind: Asked | None) -> Asked:
        command = Command(b"UID FETCH %d (UID BODY.PEEK[%b]<%d.%d>)" % (_uid(uid), _section(section), offset, octets))
        return self._selection.send(folder, command, most_octets=octets + 65_536, behind=behind)

    def previews(
        self, folder: str, wanted: Mapping[int, str], octets: int, uidvalidity: int | None = None
    ) -> Mapping[int, bytes]:
        """One turn: messages whose text is in the same section share a command."""
        by_section: dict[str, list[int]] = defaultdict(list)
        for uid, section in wanted.items():
            by_section[section].append(uid)
        commands = [
            Command(b"UID FETCH %b (UID BODY.PEEK[%b]<0.%d>)" % (some, _section(section), octets))
            for section, uids in by_section.items()
            for some in sets_of(uids)
        ]
        if not commands:
            return {}
        turn = self._selection.run(folder, *commands, uidvalidity=uidvalidity, most_octets=FETCH_OCTETS)
        return {
            uid: found[:octets]
            for uid, items in _items_by_uid(turn).items()
            if uid in wanted and (found := items.get(b"BODY[%b]<0>" % _section(wanted[uid]))) is not None
        }

    def apply(self, action: SourceAction) -> Applied:
        return self._actions.apply(action)

    def append(
        self, folder: str, message: bytes, flags: Iterable[str], received_at: datetime | None = None
    ) -> int | None:
        """APPEND; a message with UTF-8 in its header goes as a UTF8 literal where the server takes it (RFC 6855 §4)."""
        date = b' "%b"' % _internal_date(received_at) if received_at else b""
        start = b"APPEND %b %b%b " % (self._selection.wire_name(folder), flag_list(flags), date)
        header = message[: message.find(b"\r\n\r\n") + 1 or None]
        if "UTF8=ACCEPT" in self._session.enabled and not header.isascii():
            turn = self._session.ask(start + b"UTF8 (~", Literal(message), b")")
        else:
            turn = self._session.ask(start, Literal(message))
        told = (turn.code("APPENDUID") or "").split()  # RFC 4315 §3
        return int(told[1]) if len(told) == 2 and told[1].isdigit() and len(told[1]) <= 10 else None

    def find_by_message_id(self, folder: str, message_id: str) -> Sequence[int]:
        """SEARCH finds parts of ids and cares for no brackets, so the hits are looked at."""
        if not message_id or not message_id.isprintable() or len(message_id) > 998:
            return ()
        charset = b"" if message_id.isascii() or "UTF8=ACCEPT" in self._session.enabled else b"CHARSET UTF-8 "
        search = Command(b"UID SEARCH %bHEADER Message-ID " % charset, astring(message_id))
        hits = deltas.search_result(self._selection.run(folder, search))[-100:]
        if not hits:
            return ()
        look = [Command(b"UID FETCH %b (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])" % some) for some in sets_of(hits)]
        found = _items_by_uid(self._selection.run(folder, *look))
        wanted = message_id.strip("<> ").encode()
        return [uid for uid in hits if uid in found and _message_id(found[uid]) == wanted]

    def search(self, folder: str, terms: Sequence[SearchTerm]) -> Sequence[int]:
        """One turn.  Raises ActionRefused for what the server cannot search for."""
        told = "UTF8=ACCEPT" in self._session.enabled  # then no charset may be named (RFC 6855 §3)
        charset = b" CHARSET UTF-8" if needs_charset(terms) and not told else b""
        keys = search_keys(terms, is_gmail=self.is_gmail)
        return deltas.search_result(self._selection.run(folder, Command(b"UID SEARCH" + charset, *keys)))

    def labelled(self, folder: str, label: str) -> Sequence[int]:
        """By X-GM-LABELS: it compares labels one message at a time, where X-GM-RAW searches as Gmail's pages do."""
        search = Command(b"UID SEARCH X-GM-LABELS %b" % self._actions.label(label))
        return deltas.search_result(self._selection.run(folder, search))

    # Waiting for news

    def start_watching(self, folder: str) -> int:
        self._selection.open(folder)
        self._idle = self._session.begin_idle()
        return self._session.wire.fileno()

    def has_news(self) -> bool:
        """True also when the server has ended IDLE by itself: `stop_watching` and start anew."""
        if self._idle is None:
            return False
        lines = list(self._session.waiting_lines(self._idle))
        return self._idle.is_complete or any(NEWS.match(line) for line in lines)

    def has_other_news(self) -> bool:
        """IDLE tells of the selected folder alone (RFC 2177 §3)."""
        return False

    def stop_watching(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None and not idle.is_complete:
            self._session.end_idle(idle)

    def noop(self) -> None:
        self._session.ask(b"NOOP")

    def close(self) -> None:
        self._session.close()


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _hand_on(asked: Asked, following: Asked | None) -> None:
    """Servers may answer the next command before they say that the one before is done."""
    if following is not None:
        following.turn.untagged[:0] = asked.turn.untagged


def _uid(uid: int) -> int:
    if not 0 < uid <= MAX_UID:
        raise NoSuchMessage
    return uid


def _section(section: str) -> bytes:
    """Raises BadInput for what is no section (RFC 9051 §6.4.5.1)."""
    if not SECTION.fullmatch(section):
        raise BadInput("section", "A message has no such part.")
    return section.encode("ascii")


def _items_by_uid(turn: Turn) -> dict[int, fetch.Items]:
    """The items of each message; what several responses say of one is put together."""
    found: dict[int, dict[bytes, bytes]] = defaultdict(dict)
    for line in turn.untagged:
        if fetch.is_fetch(line):
            items = fetch.items_of(line)
            uid = fetch.uid_of(items)
            if uid is not None:
                found[uid].update(items)
    return dict(found)


def _piece(turn: Turn, uid: int, section: str, offset: int) -> bytes:
    items = _items_by_uid(turn).get(uid)
    if items is None and not offset:
        raise NoSuchMessage
    return (items or {}).get(b"BODY[%b]<%d>" % (_section(section), offset), b"")


def _message_id(items: fetch.Items) -> bytes:
    field = items.get(b"BODY[HEADER.FIELDS (MESSAGE-ID)]", b"")
    return field.partition(b":")[2].strip().strip(b"<> ")


def _internal_date(moment: datetime) -> bytes:
    """RFC 9051 §9 date-time, without the locale."""
    utc = moment.astimezone(UTC)
    return f"{utc.day:2}-{MONTHS[utc.month - 1]}-{utc.year} {utc:%H:%M:%S} +0000".encode()
