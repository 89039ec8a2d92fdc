"""What is done often costs the same with 5,000 messages in a folder as with 100: the work of SQLite is counted (P7)."""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa

from mailsite_ext.storage.values import Column, FlagMode
from tests.mailsite.storage.engines import add, deliver, inbox_of, mail

SMALL, LARGE = 100, 5_000

DEEDS = {
    "deliver": lambda storage, inbox: deliver(storage, mail("new"), "alice"),
    "append": lambda storage, inbox: add(storage, inbox, "new"),
    "flag one": lambda storage, inbox: storage.store_flags(
        inbox.id, [inbox.uidnext - 2], FlagMode.ADD, frozenset({f"k{inbox.uidnext}"})
    ),
    "select": lambda storage, inbox: (storage.get_folder(inbox.id), storage.find_first_unseen(inbox.id)),
    "list": lambda storage, inbox: storage.folders("alice"),
    "rows of 50": lambda storage, inbox: list(
        storage.rows(inbox.id, (Column.UID, Column.FLAGS, Column.ENVELOPE), range(inbox.uidnext - 50, inbox.uidnext))
    ),
    "news": lambda storage, inbox: storage.changes(inbox.id, inbox.highestmodseq - 1),
    "copy": lambda storage, inbox: storage.copy(inbox.id, [inbox.uidnext - 1], inbox.id),
    "by message id": lambda storage, inbox: storage.find_by_message_id(inbox.id, "one@example.org"),
    "read": lambda storage, inbox: storage.open_message(inbox.id, inbox.uidnext - 1).close(),
    "expunge the deleted": lambda storage, inbox: storage.expunge(inbox.id),
    "quota": lambda storage, inbox: storage.quota("alice"),
}


def fill(storage, count):
    """Seen, but for a few new ones; one is deleted; by copies, which is quick."""
    inbox = inbox_of(storage)
    add(storage, inbox, *map(str, range(50)), flags="\\Seen")
    while (left := count - inbox_of(storage).messages - 3) > 0:
        storage.copy(inbox.id, list(storage.uids(inbox.id))[:left], inbox.id)
    deliver(storage, mail("id", message_id="one@example.org"), "alice")
    add(storage, inbox, "two", "three")
    storage.store_flags(inbox.id, [3], FlagMode.ADD, frozenset({"\\Deleted"}))


@pytest.fixture
def counted(embedded_place):
    """A storage, and the instructions SQLite's machine ran for it."""
    storage = embedded_place.open()
    counts: Counter[str] = Counter()

    def listen(connection, _record):
        connection.set_progress_handler(lambda: counts.update(["steps"]), 1)

    storage.engine.dispose()
    sa.event.listen(storage.engine, "connect", listen)
    return storage, counts


def cost(storage, counts, deed):
    inbox = inbox_of(storage)
    counts.clear()
    DEEDS[deed](storage, inbox)
    return counts["steps"]


def test_costs_do_not_grow_with_the_folder(counted):
    storage, counts = counted
    fill(storage, SMALL)
    small = {deed: cost(storage, counts, deed) for deed in DEEDS}
    storage.remove_mailbox("alice")
    storage.create_mailbox("alice")
    fill(storage, LARGE)
    large = {deed: cost(storage, counts, deed) for deed in DEEDS}
    grown = {deed: (small[deed], large[deed]) for deed in DEEDS if large[deed] > 1.3 * small[deed] + 30}
    assert not grown
    assert min(small.values()) > 10  # it is counted at all


@pytest.mark.parametrize("embedded_place", ["sqlite"], indirect=True)
def test_all_deliveries_of_a_commit_cost_a_few_statements(embedded_place):
    storage = embedded_place.open()
    with storage.write() as step:
        link = type(step.link)
    statements = Counter()
    with pytest.MonkeyPatch.context() as patch:
        spelt = link._spelt

        def counting(self, statement):
            statements.update([statement.split(" ")[0]])
            return spelt(self, statement)

        patch.setattr(link, "_spelt", counting)
        deliver(storage, mail("one"), "alice")
        one = statements.total()
        deliver(storage, mail("two"), "alice", "bob")
    assert one <= 12
    assert statements.total() - one <= 12 + 2  # the second recipient's two rows
