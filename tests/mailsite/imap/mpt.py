"""Conversations that others wrote for their IMAP server (corpora/imap-mpt), compared by what they mean.

`C:` is said, `S:` expected as a regular expression; `SUB { }` may come in any order, `SESSION: n` changes the client.
Their wording is theirs: of a tagged response only the condition is compared.  Untagged responses are compared as
values, in any order, flags as sets; their hierarchy delimiter "." is "/".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.mailsite.dialogs import Client

NAMES_FOLDERS = ("CREATE", "DELETE", "RENAME", "SELECT", "EXAMINE", "STATUS", "LIST", "LSUB", "APPEND", "SUBSCRIBE")
FLAGS = re.compile(r"((?:FLAGS|PERMANENTFLAGS) \()([^()]*)\)")
DOT_IN_NAME = re.compile(r"(?<=[\w&%-])\.(?=[\w%*&])|(?<=\w)\.$")
FLAGS_WANTED = re.compile(r"((?:FLAGS|PERMANENTFLAGS) \\\()([\w\\* ]*)\\\)")
TEXT = re.compile(r"(\\?\* OK \\?\[[A-Z-]+).*")


@dataclass
class Exchange:
    """What one client says in one go, and what is expected of it."""

    session: str
    said: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)


def exchanges(path: Path) -> Iterator[Exchange]:
    current, session = Exchange("1"), "1"
    for line in path.read_text("latin-1").splitlines():
        if line.startswith("SESSION:"):
            session = line.partition(":")[2].strip()
        elif line == "REINIT":
            session += "'"  # a new connection
        elif line.startswith("C:"):
            if current.expected or current.session != session:
                yield current
                current = Exchange(session)
            current.said.append(line[3:])
        elif line.startswith("S:"):
            words = line[3:]
            if is_continuation(words, current):
                current.expected[-1] += "\r\n" + words
            else:
                current.expected.append(words)
    yield current


def is_continuation(words: str, current: Exchange) -> bool:
    return bool(current.expected) and not re.match(r"\\?\* |\\\+|(\S+ )?(OK|NO|BAD)", words)


class Conversation:
    """One dialog under way; `differ` are the places that docs/imap-differences.md explains."""

    def __init__(self, connect, *, signs_in: bool, own_folders: frozenset[str]) -> None:
        self._connect = connect
        self._signs_in = signs_in
        self._own = own_folders
        self._clients: dict[str, Client] = {}
        self.differences: list[tuple[str, str, str]] = []

    def run(self, path: Path) -> None:
        for exchange in exchanges(path):
            self._take(exchange)

    def close(self) -> None:
        for client in self._clients.values():
            client.socket.close()

    def _client(self, session: str) -> Client:
        if session not in self._clients:
            client = self._clients[session] = Client(self._connect("imap"))
            assert client.hear().startswith("* OK")
            if self._signs_in:
                client.say(b"login LOGIN imapuser password\r\n")
                assert client.hear().startswith("login OK")
        return self._clients[session]

    def _take(self, exchange: Exchange) -> None:
        client = self._client(exchange.session)
        if not exchange.said:
            return  # the greeting
        said = [with_slashes(line) for line in exchange.said[:1]] + exchange.said[1:]
        client.say("".join(line + "\r\n" for line in said).encode("latin-1"))
        heard = answers(client, until(exchange))
        self._compare(exchange, heard)

    def _compare(self, exchange: Exchange, heard: list[str]) -> None:
        """Every expected response has one of ours, and we say nothing else."""
        ours = with_first_numbers([canonical(one) for one in heard if not self._is_ours_alone(one)])
        for wanted in with_first_numbers(exchange.expected):
            pattern = pattern_of(wanted)
            if pattern is None:
                continue
            plain = re.sub(r"\\(.)", r"\1", pattern)  # not all that stands for itself is escaped there
            found = next((one for one in ours if one == plain or re.fullmatch(pattern, one, re.DOTALL)), None)
            if found is None:
                self.differences.append((exchange.said[0], wanted, "\n".join(ours)))
            else:
                ours.remove(found)
        left = [one for one in ours if not one.startswith("* OK [")]
        if left:
            self.differences.append((exchange.said[0], "", "\n".join(left)))

    def _is_ours_alone(self, answer: str) -> bool:
        if re.fullmatch(r"\* \d+ RECENT", answer):
            return True
        listed = re.match(r'\* (?:LIST .* "/"|STATUS) "([^"]*)"', answer)
        return bool(listed) and listed[1] in self._own


def with_first_numbers(responses: list[str]) -> list[str]:
    """EXPUNGE responses with the numbers messages had before the first of them: their order is free."""
    gone: list[int] = []
    found = []
    for response in responses:
        expunge = re.fullmatch(r"(\\?\* )(\d+)( EXPUNGE)", response)
        if expunge:
            number = int(expunge[2])
            for before in sorted(gone):
                number += before <= number
            gone.append(number)
            response = f"{expunge[1]}{number}{expunge[3]}"
        found.append(response)
    return found


def with_slashes(line: str) -> str:
    words = line.split(" ")
    if len(words) < 2 or words[1].upper() not in NAMES_FOLDERS:
        return line
    return " ".join([*words[:2], *(DOT_IN_NAME.sub("/", word) for word in words[2:])])


def pattern_of(wanted: str) -> str | None:
    """None for what is not compared."""
    if wanted.startswith(r"\+"):
        return r"\+.*"
    if wanted.startswith(r"\* BYE"):
        return r"\* BYE .*"
    tagged = re.match(r"([^ *]+) (OK|NO|BAD)\b", wanted)
    if tagged:
        return re.escape(tagged[1]) + " " + tagged[2] + " .*"
    if wanted.endswith(" RECENT"):
        return None
    if wanted.startswith(("OK", "NO")):
        return r"\S+ " + wanted[:2] + " .*"
    wanted = wanted.replace(" \\{0\\}\r\n", " (?:\\{0\\}\r\n|NIL)")  # of a part that is not there (RFC 9051 §7.5.2)
    wanted = re.sub(r" \{(\d+)\}", r" \\{\1\\}", wanted)
    wanted = FLAGS_WANTED.sub(lambda found: f"{found[1]}{_sorted(found[2].split())})", wanted)
    if r"\* LIST" in wanted:
        head, _, name = wanted.rpartition(" ")
        wanted = head.replace(r"\.", "/").replace('"."', '"/"') + " " + name.replace(r"\.", "/").replace(".", "/")
    status = re.fullmatch(r'(\\\* STATUS \\?".*\\?" \\\()(.*)\\\)', wanted)
    if status:
        return status[1] + " ".join(sorted(re.findall(r"[A-Z-]+ (?:\\\(.*?\\\)|\S+)", status[2]))) + r"\)"
    coded = TEXT.match(wanted)
    return coded[1] + ".*" if coded else wanted


def _sorted(flags: list[str]) -> str:
    return " ".join(sorted(flags, key=lambda flag: flag.strip("\\"))) + "\\"


def canonical(answer: str) -> str:
    """Flags in the order of the alphabet and UID behind them, as they stand over there."""
    status = re.fullmatch(r"(\* STATUS \".*\" \()(.*)\)", answer)
    if status:
        return status[1] + " ".join(sorted(re.findall(r"\S+ (?:\(.*?\)|\S+)", status[2]))) + ")"
    answer = FLAGS.sub(lambda found: found[1] + " ".join(sorted(found[2].split(), key=_by_name)) + ")", answer)
    return re.sub(r"\((UID \d+) (FLAGS \([^()]*\))", r"(\2 \1", answer)


def _by_name(flag: str) -> str:
    return flag.strip("\\")


def until(exchange: Exchange) -> str:
    """How the last line of the answer begins; empty: the connection ends, or should."""
    last = exchange.expected[-1] if exchange.expected else ""
    if last.startswith(r"\* BYE"):
        return ""
    if last.startswith(r"\+"):
        return "+"
    tagged = re.match(r"([^ *]+) (OK|NO|BAD)\b", last)
    return (tagged[1] if tagged else exchange.said[0].split(" ")[0]) + " "


def answers(client: Client, ends: str) -> list[str]:
    """Whole responses, their literals in them."""
    found: list[str] = []
    while line := client.hear():
        while literal := re.search(r"~?\{(\d+)\}$", line):
            octets = client.hear_octets(int(literal[1]))
            line += "\r\n" + octets.decode("utf-8", "replace") + client.hear()
        found.append(line)
        is_end = bool(re.match(r"\S+ (BYE|BAD|NO) ", line)) if not ends else line.startswith(ends)
        if is_end:
            break
    return found
