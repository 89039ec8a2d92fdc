"""What a URL names in the own mailbox, to be put into a new message (CATENATE, RFC 4469)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.extension_api import NoSuchMessage
from mailsite_ext.errors import StorageDamaged
from mailsite_ext.imap.account import Account
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.protocol.imap_url import MessageUrl, parse_message_url, shown
from mailsite_ext.protocol.part_table import unpack
from mailsite_ext.protocol.sections import by_section, find_octets
from mailsite_ext.storage.engine import MessageReader
from mailsite_ext.storage.values import Column


def named_octets(account: Account, url: bytes, begin: Callable[[int], None]) -> Iterator[bytes]:
    r"""The octets a URL names, as FETCH BODY.PEEK would tell them: no \Seen is set.

    `begin` is told how many they are before one is read, and may raise.  Raises BadCommand (NO [BADURL]) where the URL
    names nothing of this mailbox, StorageDamaged.
    """
    try:
        folder_id, named = _find(account, url)
        with account.storage.open_message(folder_id, named.uid) as message:
            octets, pieces = _octets(account, folder_id, named, message)
            begin(octets)
            yield from _all(octets, pieces)
    except (ValueError, NoSuchMessage):
        code = f'BADURL "{shown(url)}"'
        raise BadCommand("There is no such message or part", code=code, condition="NO") from None


def _find(account: Account, url: bytes) -> tuple[int, MessageUrl]:
    """The id of the folder that is meant, and the URL read.  Raises ValueError; a folder made anew is another one."""
    named = parse_message_url(url)
    folder = account.storage.find_folder(account.mailbox, named.folder)
    if folder is None or not folder.selectable or named.uidvalidity not in (None, folder.uidvalidity):
        raise ValueError("no such folder")
    return folder.id, named


def _octets(account: Account, folder_id: int, named: MessageUrl, message: MessageReader) -> tuple[int, Iterator[bytes]]:
    """Raises ValueError: no such part; NoSuchMessage: it went in between."""
    for size, table in account.storage.rows(folder_id, (Column.SIZE, Column.PARTS), (named.uid,)):
        if message.size_octets != size:
            raise StorageDamaged(f"message {named.uid} is not as long as it was")
        found = find_octets(named.item, by_section(unpack(table)), message.read)
        if found is None:
            raise ValueError("no such part")
        return found
    raise NoSuchMessage


def _all(octets: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        octets -= len(piece)
        yield piece
    if octets:
        raise StorageDamaged("a message ends before its end")
