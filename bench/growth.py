"""What often-done work costs as a folder grows: `python -m bench.growth [--sizes 1000,50000,500000]` (P7).

CPU of this process, which is storage and IMAP commands in one; the sizes take turns, so that what else the machine
does falls on all of them.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from bench.host import MailHost
from bench.report import head, row
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.carry_out import carry_out
from mailsite_ext.imap.folder_maps import FolderMaps
from mailsite_ext.protocol.imap_reader import CommandReader
from mailsite_ext.settings.values import StorageKind
from mailsite_ext.storage.open import Storage, close_storage, open_storage
from mailsite_ext.storage.values import INBOX, Content, Delivery, Placement

ORIGINALS = 500
COPIED_AT_ONCE = 10_000
ROUNDS, WARMING = 40, 5
BODY = b"Of this line a message has a few, as letters of people do; they are seldom longer.\r\n" * 20


class Person:
    """Somebody with `messages` in the INBOX, seen but for every hundredth, looking at it through IMAP."""

    def __init__(self, storage: Storage, host: MailHost, messages: int) -> None:
        self.mailbox = f"p{messages}"
        self._storage = storage
        self._clock = host.parts.clock
        self._numbers = itertools.count()
        storage.create_mailbox(self.mailbox)
        found = storage.find_folder(self.mailbox, INBOX)
        assert found
        self.folder_id = found.id
        self._fill(messages)
        self.account = Account(storage, FolderMaps(storage), self.mailbox, self._clock, 1_000_000)
        self.say("SELECT INBOX")

    def _fill(self, messages: int) -> None:
        """A few by the way mail comes, the others as copies of those."""
        seen = [frozenset[str]() if number % 100 == 99 else frozenset({"\\Seen"}) for number in range(ORIGINALS)]
        few = [(self._content(), flags, None) for flags in seen[:messages]]
        self._storage.append(self.folder_id, few).result()
        while (left := messages - (there := self._storage.get_folder(self.folder_id).messages)) > 0:
            self._storage.copy(self.folder_id, range(1, 1 + min(left, there, COPIED_AT_ONCE)), self.folder_id)

    def _content(self) -> Content:
        number = next(self._numbers)
        data = (
            f"From: Ann <a@example.org>\r\nSubject: letter {number}\r\nMessage-ID: <{number}.{self.mailbox}@x>\r\n\r\n"
        )
        return Content(data.encode() + BODY, len(data) + len(BODY))

    def say(self, text: str) -> None:
        reader = CommandReader()
        reader.feed(f"a {text}\r\n".encode())
        command = reader.next_event()
        answer = b"".join(carry_out(self.account, command))  # type: ignore[arg-type]  # a whole command
        assert b"a OK" in answer, answer[-200:]

    def deliver(self) -> None:
        copy = Placement(self.mailbox, INBOX, b"Received: here\r\n")
        self._storage.deliver(Delivery(self._content(), [copy], self._clock.now())).result()

    def flag(self) -> None:
        self.say(f"UID STORE {next(self._numbers) % ORIGINALS + 1} +FLAGS (k{next(self._numbers) % 7})")

    def page(self) -> None:
        last = len(self.account.selected().uids)
        self.say(f"FETCH {last - 49}:{last} (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)")

    def hear_news(self) -> None:
        self.deliver()
        self.say("NOOP")

    def changes(self) -> None:
        folder = self._storage.get_folder(self.folder_id)
        self._storage.changes(folder.id, folder.highestmodseq - 1)


DEEDS: dict[str, Callable[[Person], None]] = {
    "SELECT": lambda person: person.say("SELECT INBOX"),
    "STATUS": lambda person: person.say("STATUS INBOX (MESSAGES UNSEEN UIDNEXT)"),
    "FETCH of 50": Person.page,
    "open one": lambda person: person.say("UID FETCH 7 BODY.PEEK[]"),
    "STORE of one": Person.flag,
    "delivery": Person.deliver,
    "delivery and its EXISTS": Person.hear_news,
    "delta of the webmail": Person.changes,
}


def main() -> int:
    """One table an engine: microseconds of CPU, and the ratio of the largest folder to the smallest."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--sizes", default="1000,50000,500000")
    sizes = [int(word) for word in parser.parse_args().sizes.split(",")]
    for kind in StorageKind:
        with tempfile.TemporaryDirectory(prefix="satchel-growth-") as work:
            measure(MailHost(Path(work), kind), kind, sizes)
    return 0


def measure(host: MailHost, kind: StorageKind, sizes: Sequence[int]) -> None:
    storage = open_storage(host.parts, host.settings)
    people = [Person(storage, host, size) for size in sizes]
    head(f"P7, {kind}: CPU µs with", *(f"{size:,}" for size in sizes), "ratio")
    for name, deed in DEEDS.items():
        taken = in_turns(people, deed)
        middles = [median(one) for one in taken]
        ratio = median(largest / smallest for smallest, largest in zip(taken[0], taken[-1], strict=True))
        row(name, *middles, f"{ratio:.2f}×")
    close_storage(host.parts)


def in_turns(people: Sequence[Person], deed: Callable[[Person], None]) -> list[list[float]]:
    """µs of CPU of each round, one list a person."""
    taken: list[list[float]] = [[] for _ in people]
    for round_number in range(WARMING + ROUNDS):
        for person, its in zip(people, taken, strict=True):
            before = time.process_time_ns()
            deed(person)
            if round_number >= WARMING:
                its.append((time.process_time_ns() - before) / 1000)
    return taken


if __name__ == "__main__":
    sys.exit(main())
