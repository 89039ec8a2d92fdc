"""The Bus seam: what rings, who listens, what is promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self


class Topic(StrEnum):
    """What a bell says; `Bell.subject` is the id of the row to look at."""

    ACTIONS = "actions"  # account: it has actions to carry out
    BODY_WANTED = "body-wanted"  # account: someone waits for a body_request
    OUTBOX = "outbox"  # account: it has something to send, or a draft to file
    ACCOUNT = "account"  # account: added, changed, paused or removed: the engine looks at its row again
    FOLDER = "folder"  # folder: its mirror changed
    TREE = "tree"  # user: folders, counts or an account's state changed
    BODY_READY = "body-ready"  # body_request: carried out, or failed
    SEARCH = "search"  # account: its server is to be searched
    FOUND = "found"  # user: a server has searched, at least some of it
    SENT = "sent"  # user: an outbox row changed state
    STORAGE = "storage"  # a hosted folder, by the storage's id: messages came, went or changed
    STORAGE_TREE = "storage-tree"  # a hosted mailbox, by the storage's id: folders came, went or were renamed
    DELIVERY = "delivery"  # 0: mail waits to go to other servers
    MACHINES = "machines"  # 0: the desired or actual state of a service changed
    SETTINGS = "settings"  # 0: the mode or another site-wide setting changed


MAX_DIGITS = 18  # an id fits a signed 64-bit integer
TOPICS = frozenset(topic.value for topic in Topic)


@dataclass(frozen=True, slots=True)
class Bell:
    """One ring: a topic and the id of the row it is about."""

    topic: Topic
    subject: int = 0

    def encode(self) -> str:
        return f"{self.topic} {self.subject}"

    @classmethod
    def decode(cls, text: str) -> Bell | None:
        """The bell in `text`, or None for anything that is not one (another version's, or noise)."""
        topic, _, subject = text.partition(" ")
        if topic not in TOPICS or not (subject.isascii() and subject.isdecimal() and len(subject) <= MAX_DIGITS):
            return None
        return cls(Topic(topic), int(subject))


class Subscription(Protocol):
    """One listener's ear; a context manager that stops listening when left."""

    def wait(self, timeout_s: float) -> Sequence[Bell]:
        """The bells that rang since the last call, waiting at most `timeout_s` for the first; empty on time-out."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_error: object) -> None: ...


class Bus(Protocol):
    """At most once, unordered, p99 ≤ 5 ms.  Ringing never blocks and never raises; safe from any thread."""

    def ring(self, *bells: Bell) -> None: ...

    def subscribe(self) -> Subscription: ...

    def close(self) -> None:
        """Let go of what ringing needed; subscriptions are closed by their owners."""
        ...
