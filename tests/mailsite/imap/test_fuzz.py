"""However the octets are cut, and whatever is said: the same answers, and no fault of ours."""

from __future__ import annotations

import logging
import random
import re

import pytest

from app.bus.unix import UnixBus
from mailsite_ext.limits import Limits
from tests.mailsite.dialogs import Client
from tests.mailsite.listeners.imap_hosting import imap_hosting

TALK = (
    b"a1 LOGIN {3+}\r\nbob other\r\na2 SELECT INBOX\r\na3 APPEND INBOX (\\Seen) {8+}\r\nx: y\r\n\r\n\r\n"
    b"c1 APPEND Drafts CATENATE (TEXT {1+}\r\nx URL {2+}\r\n/x) {1+}\r\ny\r\n"
    b"a4 FETCH 1 (FLAGS BODY.PEEK[])\r\na5 IDLE\r\nDONE\r\na6 SEARCH TEXT {1+}\r\nx\r\na7 BOGUS {4+}\r\nab\r\n\r\n"
    b"a8 STORE 1 +FLAGS (\\Deleted)\r\na9 EXPUNGE\r\nb1 DELETE nowhere\r\nb2 LOGOUT\r\nb3 NOOP\r\n"
)
CHANGING = re.compile(rb"\[(APPENDUID|UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ|MAILBOXID)[^\]]*\]")


@pytest.fixture
def host(sql_storage, tmp_path, caplog):
    limits = Limits(bad_commands=10_000, connections_per_address=1_000)
    with imap_hosting(sql_storage, UnixBus(tmp_path / "bus"), tmp_path / "spool", limits=limits) as running:
        yield running
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


def everything(host, *pieces: bytes) -> bytes:
    """All that is said in answer, to the end of the connection."""
    with host.connect() as connection:
        for piece in pieces:
            connection.sendall(piece)
        heard = b""
        while more := connection.recv(65_536):
            heard += more
    return CHANGING.sub(b"", heard)


def test_octets_in_pieces(host):
    whole = everything(host, TALK)
    assert whole.count(b"a5 OK") == 1
    assert b"b2 OK" in whole
    assert b"b3" not in whole
    for cut in range(1, len(TALK)):
        assert everything(host, TALK[:cut], TALK[cut:]) == whole, TALK[:cut]
    assert everything(host, *(bytes([octet]) for octet in TALK)) == whole


def test_a_client_that_vanishes_anywhere(host):
    for cut in range(0, len(TALK), 3):
        with host.connect() as connection:
            connection.sendall(TALK[:cut])
    assert b"b2 OK" in everything(host, TALK)
    assert not list(host.spool_folder.iterdir())


WORDS = {
    "set": ["1", "1:*", "*", "2,4:1", "$", "4294967295", "1:2,5:7,*:3", "0", "x"],
    "name": ["INBOX", "inbox", "Trash", '"A b"', "New/Sub", '""', "&AOQ-", "&bad", "{5+}\r\nTrash", "*", "a" * 300],
    "flags": ["\\Seen", "(\\Seen \\Flagged)", "()", "($Work k)", "(\\Recent)", "\\Deleted", "(\\Deleted)"],
    "items": [
        "FLAGS", "(UID FLAGS MODSEQ)", "ALL", "FULL", "ENVELOPE", "BODY[]", "BODY.PEEK[HEADER.FIELDS (To From)]<0.9>",
        "BODY[1.2.3.MIME]", "BINARY[1]", "BINARY.SIZE[1]", "(PREVIEW (LAZY) SAVEDATE EMAILID THREADID)", "RFC822",
        "BODYSTRUCTURE", "(BODY.PEEK[TEXT]<5.0>)", "()", "BODY[0]", "INTERNALDATE RFC822.SIZE",
    ],
    "key": [
        "ALL", "UNSEEN", "SUBJECT x", "OR SEEN DELETED", "NOT (FLAGGED TEXT {2+}\r\nab)", "UID 1:*", "MODSEQ 1",
        "BEFORE 1-Jan-2026", "HEADER X-A \"\"", "LARGER 5 SMALLER 9", "$", "CHARSET UTF-8 BODY e", "KEYWORD k", "1:*",
    ],
    "modifier": ["", " (CHANGEDSINCE 1)", " (CHANGEDSINCE 1 VANISHED)", " (PARTIAL 1:2)", " (NONSENSE)"],
    "returns": ["", "RETURN () ", "RETURN (MIN MAX COUNT ALL) ", "RETURN (SAVE) ", "RETURN (PARTIAL -1:-3) "],
    "status": ["(MESSAGES)", "(UNSEEN SIZE HIGHESTMODSEQ)", "(DELETED-STORAGE)", "(X)", "()"],
    "uid": ["", "UID "],
    "sign": ["", "+", "-"],
    "silent": ["", ".SILENT"],
}  # fmt: skip
COMMANDS = [
    "NOOP", "CHECK", "CLOSE", "UNSELECT", "EXPUNGE", "UID EXPUNGE <set>", "CAPABILITY", "NAMESPACE", "IDLE\r\nDONE",
    "SELECT <name>", "EXAMINE <name>", "SELECT <name> (CONDSTORE)", "SELECT <name> (QRESYNC (1 1 1:9 (1 1)))",
    "CREATE <name>", "DELETE <name>", "RENAME <name> <name>", "SUBSCRIBE <name>", "UNSUBSCRIBE <name>",
    'LIST "" <name>', 'LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (CHILDREN STATUS <status>)', 'LSUB "" *',
    "STATUS <name> <status>", "<uid>FETCH <set> <items><modifier>", "<uid>STORE <set> <sign>FLAGS<silent> <flags>",
    "<uid>STORE <set> (UNCHANGEDSINCE 3) <sign>FLAGS <flags>", "<uid>COPY <set> <name>", "<uid>MOVE <set> <name>",
    "<uid>SEARCH <returns><key>", "<uid>SEARCH <returns><key> <key>", "<uid>SORT (REVERSE SIZE DATE) UTF-8 <key>",
    "<uid>THREAD REFERENCES UTF-8 <key>", "APPEND <name> <flags> {8+}\r\nx: y\r\n\r\n", "GETQUOTAROOT <name>",
    "APPEND INBOX {9+}\r\nto: a@b\r\n {8+}\r\nx: z\r\n\r\n", "<uid>REPLACE <set> INBOX {8+}\r\nx: n\r\n\r\n",
    "ENABLE QRESYNC IMAP4rev2 UTF8=ACCEPT", "ENABLE CONDSTORE", 'GETQUOTA ""', "NONSENSE <set>", "FETCH", "",
]  # fmt: skip


def some_command(choice: random.Random) -> str:
    template = choice.choice(COMMANDS)
    return re.sub(r"<(\w+)>", lambda found: choice.choice(WORDS[found[1]]), template)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_two_clients_say_is_answered(host, seed):
    choice = random.Random(seed)
    clients = [signed_in(host) for _ in range(2)]
    for number in range(150):
        client, tag = choice.choice(clients), f"t{number}"
        command = some_command(choice)
        client.say(f"{tag} {command}\r\n".encode())
        answer = until_tagged(client, tag)
        assert answer, command
        if answer.startswith("* BYE"):
            clients[clients.index(client)] = signed_in(host)
    for client in clients:
        client.socket.close()


def signed_in(host) -> Client:
    client = Client(host.connect())
    client.say(b"t LOGIN bob other\r\n")
    assert until_tagged(client, "t").startswith("t OK")
    return client


def until_tagged(client: Client, tag: str) -> str:
    """The tagged response; where a folder was removed under a client, it is gone and comes back as another."""
    while line := client.hear():
        if line.startswith("* BYE [UNAVAILABLE] The selected folder"):
            return line
        literal = re.search(r"~?\{(\d+)\}$", line)
        if literal:
            client.hear_octets(int(literal[1]))
        elif re.match(rf"{tag} (OK|NO|BAD) ", line):
            return line
    return ""
