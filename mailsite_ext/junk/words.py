"""A message → the words a junk filter knows it by.  Pure; linear in time, bounded in everything.

A word is what somebody reads in the text, folded, or two of them that follow each other.  What stands elsewhere says
where: `subject:`, `from:`, `host:` (of a link), `tag:` (of HTML), `type:` and `file:` (of a part), `has:` and `lacks:`
(a field of the header), `mail:` (something about the whole).  Fields that are added on the way (Received, verdicts of
servers, ours among them) are no words: they differ between the message that is judged and the same when it is learned.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import unescape
from itertools import islice

from app.extension_api import decode
from mailsite_ext.protocol.address_lists import Address, parse_addresses
from mailsite_ext.protocol.message_text import folded
from mailsite_ext.protocol.mime_scan import Entity, numbered, scan

READ_OCTETS = 65_536
"""Of a message, from its beginning; junk says what it wants early, and a large attachment costs nothing."""
TEXT_CHARS = 65_536
"""Of a part's text, before and after its compatibility characters are spelt out."""
MOST_WORDS = 1_500
MOST_LINKS = 100
MOST_ADDRESSES = 5
SHORTEST, LONGEST = 3, 24
LONGEST_WORD = 100
"""Of any word, with what says where it stood."""

WORD = re.compile(r"[^\W_][\w'’.-]*")
MONEY = re.compile(r"[$€£]\s?\d")
WITHOUT_SPACES = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")  # Thai, Lao, Japanese, Chinese
LINK_HOST = re.compile(r"https?://(?:[^\s/@\"'<>]{0,100}@)?([^\s/:@\"'<>?#]{1,253})")
HIDDEN = re.compile(r"<(style|script|title)\b.*?(?:</\1|\Z)", re.DOTALL)
TAG = re.compile(r"<([a-z!/?][^\s<>/]{0,11})[^>]*(?:>|\Z)")
NOT_STORED = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL keeps no NUL, and half a surrogate pair is no UTF-8."""
TELLING_FIELDS = (
    "in-reply-to", "references", "list-id", "list-unsubscribe", "reply-to", "sender", "mime-version", "x-mailer",
    "user-agent",
)  # fmt: skip
EXPECTED_FIELDS = ("date", "message-id", "to", "from", "subject", "mime-version", "in-reply-to", "references")


def words_of(message: bytes) -> frozenset[str]:
    """At most MOST_WORDS, those of the header first; of `message` only READ_OCTETS are looked at."""
    message = message[:READ_OCTETS]
    stored = (NOT_STORED.sub("\ufffd", word[:LONGEST_WORD]) for word in _all_words(message, scan(message)))
    return frozenset(islice(_distinct(stored), MOST_WORDS))


def _distinct(words: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for word in words:
        if word not in seen:
            seen.add(word)
            yield word


def _all_words(message: bytes, entity: Entity) -> Iterator[str]:
    yield from _header_words({name.decode("latin-1"): value for name, value in entity.fields.items()})
    for section, part in numbered(entity):
        if section:
            yield from _part_words(message, part)


# The header
def _header_words(fields: Mapping[str, bytes]) -> Iterator[str]:
    yield from (f"has:{name}" for name in TELLING_FIELDS if name in fields)
    yield from (f"lacks:{name}" for name in EXPECTED_FIELDS if name not in fields)
    yield from _subject_words(decode.header(fields.get("subject", b"")), is_answer="in-reply-to" in fields)
    for name in ("from", "reply-to", "list-id"):
        yield from _sender_words(name, fields.get(name, b""))
    yield from _relations(fields)
    for name in ("x-mailer", "user-agent"):
        yield from (f"mailer:{word}" for word in islice(plain_words(decode.header(fields.get(name, b""))), 10))


def _subject_words(subject: str, *, is_answer: bool) -> Iterator[str]:
    yield from (f"subject:{word}" for word in plain_words(subject))
    yield from (f"subject:{sign}" for sign in "!?$%*" if sign in subject)
    if subject.isupper():
        yield "mail:subject in capitals"
    if subject.lower().startswith("re:") and not is_answer:
        yield "mail:answers nothing"


def _sender_words(name: str, value: bytes) -> Iterator[str]:
    for address in _addresses(value):
        yield from (f"{name}:{word}" for word in plain_words(decode.header(address.name or b"")))
        host = _text(address.host)
        yield f"{name}:{_text(address.mailbox)}@{host}"
        yield from (f"{name}:{each}" for each in _domains(host))


def _addresses(value: bytes) -> Sequence[Address]:
    found = parse_addresses(value[:2_000])[:MOST_ADDRESSES]
    return [address for address in found if address.mailbox is not None]


def _text(octets: bytes | None) -> str:
    return folded((octets or b"")[:LONGEST_WORD].decode("utf-8", "replace"))


def _relations(fields: Mapping[str, bytes]) -> Iterator[str]:
    """Does what names a domain name the author's?"""
    author = next(iter(_addresses(fields.get("from", b""))), None)
    own = ".".join(_text(author.host).split(".")[-2:]) if author else ""
    if author and not author.name:
        yield "mail:author without a name"
    if author and re.search(rb"\d\d", author.mailbox or b""):
        yield "mail:author with a number"
    if own and "message-id" in fields:
        is_own = _text(fields["message-id"].strip()[-LONGEST_WORD:]).rstrip("> ").endswith(own)
        yield "mail:id of the author" if is_own else "mail:id of others"
    for answered in _addresses(fields.get("reply-to", b""))[:1]:
        yield "mail:answers to the author" if own and _text(answered.host).endswith(own) else "mail:answers to others"


# Its parts
def _part_words(message: bytes, part: Entity) -> Iterator[str]:
    yield f"type:{_text(part.type)}/{_text(part.subtype)}"
    given = {name: _text(value) for name, value in reversed(part.params)}
    charset = given.get(b"charset", "")
    yield f"charset:{charset}"
    if b"name" in given:
        yield f"file:{given[b'name'].rpartition('.')[2]}"
    if part.type == b"text":
        octets = decode.transfer(message[part.body_at : part.body_end], _text(part.encoding))
        yield from _text_words(decode.text(octets, charset), is_html=part.subtype == b"html")


def _text_words(text: str, *, is_html: bool) -> Iterator[str]:
    text = folded(text[:TEXT_CHARS])
    for host in islice(LINK_HOST.finditer(text), MOST_LINKS):
        yield from (f"host:{each}" for each in _domains(host[1]))
    if is_html:
        text = HIDDEN.sub(" ", text)
        yield from (f"tag:{tag}" for tag in sorted({found[1] for found in TAG.finditer(text)}) if tag[0].isalpha())
        text = unescape(TAG.sub(" ", text))
    yield from _pairs(text)


def _pairs(text: str) -> Iterator[str]:
    """Words and pairs of neighbours, in order: "click here" tells more than both of its words."""
    before = ""
    for word in plain_words(text):
        yield word
        if before:
            yield f"{before} {word}"
        before = word


def _domains(host: str) -> Iterator[str]:
    """The host, and the domains above it but for the last label: where a link leads is the same in all of them."""
    labels = host.strip(".").split(".")[-5:]
    yield from (".".join(labels[at:])[:100] for at in range(max(1, len(labels) - 1)))


def plain_words(text: str) -> Iterator[str]:
    """The words of a text in order, spelt in one way: no compatibility letters, nothing invisible inside."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)[:TEXT_CHARS]
        text = "".join([char for char in text if unicodedata.category(char) != "Cf"])
    text = folded(text)
    if MONEY.search(text):
        yield "$"
    for found in WORD.finditer(text):
        yield from _spelt(found[0].rstrip("'’.-"))


def _spelt(word: str) -> Iterator[str]:
    if not word.isascii() and WITHOUT_SPACES.search(word):
        yield from (word[at : at + 2] for at in range(max(1, min(len(word) - 1, 200))))
    elif SHORTEST <= len(word) <= LONGEST and not word.isdecimal():
        yield word
