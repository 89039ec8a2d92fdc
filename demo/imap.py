"""A sample IMAP server (RFC 9051, with IDLE, MOVE, UIDPLUS and SPECIAL-USE), one thread a connection, one user.

For the demo where no Dovecot is installed.  It speaks to whoever knows the password on loopback, and is no more than
that needs.
"""

from __future__ import annotations

import base64
import email
import re
import select
import socketserver
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from demo import grammar
from demo.grammar import quote
from demo.store import SPECIAL_USE, Mailbox, Store, Stored

CAPABILITIES = b"IMAP4rev1 LITERAL+ IDLE MOVE UIDPLUS SPECIAL-USE UNSELECT AUTH=PLAIN"
MAX_LITERAL_OCTETS = 50 * 1024 * 1024
PERMANENT_FLAGS = b"(\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)"


class Refused(Exception):
    """The command is answered NO (or BAD) with these words."""


class ImapServer(socketserver.ThreadingTCPServer):
    """Listens on loopback; `port` tells where."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, store: Store, login: str, password: str, port: int) -> None:
        self.store, self.login, self.password = store, login, password
        super().__init__(("127.0.0.1", port), Connection)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Connection(socketserver.StreamRequestHandler):
    """One client.  Commands are methods: `do_noop` answers NOOP."""

    server: ImapServer

    def setup(self) -> None:
        super().setup()
        self.store = self.server.store
        self.mailbox: Mailbox | None = None
        self.known: list[int] = []  # UIDs in the order the client counts them
        self.signed_in = False

    def handle(self) -> None:
        self.send(b"* OK [CAPABILITY %s] The sample mail server is ready" % CAPABILITIES)
        try:
            while line := self.read_command():
                self.answer(line)
        except (ConnectionError, TimeoutError, OSError):
            return

    def send(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")

    def read_command(self) -> bytes:
        """A whole command, its literals included; empty at the end of the connection."""
        line = self.rfile.readline(65_536)
        while found := re.search(rb"\{(\d+)(\+?)\}\r\n\Z", line):
            size = int(found[1])
            if size > MAX_LITERAL_OCTETS:
                return b""
            if not found[2]:
                self.send(b"+ go on")
            line += self.rfile.read(size) + self.rfile.readline(65_536)
        return line

    def answer(self, line: bytes) -> None:
        tag, _, rest = line.removesuffix(b"\n").removesuffix(b"\r").partition(b" ")
        name, _, tail = rest.partition(b" ")
        by_uid = name.upper() == b"UID"
        if by_uid:
            name, _, tail = tail.partition(b" ")
        method = getattr(self, f"do_{name.decode('ascii', 'replace').lower()}", None)
        try:
            if method is None or not (self.signed_in or name.upper() in BEFORE_LOGIN):
                raise Refused("BAD this server does not know that command")
            arguments = grammar.parse_arguments(tail)
            with self.store.lock:
                words = method(by_uid, *arguments) if name.upper() in WITH_UIDS else method(*arguments)
            if name.upper() == b"IDLE":
                self.idle()
            self.tell_changes()
            self.send(b"%s OK %s" % (tag, words or b"done"))
        except Refused as refusal:
            kind, _, why = str(refusal).partition(" ")
            self.send(b"%s %s %s" % (tag, kind.encode(), why.encode()))
        except (ValueError, TypeError, IndexError):
            self.send(b"%s BAD the arguments cannot be read" % tag)

    # Any state

    def do_capability(self) -> None:
        self.send(b"* CAPABILITY " + CAPABILITIES)

    def do_noop(self) -> None: ...

    do_check = do_noop

    def do_logout(self) -> None:
        self.send(b"* BYE until next time")

    def do_login(self, login: bytes, password: bytes) -> bytes:
        if (login.decode(), password.decode()) != (self.server.login, self.server.password):
            raise Refused("NO [AUTHENTICATIONFAILED] That name and password do not match.")
        self.signed_in = True
        return b"[CAPABILITY %s] welcome" % CAPABILITIES

    def do_authenticate(self, _mechanism: bytes, initial: bytes | None = None) -> bytes:
        if initial is None:
            self.send(b"+ ")
            initial = self.rfile.readline(8_192).strip()
        _, login, password = base64.b64decode(initial).split(b"\0")
        return self.do_login(login, password)

    # Folders

    def do_list(self, *_arguments: Any) -> None:
        for name, mailbox in sorted(self.store.mailboxes.items()):
            use = SPECIAL_USE.get(name, "")
            flags = b"\\HasNoChildren" + (b" " + use.encode() if use else b"")
            self.send(b'* LIST (%s) "/" %s' % (flags, quote(mailbox.name.encode("ascii", "replace"))))

    def do_lsub(self, *_arguments: Any) -> None:
        for name in sorted(self.store.mailboxes):
            self.send(b'* LSUB () "/" %s' % quote(name.encode("ascii", "replace")))

    def do_subscribe(self, _name: bytes) -> None: ...

    do_unsubscribe = do_subscribe

    def do_create(self, name: bytes) -> None:
        self.store.create(name.decode().rstrip("/"))

    def do_delete(self, name: bytes) -> None:
        if self.folder(name).name in {"INBOX", *SPECIAL_USE}:
            raise Refused("NO [CANNOT] that folder stays")
        del self.store.mailboxes[name.decode()]

    def do_rename(self, name: bytes, new_name: bytes) -> None:
        mailbox = self.folder(name)
        del self.store.mailboxes[mailbox.name]
        mailbox.name = new_name.decode()
        self.store.mailboxes[mailbox.name] = mailbox

    def do_status(self, name: bytes, items: list[bytes]) -> None:
        mailbox = self.folder(name)
        values = {
            b"MESSAGES": len(mailbox.messages),
            b"UNSEEN": mailbox.unseen,
            b"UIDNEXT": mailbox.uidnext,
            b"UIDVALIDITY": mailbox.uidvalidity,
            b"RECENT": 0,
        }
        told = b" ".join(b"%s %d" % (item.upper(), values[item.upper()]) for item in items if item.upper() in values)
        self.send(b"* STATUS %s (%s)" % (quote(name), told))

    def do_select(self, name: bytes, *_parameters: Any) -> bytes:
        self.mailbox = mailbox = self.folder(name)
        self.known = [message.uid for message in mailbox.messages]
        self.send(b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)")
        self.send(b"* OK [PERMANENTFLAGS %s] these stay" % PERMANENT_FLAGS)
        self.send(b"* %d EXISTS" % len(self.known))
        self.send(b"* 0 RECENT")
        self.send(b"* OK [UIDVALIDITY %d] of this folder" % mailbox.uidvalidity)
        self.send(b"* OK [UIDNEXT %d] comes next" % mailbox.uidnext)
        return b"[READ-WRITE] selected"

    do_examine = do_select

    def do_unselect(self) -> None:
        self.mailbox, self.known = None, []

    do_close = do_unselect

    def folder(self, name: bytes) -> Mailbox:
        found = self.store.mailboxes.get("INBOX" if name.upper() == b"INBOX" else name.decode())
        if found is None:
            raise Refused("NO [NONEXISTENT] there is no such folder")
        return found

    # Messages

    def selected(self) -> Mailbox:
        if self.mailbox is None:
            raise Refused("BAD no folder is selected")
        return self.mailbox

    def chosen(self, by_uid: bool, numbers: bytes) -> list[tuple[int, Stored]]:
        """Messages of a set with their sequence numbers, by UID or by sequence number."""
        rows = {message.uid: message for message in self.selected().messages}
        highest = max(self.known, default=0) if by_uid else len(self.known)
        ranges = grammar.numbers_in(numbers.decode(), highest)
        return [
            (number, rows[uid])
            for number, uid in enumerate(self.known, 1)
            if uid in rows and any(low <= (uid if by_uid else number) <= high for low, high in ranges)
        ]

    def do_fetch(self, by_uid: bool, numbers: bytes, items: bytes | list[bytes], *_modifiers: Any) -> None:
        wanted = items if isinstance(items, list) else [items]
        if by_uid and not any(item.upper() == b"UID" for item in wanted):
            wanted = [b"UID", *wanted]
        for number, message in self.chosen(by_uid, numbers):
            parsed = email.message_from_bytes(message.octets)
            told = b" ".join(fetched(message, parsed, item) for item in wanted)
            self.send(b"* %d FETCH (%s)" % (number, told))

    def do_store(self, by_uid: bool, numbers: bytes, how: bytes, flags: bytes | list[bytes]) -> None:
        named = {flag.decode() for flag in (flags if isinstance(flags, list) else [flags])}
        for number, message in self.chosen(by_uid, numbers):
            if how.startswith(b"+"):
                message.flags |= named
            elif how.startswith(b"-"):
                message.flags -= named
            else:
                message.flags = set(named)
            if not how.upper().endswith(b".SILENT"):
                self.send(b"* %d FETCH (UID %d FLAGS %s)" % (number, message.uid, flag_list(message)))
        self.selected().ring()

    def do_copy(self, by_uid: bool, numbers: bytes, target: bytes) -> bytes:
        return self.copied([message for _, message in self.chosen(by_uid, numbers)], self.folder(target))

    def do_move(self, by_uid: bool, numbers: bytes, target: bytes) -> None:
        messages = [message for _, message in self.chosen(by_uid, numbers)]
        self.send(b"* OK " + self.copied(messages, self.folder(target)))
        self.selected().remove(message.uid for message in messages)

    def copied(self, messages: Sequence[Stored], target: Mailbox) -> bytes:
        """Copy, and say the new UIDs (COPYUID, RFC 4315)."""
        if not messages:
            return b"nothing to copy"
        new = [target.add(message.octets, message.flags, message.received_at) for message in messages]
        old_uids, new_uids = (",".join(map(str, uids)).encode() for uids in ([m.uid for m in messages], new))
        return b"[COPYUID %d %s %s] copied" % (target.uidvalidity, old_uids, new_uids)

    def do_expunge(self, by_uid: bool, numbers: bytes = b"1:*") -> None:
        chosen = self.chosen(by_uid, numbers)
        self.selected().remove(message.uid for _, message in chosen if "\\Deleted" in message.flags)

    def do_append(self, name: bytes, *rest: Any) -> bytes:
        flags = next((item for item in rest if isinstance(item, list)), [])
        mailbox = self.folder(name)
        uid = mailbox.add(rest[-1], [flag.decode() for flag in flags], datetime.now(UTC))
        return b"[APPENDUID %d %d] stored" % (mailbox.uidvalidity, uid)

    def do_search(self, by_uid: bool, *terms: Any) -> None:
        rows = {message.uid: message for message in self.selected().messages}
        hits = [
            uid if by_uid else n for n, uid in enumerate(self.known, 1) if uid in rows and matches(rows[uid], terms)
        ]
        self.send(b"* SEARCH" + b"".join(b" %d" % hit for hit in hits))

    # News

    def do_idle(self) -> None: ...

    def idle(self) -> None:
        """IDLE (RFC 2177): changes are told until the client says DONE."""
        self.send(b"+ idling")
        while not select.select([self.connection], [], [], 0.3)[0]:
            self.tell_changes()
        self.rfile.readline(100)

    def tell_changes(self) -> None:
        """EXPUNGE for what went, EXISTS for what came."""
        if self.mailbox is None:
            return
        with self.store.lock:
            present = [message.uid for message in self.mailbox.messages]
        for number in range(len(self.known), 0, -1):
            if self.known[number - 1] not in present:
                self.send(b"* %d EXPUNGE" % number)
                del self.known[number - 1]
        if len(present) != len(self.known):
            self.known = present
            self.send(b"* %d EXISTS" % len(present))


BEFORE_LOGIN = {b"CAPABILITY", b"NOOP", b"LOGIN", b"AUTHENTICATE", b"LOGOUT"}
WITH_UIDS = {b"FETCH", b"STORE", b"COPY", b"MOVE", b"EXPUNGE", b"SEARCH"}


def flag_list(message: Stored) -> bytes:
    return b"(%s)" % " ".join(sorted(message.flags)).encode()


def fetched(message: Stored, parsed: email.message.Message, item: bytes) -> bytes:
    """One FETCH item and its value."""
    name = item.upper()
    if name.startswith(b"BODY") and b"[" in item:
        return fetched_section(message, parsed, item)
    simple = {
        b"UID": lambda: b"%d" % message.uid,
        b"FLAGS": lambda: flag_list(message),
        b"RFC822.SIZE": lambda: b"%d" % len(message.octets),
        b"INTERNALDATE": lambda: b'"%s"' % message.received_at.strftime("%d-%b-%Y %H:%M:%S +0000").encode(),
        b"BODYSTRUCTURE": lambda: grammar.bodystructure(parsed),
    }
    if name not in simple:
        raise Refused("BAD this server does not tell " + item.decode("ascii", "replace"))
    return name + b" " + simple[name]()


def fetched_section(message: Stored, parsed: email.message.Message, item: bytes) -> bytes:
    section = item[item.index(b"[") + 1 : item.rindex(b"]")].decode()
    octets = grammar.section_of(parsed, message.octets, section)
    start = re.search(rb"<(\d+)\.(\d+)>\Z", item)
    told = b"BODY[%s]" % section.encode()
    if start and octets is not None:
        first = int(start[1])
        octets = octets[first : first + int(start[2])]
        told += b"<%d>" % first
    return told + b" " + (b"NIL" if octets is None else b"{%d}\r\n%s" % (len(octets), octets))


def matches(message: Stored, terms: Iterable[Any]) -> bool:
    """The few SEARCH keys our own client sends: HEADER Message-ID, flags, UID sets, ALL."""
    rest = list(terms)
    while rest:
        key = rest.pop(0)
        word = key.upper() if isinstance(key, bytes) else b""
        if word == b"HEADER":
            field, value = rest.pop(0), rest.pop(0)
            found = email.message_from_bytes(message.octets).get(field.decode(), "")
            if value.decode().lower() not in str(found).lower():
                return False
        elif word == b"UID":
            ranges = grammar.numbers_in(rest.pop(0).decode(), message.uid)
            if not any(low <= message.uid <= high for low, high in ranges):
                return False
        elif word in (b"UNSEEN", b"SEEN", b"DELETED", b"UNDELETED"):
            flag = "\\Seen" if b"SEEN" in word else "\\Deleted"
            if (flag in message.flags) is word.startswith(b"UN"):
                return False
    return True
