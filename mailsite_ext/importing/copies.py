"""Is a message here already?  By Message-ID, or by size where it has none, and then octet for octet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from app.extension_api import NoSuchMessage
from mailsite_ext.errors import StorageDamaged
from mailsite_ext.protocol.mime_fields import HEADER_OCTETS, read_fields
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.facts import MESSAGE_ID
from mailsite_ext.storage.values import Column, Content

COMPARED_OCTETS = 256 * 1024


def has_copy(storage: StorageEngine, folder_id: int, content: Content, counts: Callable[[int], bool]) -> bool:
    """Does a message with the same octets lie in the folder, of those whose UID `counts`?"""
    return any(_is_same(storage, folder_id, uid, content) for uid in _candidates(storage, folder_id, content, counts))


def _candidates(
    storage: StorageEngine, folder_id: int, content: Content, counts: Callable[[int], bool]
) -> Sequence[int]:
    message_id = _message_id(_first_octets(content, HEADER_OCTETS))
    if message_id:
        return [uid for uid in storage.find_by_message_id(folder_id, message_id) if counts(uid)]
    rows = storage.rows(folder_id, (Column.UID, Column.SIZE))
    return [uid for uid, octets in rows if octets == content.size_octets and counts(uid)]


def _first_octets(content: Content, octets: int) -> bytes:
    if isinstance(content.body, bytes):
        return content.body[:octets]
    with content.body.open("rb") as file:
        return file.read(octets)


def _message_id(start: bytes) -> str:
    """As the storage keeps it; empty without one."""
    own = MESSAGE_ID.search(read_fields(start).get(b"message-id", b""))
    return own[1].decode("utf-8", "replace") if own else ""


def _is_same(storage: StorageEngine, folder_id: int, uid: int, content: Content) -> bool:
    with suppress(NoSuchMessage, StorageDamaged), storage.open_message(folder_id, uid) as stored:
        return stored.size_octets == content.size_octets and all(
            stored.read(at, len(block)) == block for at, block in _blocks(content)
        )
    return False


def _blocks(content: Content) -> Iterator[tuple[int, bytes]]:
    """The octets with their offsets."""
    if isinstance(content.body, bytes):
        yield 0, content.body
        return
    at = 0
    with content.body.open("rb") as file:
        while block := file.read(COMPARED_OCTETS):
            yield at, block
            at += len(block)
