"""THREAD by REFERENCES and by ORDEREDSUBJECT (RFC 5256 §3), and its response.  Pure; time n log n, no recursion."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mailsite_ext.protocol.imap_sort import base_subject, subject_of
from mailsite_ext.protocol.wire_values import Value

MESSAGE_ID = re.compile(rb"<([^<>\s]{1,1000})>")
REFERENCES = b"References"
HEADER_OCTETS = 65_536  # of a message: its references stand there
MAX_REFERENCES = 100  # of a message, the last ones
MAX_DEPTH = 1_000  # of a thread; what would go deeper begins another


class Links(NamedTuple):
    """`references`: the ids of References, or without that field the first of In-Reply-To; none has < or > or space."""

    is_answer: bool  # by its subject
    message_id: bytes
    references: tuple[bytes, ...]

    def packed(self) -> bytes:
        return b" ".join([b"%d" % self.is_answer, self.message_id, *self.references])

    @classmethod
    def unpack(cls, packed: bytes) -> Links:
        is_answer, message_id, *references = packed.split(b" ")
        return cls(is_answer == b"1", message_id, tuple(references))


def links_of(envelope: Sequence[Value], references: bytes) -> Links:
    """Out of an ENVELOPE's fields and the References field, which it has not."""
    in_reply_to, own = (value if isinstance(value, bytes) else b"" for value in envelope[8:10])
    named = MESSAGE_ID.search(own)
    is_answer = base_subject(subject_of(envelope))[1]
    return Links(is_answer, named[1] if named else b"", references_of(references, in_reply_to))


@dataclass(frozen=True, slots=True)
class Threadable:
    """A message to thread: `id` is its number or UID as the response shows it.

    `subject` is the base subject, `links` the rest (`links_of`).
    """

    id: int
    sent_s: int
    subject: str
    links: Links


@dataclass(slots=True, eq=False)
class Node:
    """A message with its answers; `message` is None for one that others refer to and that is not here."""

    message: Threadable | None
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    def adopt(self, child: Node) -> None:
        child.parent = self
        self.children.append(child)

    @property
    def sent(self) -> tuple[int, int]:
        """What siblings are sorted by; a node without a message goes by its first child."""
        shown = self.message or (self.children[0].message if self.children else None)
        return (shown.sent_s, shown.id) if shown else (0, 0)


def references_of(references: bytes, in_reply_to: bytes) -> tuple[bytes, ...]:
    """RFC 5256 §3, step 1."""
    found = MESSAGE_ID.findall(references)[-MAX_REFERENCES:] or MESSAGE_ID.findall(in_reply_to)[:1]
    return tuple(found)


def thread_by_subject(messages: Iterable[Threadable]) -> list[Node]:
    """ORDEREDSUBJECT: one subject, one thread; its first message has all others as answers."""
    threads: dict[str, list[Threadable]] = {}
    for message in sorted(messages, key=lambda message: (message.sent_s, message.id)):
        threads.setdefault(message.subject, []).append(message)
    return [_first_with_answers(thread) for thread in threads.values()]


def _first_with_answers(thread: Sequence[Threadable]) -> Node:
    node = Node(thread[0])
    for message in thread[1:]:
        node.adopt(Node(message))
    return node


def thread_by_references(messages: Iterable[Threadable]) -> list[Node]:
    """REFERENCES, all six steps."""
    roots = _linked(messages)
    roots = _pruned(roots)
    _sort(roots)
    roots = _by_subject(roots)
    _sort(roots)
    return roots


def _linked(messages: Iterable[Threadable]) -> list[Node]:
    """Steps 1 and 2: every message below the last of its references."""
    nodes: dict[bytes, Node] = {}
    own: list[Node] = []
    for message in messages:
        links = message.links
        node = nodes.get(links.message_id) if links.message_id else None
        if node is None or node.message is not None:  # a second of the same id stands for itself
            node = Node(None)
            if links.message_id:
                nodes.setdefault(links.message_id, node)
        node.message = message
        own.append(node)
        _link(nodes, node, links.references)
    every = dict.fromkeys([*own, *nodes.values()])
    for node in every:
        if node.parent is not None:
            node.parent.children.append(node)
    return [node for node in every if node.parent is None]


def _link(nodes: dict[bytes, Node], node: Node, references: Sequence[bytes]) -> None:
    """A chain of the references, links that are there already kept; the last becomes the parent, whatever it was."""
    parent: Node | None = None
    for reference in references:
        child = nodes.setdefault(reference, Node(None))
        if parent is not None and child.parent is None and _may_adopt(parent, child):
            child.parent = parent
        parent = child
    if parent is not None and _may_adopt(parent, node):
        node.parent = parent


def _may_adopt(parent: Node, child: Node) -> bool:
    """Not where it would make a loop, or a chain too deep to show."""
    above: Node | None = parent
    for _ in range(MAX_DEPTH):
        if above is None:
            return True
        if above is child:
            return False
        above = above.parent
    return False


def _pruned(roots: Iterable[Node]) -> list[Node]:
    """Step 3: nodes without a message give way to their children; a root keeps several together."""
    order = list(_walk(roots))
    for node in reversed(order):
        node.children = [kept for child in node.children for kept in _kept(child, is_root=False)]
        for child in node.children:
            child.parent = node
    kept_roots = [kept for root in roots for kept in _kept(root, is_root=True)]
    for root in kept_roots:
        root.parent = None
    return kept_roots


def _kept(node: Node, *, is_root: bool) -> list[Node]:
    if node.message is not None or (is_root and len(node.children) > 1):
        return [node]
    return node.children


def _walk(roots: Iterable[Node]) -> Iterator[Node]:
    """Every node, parents before their children."""
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children


def _sort(roots: list[Node]) -> None:
    """Steps 4 and 6: by the date they were sent, from the leaves up."""
    for node in reversed(list(_walk(roots))):
        node.children.sort(key=lambda child: child.sent)
    roots.sort(key=lambda root: root.sent)


def _by_subject(roots: Sequence[Node]) -> list[Node]:
    """Step 5: threads of one base subject are made one."""
    subjects = {root: _subject(root) for root in roots}
    table = _chosen(subjects)
    together: list[Node] = []
    for root, (subject, is_answer) in subjects.items():
        chosen = table.get(subject)
        if chosen is None or chosen is root or root.parent is not None:
            continue
        if chosen.message is None:
            _join(chosen, root)
        elif is_answer and not subjects[chosen][1]:
            chosen.adopt(root)
        else:
            table[subject] = _pair(chosen, root)
            together.append(table[subject])
    return [root for root in [*roots, *together] if root.parent is None]


def _subject(root: Node) -> tuple[str, bool]:
    message = root.message or root.children[0].message
    return (message.subject, message.links.is_answer) if message else ("", False)


def _chosen(subjects: Mapping[Node, tuple[str, bool]]) -> dict[str, Node]:
    """Who stands for each subject: a node without a message before one with, no answer before an answer."""
    table: dict[str, Node] = {}
    for root, (subject, _) in subjects.items():
        other = table.get(subject)
        if subject and (other is None or _is_better(root, other, subjects)):
            table[subject] = root
    return table


def _is_better(root: Node, other: Node, subjects: Mapping[Node, tuple[str, bool]]) -> bool:
    if other.message is None or root.message is None:
        return other.message is not None
    return subjects[other][1] and not subjects[root][1]


def _join(chosen: Node, root: Node) -> None:
    """Below a node without a message: the other, or its children if it has no message either."""
    if root.message is not None:
        chosen.adopt(root)
        return
    for child in root.children:
        chosen.adopt(child)
    root.parent = chosen  # though it is shown no more


def _pair(first: Node, second: Node) -> Node:
    pair = Node(None)
    pair.adopt(first)
    pair.adopt(second)
    return pair


def thread_response(roots: Iterable[Node]) -> bytes:
    """`* THREAD (166)(3 6 (4 23)(44 7 96))` (RFC 5256 §4)."""
    shown = b"".join(b"(" + _shown(root) + b")" for root in roots)
    return b"* THREAD" + (b" " + shown if shown else b"") + b"\r\n"


def _shown(root: Node) -> bytes:
    """A chain of only children is a list of numbers; where it divides, each goes on in brackets."""
    out: list[bytes] = []
    waiting: list[Node | bytes] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, bytes):
            out.append(node)
            continue
        if node.message is not None:
            out.append((b" " if out and out[-1][-1:].isdigit() else b"") + b"%d" % node.message.id)
        if len(node.children) == 1:
            waiting.append(node.children[0])
        elif node.children:
            if out and out[-1][-1:].isdigit():
                out.append(b" ")
            for child in reversed(node.children):
                waiting += [b")", child, b"("]
    return b"".join(out)
