"""Storage engines against a simple model, by random walks: whatever is done in whatever order, both say the same."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mailsite_ext.errors import MailboxFull
from mailsite_ext.storage.values import FIRST_FOLDERS, Delivery, FlagMode, Placement
from tests.conftest import FakeClock
from tests.mailsite.storage.engines import NOON, Place, content, mail, needs_engine
from tests.mailsite.storage.model import ModelFolder, check_folder

FLAGS = st.frozensets(st.sampled_from(["\\Seen", "\\Deleted", "\\Flagged", "$Junk", "work"]), max_size=3)
UIDS = st.lists(st.integers(1, 12), max_size=6)
# Some share an attachment, so that it is cut out and kept once (O2).
LARGE = (
    "--b\r\n\r\nsee the attachment\r\n--b\r\nContent-Type: a/b\r\n\r\n" + "0123456789abcdef" * 1_100 + "\r\n--b--\r\n"
)
TEXTS = st.sampled_from(["short\r\n", "", "other text\r\n" * 20, LARGE])
LIMITS = st.sampled_from([None, 0, 400, 3_000, 10**6])


def message(number: int, text: str) -> bytes:
    head = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n" if text is LARGE else b""
    return head + mail(f"number {number}", text)


class Walk(RuleBasedStateMachine):
    make_place: Callable[[], Place]
    folders = Bundle("folders")

    def __init__(self):
        super().__init__()
        self.number = 0
        self.limit = None
        self.known: dict[str, ModelFolder] = {}
        self.subscribed: set[str] = set()

    @initialize(target=folders)
    def begin(self):
        self.place = type(self).make_place()
        self.storage = self.place.open(remembered_steps=4, grace_s=0)
        self.storage.remove_mailbox("alice")
        self.storage.create_mailbox("alice")
        for name in ("INBOX", "Sent"):
            self._learn(name)
        self.subscribed = {name for name, _role in FIRST_FOLDERS}
        return multiple("INBOX", "Sent")

    def _learn(self, name):
        folder = self.storage.find_folder("alice", name)
        self.known[name] = ModelFolder(folder.id, folder.uidvalidity, modseq=folder.highestmodseq)

    def _octets(self):
        return sum(len(one.data) for folder in self.known.values() for one in folder.messages.values())

    def _has_room(self, octets):
        return self.limit is None or self._octets() + octets <= self.limit

    def _data(self, texts):
        self.number += len(texts)
        return [message(self.number - n, text) for n, text in enumerate(texts)]

    @rule(name=folders, texts=st.lists(TEXTS, max_size=3), flags=FLAGS)
    def append(self, name, texts, flags):
        folder, data = self.known[name], self._data(texts)
        done = self.storage.append(folder.id, [(content(one), flags, NOON) for one in data])
        if not self._has_room(sum(map(len, data))):
            assert isinstance(done.exception(30), MailboxFull)
            return
        assert [one.uid for one in done.result(30)] == [folder.add(one, flags) for one in data]

    @rule(names=st.lists(folders, min_size=1, max_size=3, unique=True), text=TEXTS, flags=FLAGS)
    def deliver(self, names, text, flags):
        head, [data] = b"Delivered-To: alice\r\n", self._data([text])
        placements = [Placement("alice", name, head, flags) for name in names]
        done = self.storage.deliver(Delivery(content(data), placements, NOON))
        if not self._has_room((len(head) + len(data)) * len(names)):
            assert isinstance(done.exception(30), MailboxFull)
            return
        assert [one.uid for one in done.result(30)] == [self.known[name].add(head + data, flags) for name in names]

    @rule(name=folders, uids=UIDS, mode=st.sampled_from(FlagMode), flags=FLAGS)
    def store_flags(self, name, uids, mode, flags):
        folder = self.known[name]
        expected = set()
        for uid in set(uids) & folder.messages.keys():
            one = folder.messages[uid]
            after = {
                FlagMode.ADD: one.flags | flags,
                FlagMode.REMOVE: one.flags - flags,
                FlagMode.REPLACE: set(flags),
            }[mode]
            expected |= {uid} if after != one.flags else set()
            one.flags = after
        assert set(self.storage.store_flags(folder.id, uids, mode, flags).changed) == expected

    @rule(source=folders, uids=UIDS, goal=folders, is_move=st.booleans())
    def copy(self, source, uids, goal, is_move):
        here, there = self.known[source], self.known[goal]
        found = sorted(set(uids) & here.messages.keys())
        if not is_move and not self._has_room(sum(len(here.messages[uid].data) for uid in found)):
            with pytest.raises(MailboxFull):
                self.storage.copy(here.id, uids, there.id)
            return
        copied = (self.storage.move if is_move else self.storage.copy)(here.id, uids, there.id)
        assert list(copied.source) == found
        assert list(copied.target) == [there.add(here.messages[uid].data, here.messages[uid].flags) for uid in found]
        for uid in found if is_move else ():
            del here.messages[uid]

    @rule(name=folders, uids=st.none() | UIDS, only_deleted=st.booleans())
    def expunge(self, name, uids, only_deleted):
        folder = self.known[name]
        gone = [
            uid
            for uid, one in folder.messages.items()
            if (uids is None or uid in uids) and (not only_deleted or "\\Deleted" in one.flags)
        ]
        assert list(self.storage.expunge(folder.id, uids, only_deleted=only_deleted).uids) == gone
        for uid in gone:
            del folder.messages[uid]

    @rule(target=folders)
    def create_folder(self):
        self.number += 1
        name = f"f{self.number}"
        self.storage.create_folder("alice", name)
        self._learn(name)
        return name

    @rule(target=folders, old=consumes(folders))
    def rename_folder(self, old):
        self.number += 1
        name = f"r{self.number}"
        self.storage.rename_folder(self.known[old].id, name)
        if old != "INBOX":
            self.known[name] = self.known.pop(old)
            return name
        self._learn(name)
        for uid, one in list(self.known["INBOX"].messages.items()):
            self.known[name].add(one.data, one.flags)
            del self.known["INBOX"].messages[uid]
        return multiple("INBOX", name)

    @rule(name=consumes(folders).filter(lambda name: name != "INBOX"))
    def delete_folder(self, name):
        self.storage.delete_folder(self.known.pop(name).id)

    @rule(name=folders)
    def subscribe(self, name):
        self.storage.subscribe("alice", name, subscribed=True)
        self.subscribed.add(name)

    @precondition(lambda self: self.subscribed)
    @rule(data=st.data())
    def unsubscribe(self, data):
        name = data.draw(st.sampled_from(sorted(self.subscribed)))
        self.storage.subscribe("alice", name, subscribed=False)
        self.subscribed.discard(name)

    @rule(limit=LIMITS)
    def set_quota(self, limit):
        self.storage.set_quota("alice", limit)
        self.limit = limit

    @rule()
    def collect_garbage(self):
        self.storage.collect_garbage()

    @rule()
    def open_again(self):
        self.storage.close()
        self.storage = self.place.open(remembered_steps=4, grace_s=0)

    @invariant()
    def agree(self):
        if not self.known:
            return
        for name, folder in self.known.items():
            assert check_folder(self.storage, folder).subscribed is (name in self.subscribed)
        assert set(self.storage.subscriptions("alice")) == self.subscribed
        quota = self.storage.quota("alice")
        assert (quota.used_octets, quota.limit_octets) == (self._octets(), self.limit)

    def teardown(self):
        if self.known:
            assert list(self.storage.verify()) == []
            self.place.close()


@pytest.mark.parametrize("kind", ["files", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_an_engine_is_its_model(kind, request, sqlite_template, tmp_path):
    needs_engine(kind)
    server = request.getfixturevalue("postgres_server") if kind == "postgres" else None
    url = server.copy("template_public") if server else ""
    numbers = count()

    def make_place() -> Place:
        """Each walk begins in a place of its own; in the one database of PostgreSQL, with a new mailbox."""
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        (folder / "public.db").write_bytes((sqlite_template / "satchel.db").read_bytes())
        return Place(kind, tmp_path if server else folder, url or f"sqlite:///{folder}/public.db", FakeClock())

    walk = type("Walk", (Walk,), {"make_place": staticmethod(make_place)})
    run_state_machine_as_test(
        walk,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    if server:
        server.drop(url)
