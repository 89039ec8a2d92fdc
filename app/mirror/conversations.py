"""Which messages belong together: by Message-ID, References and In-Reply-To, never by subject (RFC 5256, JWZ).

Pure.  Every id a message names (its own and those it refers to) is a link; messages that share a link are one
conversation.  That makes the partition the same in whatever order messages come, newest first included.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MAX_FIRST_REFERENCES = 50
MAX_LAST_REFERENCES = 50
MAX_ID_OCTETS = 998  # a line, RFC 5322 §2.1.1
MESSAGE_ID = re.compile(r"<([^<>\s]{1,998})>", re.ASCII)


def id_hash(message_id: str) -> int:
    """63 bits of the BLAKE2b of a Message-ID: short in an index, and positive in SQL's 64-bit integers."""
    return hash_octets(message_id.encode("utf-8", "surrogateescape"))


def hash_octets(octets: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(octets, digest_size=8).digest()) >> 1


def message_ids(value: str) -> list[str]:
    """The ids in a field such as References, each once, without angle brackets; of many, the first and last 50."""
    found = list(dict.fromkeys(MESSAGE_ID.findall(value)))
    if len(found) <= MAX_FIRST_REFERENCES + MAX_LAST_REFERENCES:
        return found
    return found[:MAX_FIRST_REFERENCES] + found[-MAX_LAST_REFERENCES:]


@dataclass(frozen=True, slots=True)
class Linked:
    """A message as its links see it: `own` is the hash of its Message-ID, `links` those of all ids it names."""

    own: int
    links: Sequence[int]
    gmail_thread: int | None = None  # X-GM-THRID decides where Gmail gives it


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a batch of messages changes.

    `conversations`: the conversation of each message, in order; `links`: rows to store, hash to conversation;
    `merged`: conversations that turned out to be one, old to kept.
    """

    conversations: Sequence[int]
    links: Mapping[int, int] = field(default_factory=dict)
    merged: Mapping[int, int] = field(default_factory=dict)


def assign(messages: Sequence[Linked], known: Mapping[int, int]) -> Assignment:
    """The conversations of a batch; `known` are the links already stored among those the batch names.

    A conversation is named by the smallest link in it at the time it began; where conversations meet, the smallest
    name stays, so the outcome does not depend on who came first.
    """
    union = _Union()
    for hash_, conversation in known.items():
        union.join(hash_, conversation)
    for message in messages:
        if message.gmail_thread is None:
            for link in message.links[1:]:
                union.join(message.links[0], link)
    roots = {link: union.root(link) for m in messages if m.gmail_thread is None for link in m.links}
    return Assignment(
        conversations=[roots[m.links[0]] if m.gmail_thread is None else m.gmail_thread for m in messages],
        links={link: root for link, root in roots.items() if known.get(link) != root},
        merged={old: union.root(old) for old in set(known.values()) if union.root(old) != old},
    )


class _Union:
    """Disjoint sets whose name is their smallest member."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def root(self, member: int) -> int:
        parent = self._parent.get(member, member)
        if parent == member:
            return member
        path = [member]
        while (above := self._parent.get(parent, parent)) != parent:
            path.append(parent)
            parent = above
        for passed in path:
            self._parent[passed] = parent
        return parent

    def join(self, one: int, other: int) -> None:
        low, high = self.root(one), self.root(other)
        if high < low:
            low, high = high, low
        self._parent[high] = low


def links_of(own: int, named: Iterable[str]) -> tuple[int, ...]:
    """The links of a message: its own hash first, then those of the ids it refers to."""
    return tuple(dict.fromkeys((own, *(id_hash(name) for name in named))))
