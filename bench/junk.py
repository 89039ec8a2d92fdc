"""The junk filter: what it finds of a corpus cut in halves by seed, and its CPU: `python -m bench.junk CORPUS`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

from app.clock import SystemClock
from app.extension_api import Base, Database
from bench.report import head, row
from mailsite_ext import tables
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.junk import memory
from mailsite_ext.junk.judging import JunkFilters
from mailsite_ext.junk.score import Learned
from mailsite_ext.junk.words import words_of
from tests.mailsite.junk.halves import judge_half, read_corpus

assert tables
SEEDS = range(16)
NAME = "ada"


def main() -> None:
    corpus = Path(sys.argv[1])
    print_rates(corpus)
    with tempfile.TemporaryDirectory(prefix="satchel-bench-") as work:
        print_costs([path.read_bytes() for path in sorted(corpus.glob("*.eml"))], Path(work))


def print_rates(corpus: Path) -> None:
    letters = read_corpus(corpus)
    rates = [judge_half(letters, seed) for seed in SEEDS]
    head("seed", "junk found", "good taken for junk")
    for seed, rate in zip(SEEDS, rates, strict=True):
        row(seed, f"{rate.junk:.1%}", f"{rate.good:.2%}")
    row("mean", f"{fmean(rate.junk for rate in rates):.1%}", f"{fmean(rate.good for rate in rates):.2%}")


def print_costs(messages: Sequence[bytes], folder: Path) -> None:
    """Milliseconds of CPU a message, on SQLite, with the filter of one who taught it half of them."""
    database = Database(f"sqlite:///{folder}/public.db")
    Base.metadata.create_all(database.engine)

    half = len(messages) // 2
    mailbox = make_mailbox(database)
    learning = cpu_ms(lambda each: learn(database, mailbox, each), messages[:half])
    filters = JunkFilters(database)
    known = [len(words_of(each)) for each in messages]
    head("CPU of one message, ms", "words", "learn", "judge", "nobody's filter", "rows asked for, mean", "most")
    row(
        "",
        f"{cpu_ms(words_of, messages):.2f}",
        f"{learning:.2f}",
        f"{cpu_ms(lambda each: filters.judge([NAME], each), messages[half:]):.2f}",
        f"{cpu_ms(lambda each: filters.judge(['nobody'], each), messages[half:]):.2f}",
        f"{fmean(known):.0f}",
        max(known),
    )
    database.dispose()


def make_mailbox(database: Database) -> int:
    with database.session() as db:
        made = Mailbox(name=NAME, scram_salt=b"", scram_iterations=1, created_at=SystemClock().now())
        db.add(made)
        db.commit()
        return made.id


def learn(database: Database, mailbox: int, message: bytes) -> None:
    with database.session() as db:
        memory.count(db, mailbox, words_of(message), Learned(1, 1), SystemClock().now())
        memory.age(db, mailbox)
        db.commit()


def cpu_ms(operation: Callable[[bytes], object], messages: Sequence[bytes]) -> float:
    begun = time.process_time()
    for each in messages:
        operation(each)
    return (time.process_time() - begun) * 1_000 / len(messages)


if __name__ == "__main__":
    main()
