"""ENVELOPE, BODY and BODYSTRUCTURE of a message as octets, and the table of its parts (RFC 9051 §7.5.2).  Pure.

    structure = read_structure(octets_or_mmap)

is made once, at delivery, and stored: FETCH copies.  Types, encodings and parameter names are in lower case.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailsite_ext.protocol.address_lists import Address, parse_addresses
from mailsite_ext.protocol.imap_data import nstring, string
from mailsite_ext.protocol.mime_fields import Params, first_word, language_tags, params, unfolded, without_comments
from mailsite_ext.protocol.mime_scan import Entity, Octets, scan
from mailsite_ext.protocol.part_table import Part, table_of
from mailsite_ext.protocol.wire_values import Item, read_items

NO_PART = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)'
"""Stands for the part that a multipart without any has to have: the grammar wants one."""

LAST_OF_MESSAGE = 9  # of its fields in BODY: lines, after envelope and body


@dataclass(frozen=True, slots=True)
class MessageStructure:
    """What is stored of a message beside its octets."""

    envelope: bytes  # `(…)`, what follows ENVELOPE in a FETCH response
    body_structure: bytes  # BODY is in it: `body_without_extensions`
    parts: tuple[Part, ...]


def read_structure(data: Octets) -> MessageStructure:
    """Never raises, whatever the octets; depth and number of parts are bounded by `mime_scan`."""
    message = scan(data)
    return MessageStructure(envelope(message), body_structure(message), table_of(message))


def envelope(message: Entity) -> bytes:
    senders = _addresses(message.fields.get(b"from"))
    sender = _addresses(message.fields.get(b"sender"))
    reply_to = _addresses(message.fields.get(b"reply-to"))
    parts = [
        nstring(message.value(b"date")),
        nstring(message.value(b"subject")),
        senders,
        senders if sender == b"NIL" else sender,  # RFC 9051 §7.5.2
        senders if reply_to == b"NIL" else reply_to,
        _addresses(message.fields.get(b"to")),
        _addresses(message.fields.get(b"cc")),
        _addresses(message.fields.get(b"bcc")),
        nstring(message.value(b"in-reply-to")),
        nstring(message.value(b"message-id")),
    ]
    return b"(" + b" ".join(parts) + b")"


def _addresses(value: bytes | None) -> bytes:
    if value is None:
        return b"NIL"
    shown = b"".join(map(_address, parse_addresses(value)))
    return b"(" + shown + b")" if shown else b"NIL"


def _address(address: Address) -> bytes:
    """The second is the route, which hardly anybody writes any more (RFC 9051 §7.5.2)."""
    name = b"NIL" if address.name is None else string(unfolded(address.name))
    return b"(%b %b %b %b)" % (name, nstring(address.route), nstring(address.mailbox), nstring(address.host))


def body_structure(entity: Entity) -> bytes:
    if entity.is_multipart:
        parts = b"".join(map(body_structure, entity.children)) or NO_PART
        return b"(%b %b %b%b)" % (parts, string(entity.subtype), _params(entity.params), _extension(entity))
    shown = [_basic(entity)]
    if entity.is_message:
        inner = entity.children[0] if entity.children else Entity(0, 0, {})
        shown += [envelope(inner), body_structure(inner)]
    if entity.is_message or entity.type == b"text":
        shown.append(b"%d" % entity.lines)
    shown.append(nstring(entity.value(b"content-md5")))
    return b"(" + b" ".join(shown) + _extension(entity) + b")"


def _basic(entity: Entity) -> bytes:
    """What every part that is no multipart begins with (RFC 9051 `body-fields`)."""
    shown = (
        string(entity.type),
        string(entity.subtype),
        _params(entity.params),
        nstring(entity.value(b"content-id")),
        nstring(entity.value(b"content-description")),
        string(entity.encoding),
        b"%d" % (entity.body_end - entity.body_at),
    )
    return b" ".join(shown)


def _params(found: Params) -> bytes:
    if not found:
        return b"NIL"
    return b"(" + b" ".join([string(octets) for pair in found for octets in pair]) + b")"


def _extension(entity: Entity) -> bytes:
    """Disposition, language and location, each with a space before it (RFC 9051 `body-ext-1part`)."""
    fields = entity.fields
    if not (b"content-disposition" in fields or b"content-language" in fields or b"content-location" in fields):
        return b" NIL NIL NIL"
    location = nstring(entity.value(b"content-location"))
    return b" " + _disposition(fields.get(b"content-disposition")) + b" " + _language(entity) + b" " + location


def _disposition(value: bytes | None) -> bytes:
    value = without_comments(unfolded(value)) if value else b""
    word = first_word(value)
    return b"(" + string(word) + b" " + _params(params(value)) + b")" if word else b"NIL"


def _language(entity: Entity) -> bytes:
    tags = language_tags(without_comments(entity.value(b"content-language") or b""))
    return b"(" + b" ".join(map(string, tags)) + b")" if tags else b"NIL"


def body_without_extensions(structure: bytes) -> bytes:
    """BODY out of BODYSTRUCTURE: the same without extension data (RFC 9051 `body`)."""
    (item,) = read_items(structure)
    return _without_extensions(structure, _items(item))


def _without_extensions(structure: bytes, items: list[Item]) -> bytes:
    """`items`: those of one body, which stands in `structure`."""
    if isinstance(items[0].value, list):
        parts = next(count for count, item in enumerate(items) if not isinstance(item.value, list))
        children = [_without_extensions(structure, _items(item)) for item in items[:parts]]
        return b"(" + b"".join(children) + b" " + _text(structure, items[parts]) + b")"
    last = _last_basic(items)
    if last == LAST_OF_MESSAGE:
        head = structure[items[0].start - 1 : items[7].end]  # to the end of the envelope
        inside = _without_extensions(structure, _items(items[8]))
        return head + b" " + inside + b" " + _text(structure, items[9]) + b")"
    return structure[items[0].start - 1 : items[last].end] + b")"


def _items(item: Item) -> list[Item]:
    assert isinstance(item.value, list)
    return item.value


def _text(structure: bytes, item: Item) -> bytes:
    return structure[item.start : item.end]


def _last_basic(items: list[Item]) -> int:
    """The last field before extension data: size, or lines of a text or a message."""
    kind, subtype = items[0].value, items[1].value
    if kind == b"message" and subtype in (b"rfc822", b"global"):
        return LAST_OF_MESSAGE
    return 7 if kind == b"text" else 6
