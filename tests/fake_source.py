"""A mail server in memory, and sessions on it that are MailSources: deterministic, and able to fail when told.

server = FakeServer()
server.deliver(b"Subject: hello\r\n\r\nHello")
source = server.connect()
source.changes("INBOX", None, [])
"""

from __future__ import annotations

import contextlib
import email
import email.message
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from app.errors import ActionRefused, ConnectionLost, MailError, NoSuchFolder, NoSuchMessage, TooManyConnections
from app.sources import (
    NEW_AT_ONCE,
    Applied,
    Copy,
    Delta,
    Expunge,
    FlagState,
    FolderState,
    FolderStatus,
    Move,
    RemoteFolder,
    RemoteMessage,
    SearchField,
    SearchTerm,
    SourceAction,
    StoreFlags,
    StoreLabels,
)
from tests.fake_messages import (
    FIRST_RECEIVED,
    USUAL,
    FakeFolder,
    FakeMessage,
    remote_message,
    section_of,
    simple_message,
)


class Gate:
    """Where a session waits: `reached` is set when one stands there, `open` lets it and all others pass."""

    def __init__(self, after: int) -> None:
        self._left = after
        self.reached = threading.Event()
        self._opened = threading.Event()

    def open(self) -> None:
        self._opened.set()

    def pass_through(self) -> None:
        self._left -= 1
        if self._left < 0:
            self.reached.set()
            self._opened.wait(20)


class FakeServer:
    """Folders, who is connected, and faults to come.

    `failures` holds errors that the next calls raise, method name → errors in order ("connect" too); `calls` lists
    what was asked, as (method, folder or empty).  `gate` makes connect, headers, fetch or stream wait.
    """

    def __init__(self, *, can_idle: bool = True, has_modseq: bool = True, most_sessions: int = 10) -> None:
        self.can_idle = can_idle
        self.has_modseq = has_modseq
        self.most_sessions = most_sessions
        self.folders = {name: FakeFolder(name, role) for name, role in USUAL.items()}
        self.sessions: list[FakeSource] = []
        self.most_at_once = 0
        self.failures: dict[str, list[MailError]] = {}
        self.calls: list[tuple[str, str]] = []
        self.lock = threading.RLock()
        self._gates: dict[str, Gate] = {}
        self._delivered = 0

    def gate(self, method: str, after: int = 0) -> Gate:
        """From the call after the next `after` ones on, `method` waits until the gate is opened."""
        self._gates[method] = Gate(after)
        return self._gates[method]

    def pass_gate(self, method: str) -> None:
        if method in self._gates:
            self._gates[method].pass_through()

    def connect(self) -> FakeSource:
        self.pass_gate("connect")
        with self.lock:
            self.asked("connect")
            if len(self.sessions) >= self.most_sessions:
                raise TooManyConnections(f"at most {self.most_sessions} sessions")
            session = self.session()
            self.sessions.append(session)
            self.most_at_once = max(self.most_at_once, len(self.sessions))
            return session

    def session(self) -> FakeSource:
        """What `connect` gives: another kind of server gives another kind of source."""
        return FakeSource(self)

    def asked(self, method: str, folder: str = "") -> None:
        self.calls.append((method, folder))
        if self.failures.get(method):
            raise self.failures[method].pop(0)

    def deliver(self, raw: bytes, folder: str = "INBOX", flags: Iterable[str] = ()) -> int:
        with self.lock:
            self._delivered += 1
            received_at = FIRST_RECEIVED + timedelta(minutes=self._delivered)
            uid = self.get(folder).add(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), flags, received_at)
            self.ring(folder)
            return uid

    def deliver_many(self, number: int, folder: str = "INBOX") -> None:
        for i in range(1, number + 1):
            self.deliver(simple_message(f"{folder} {i}"), folder)

    def set_flags(self, folder: str, uid: int, flags: Iterable[str]) -> None:
        with self.lock:
            box = self.get(folder)
            box.modseq += 1
            box.messages[uid].flags, box.messages[uid].modseq = set(flags), box.modseq
            self.ring(folder)

    def expunge(self, folder: str, uid: int) -> None:
        with self.lock:
            self.get(folder).remove(uid)
            self.ring(folder)

    def start_over(self, folder: str) -> None:
        """A new UIDVALIDITY: the same messages under new UIDs."""
        with self.lock:
            old = self.get(folder)
            new = FakeFolder(folder, old.role, old.uidvalidity + 1, old.uidnext + 100)
            for message in old.messages.values():
                new.add(message.raw, message.flags, message.received_at)
            self.folders[folder] = new
            self.ring(folder)

    def break_connections(self) -> None:
        """Every session is dead from now on; new ones can be opened."""
        with self.lock:
            for session in list(self.sessions):
                session.lose()

    def get(self, folder: str) -> FakeFolder:
        if folder not in self.folders:
            raise NoSuchFolder(folder)
        return self.folders[folder]

    def ring(self, folder: str) -> None:
        for session in self.sessions:
            session.notice(folder)


class FakeSource:
    """One session; see MailSource."""

    caches_bodies = True
    is_gmail = False

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._lost = False
        self._watched: str | None = None
        self._told: dict[str, int] = {}  # folder → MODSEQ when changes were last asked for
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self.can_idle = server.can_idle

    def lose(self) -> None:
        """The connection breaks."""
        self._lost = True
        self._ringer.close()
        if self in self._server.sessions:
            self._server.sessions.remove(self)

    def notice(self, folder: str) -> None:
        if self._watched == folder:
            with contextlib.suppress(BlockingIOError):  # rung often enough
                self._ringer.send(b"!")

    def _ask(self, method: str, folder: str = "") -> FakeServer:
        if self._lost:
            raise ConnectionLost("the server closed the connection")
        assert self._watched is None or method in ("has_news", "stop_watching"), f"{method} while watching"
        self._server.asked(method, folder)
        return self._server

    def folders(self) -> Sequence[RemoteFolder]:
        with self._server.lock:
            server = self._ask("folders")
            return [
                RemoteFolder(box.name, "/", box.role, subscribed=box.subscribed, status=self._status(box))
                for box in server.folders.values()
            ]

    def _status(self, box: FakeFolder) -> FolderStatus:
        modseq = box.modseq if self._server.has_modseq else None
        return FolderStatus(box.uidvalidity, box.uidnext, len(box.messages), box.unseen, modseq)

    def changes(self, folder: str, since: FolderState | None, known: Sequence[int]) -> Delta:
        with self._server.lock:
            box = self._ask("changes", folder).get(folder)
            self._told[folder] = box.modseq
            reset = since is not None and since.uidvalidity != box.uidvalidity
            had = set() if reset else set(known)
            unknown = sorted(box.messages.keys() - had, reverse=True)
            since_modseq = since.highestmodseq if since and not reset else None
            return Delta(
                state=FolderState(box.uidvalidity, box.uidnext, self._status(box).highestmodseq),
                messages=len(box.messages),
                unseen=box.unseen,
                reset=reset,
                flags=self._changed_flags(box, had, since_modseq),
                vanished=frozenset(had - box.messages.keys()),
                new=[remote_message(box.messages[uid]) for uid in unknown[:NEW_AT_ONCE]],
                unfetched=unknown[NEW_AT_ONCE:],
            )

    def _changed_flags(self, box: FakeFolder, had: set[int], since: int | None) -> Mapping[int, FlagState]:
        changed = [box.messages[uid] for uid in sorted(had & box.messages.keys())]
        return {
            message.uid: FlagState(frozenset(message.flags), message.modseq)
            for message in changed
            if since is None or message.modseq > since
        }

    def _open(self, method: str, folder: str, uidvalidity: int | None) -> FakeFolder:
        box = self._ask(method, folder).get(folder)
        if uidvalidity not in (None, box.uidvalidity):
            raise NoSuchMessage
        return box

    def headers(
        self, folder: str, uids: Sequence[int], uidvalidity: int | None = None
    ) -> Iterator[Sequence[RemoteMessage]]:
        for start in range(0, len(uids), 200):
            self._server.pass_gate("headers")
            with self._server.lock:
                box = self._open("headers", folder, uidvalidity)
                chunk = [remote_message(box.messages[uid]) for uid in uids[start : start + 200] if uid in box.messages]
            yield chunk

    def _get(self, method: str, folder: str, uid: int, uidvalidity: int | None) -> FakeMessage:
        box = self._open(method, folder, uidvalidity)
        if uid not in box.messages:
            raise NoSuchMessage
        return box.messages[uid]

    def fetch(
        self, folder: str, uid: int, sections: Sequence[str], uidvalidity: int | None = None
    ) -> Mapping[str, bytes]:
        self._server.pass_gate("fetch")
        with self._server.lock:
            message = self._get("fetch", folder, uid, uidvalidity)
            return {section: section_of(message.raw, section) for section in sections}

    def stream(
        self, folder: str, uid: int, section: str, chunk_octets: int, uidvalidity: int | None = None
    ) -> Iterator[bytes]:
        self._server.pass_gate("stream")
        with self._server.lock:
            octets = section_of(self._get("stream", folder, uid, uidvalidity).raw, section)
        for start in range(0, len(octets), chunk_octets):
            yield octets[start : start + chunk_octets]

    def previews(
        self, folder: str, wanted: Mapping[int, str], octets: int, uidvalidity: int | None = None
    ) -> Mapping[int, bytes]:
        with self._server.lock:
            box = self._open("previews", folder, uidvalidity)
            found = [(uid, section) for uid, section in wanted.items() if uid in box.messages]
            return {uid: section_of(box.messages[uid].raw, section)[:octets] for uid, section in found}

    def apply(self, action: SourceAction) -> Applied:
        with self._server.lock:
            box = self._ask("apply", action.folder).get(action.folder)
            here = [uid for uid in action.uids if uid in box.messages]
            match action:
                case StoreFlags():
                    return self._store(box, here, action)
                case Expunge():
                    for uid in here:
                        box.remove(uid)
                    return Applied()
                case StoreLabels():
                    raise ActionRefused("no labels here")
                case Move() | Copy():
                    return self._copy(box, here, self._server.get(action.target), isinstance(action, Move))

    def _store(self, box: FakeFolder, uids: Sequence[int], action: StoreFlags) -> Applied:
        for uid in uids:
            box.modseq += 1
            message = box.messages[uid]
            message.flags = (message.flags | action.add) - action.remove
            message.modseq = box.modseq
        return Applied()

    def _copy(self, box: FakeFolder, uids: Sequence[int], target: FakeFolder, moves: bool) -> Applied:
        copied = {}
        for uid in uids:
            message = box.messages[uid]
            copied[uid] = target.add(message.raw, message.flags, message.received_at)
            if moves:
                box.remove(uid)
        return Applied(copied, target.uidvalidity)

    def append(
        self, folder: str, message: bytes, flags: Iterable[str], received_at: datetime | None = None
    ) -> int | None:
        with self._server.lock:
            box = self._ask("append", folder).get(folder)
            uid = box.add(message, flags, received_at or FIRST_RECEIVED)
            self._server.ring(folder)
            return uid

    def find_by_message_id(self, folder: str, message_id: str) -> Sequence[int]:
        with self._server.lock:
            box = self._ask("find_by_message_id", folder).get(folder)
            wanted = f"<{message_id}>"
            return [m.uid for m in box.messages.values() if email.message_from_bytes(m.raw)["Message-ID"] == wanted]

    def search(self, folder: str, terms: Sequence[SearchTerm]) -> Sequence[int]:
        """By a look at every message; of the flags only \\Seen, \\Flagged and \\Answered."""
        with self._server.lock:
            box = self._ask("search", folder).get(folder)
            return [uid for uid, message in sorted(box.messages.items()) if all(holds(term, message) for term in terms)]

    def labelled(self, folder: str, label: str) -> Sequence[int]:
        with self._server.lock:
            box = self._ask("labelled", folder).get(folder)
            return [uid for uid, message in sorted(box.messages.items()) if label in message.labels]

    def create_folder(self, name: str) -> None:
        with self._server.lock:
            self._ask("create_folder", name).folders.setdefault(name, FakeFolder(name))

    def rename_folder(self, name: str, new_name: str) -> None:
        with self._server.lock:
            server = self._ask("rename_folder", name)
            box = server.get(name)
            del server.folders[name]
            box.name = new_name
            server.folders[new_name] = box

    def delete_folder(self, name: str) -> None:
        with self._server.lock:
            self._ask("delete_folder", name).folders.pop(name, None)

    def subscribe(self, name: str, *, subscribed: bool) -> None:
        with self._server.lock:
            self._ask("subscribe", name).get(name).subscribed = subscribed

    def start_watching(self, folder: str) -> int:
        with self._server.lock:
            box = self._ask("start_watching", folder).get(folder)
            self._watched = folder
            if self._told.get(folder, box.modseq) != box.modseq:  # pending responses come with the next command
                self.notice(folder)
            return self._bell.fileno()

    def has_news(self) -> bool:
        with self._server.lock:
            self._ask("has_news")
            try:
                return bool(self._bell.recv(4096))
            except BlockingIOError:
                return False

    def has_other_news(self) -> bool:
        return False

    def stop_watching(self) -> None:
        with self._server.lock:
            self._ask("stop_watching")
            self._watched = None

    def noop(self) -> None:
        self._ask("noop")

    def close(self) -> None:
        with self._server.lock:
            self._lost = True
            self._bell.close()
            self._ringer.close()
            if self in self._server.sessions:
                self._server.sessions.remove(self)


def holds(term: SearchTerm, message: FakeMessage) -> bool:
    """Whether a term of a search holds for a message (RFC 9051 §6.4.4)."""
    return _found(term, message) is not term.negated


def _found(term: SearchTerm, message: FakeMessage) -> bool:
    header, _, body = message.raw.decode("utf-8", "replace").casefold().partition("\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in header.split("\r\n") if ": " in line)
    text = str(term.value).casefold()
    where = {
        SearchField.ANY: f"{header}\r\n\r\n{body}",
        SearchField.FROM: fields.get("from", ""),
        SearchField.TO: f"{fields.get('to', '')} {fields.get('cc', '')}",
        SearchField.SUBJECT: fields.get("subject", ""),
        SearchField.BODY: body,
    }
    flags = {SearchField.UNREAD: "\\Seen", SearchField.STARRED: "\\Flagged", SearchField.ANSWERED: "\\Answered"}
    if term.field in where:
        return text in where[term.field]
    if term.field in flags:
        return (flags[term.field] in message.flags) is (term.field is not SearchField.UNREAD)
    return True
