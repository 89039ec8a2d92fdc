"""UIDBATCHES: UIDs that part a folder into batches of messages (RFC 10022)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import tell_news
from mailsite_ext.protocol.imap_commands import UidBatches
from mailsite_ext.protocol.imap_data import status_line, uid_batches_response
from mailsite_ext.protocol.imap_limits import BadCommand

SMALLEST = 500  # RFC 10022 §3.1.3.2
MOST_MESSAGES = 100_000  # in the batches that are named, RFC 10022 §3.1.5


def uid_batches(account: Account, command: UidBatches) -> Iterator[bytes]:
    """Of what is there now.  As it reads no message, it may be asked as often as NOOP (RFC 10022 §3.1.1 lets it)."""
    if command.size < SMALLEST:
        raise BadCommand(f"A batch has at least {SMALLEST} messages", code="TOOFEW", condition="NO")
    if command.last is not None and (command.last - command.first + 1) * command.size > MOST_MESSAGES:
        raise BadCommand(f"Ask for {MOST_MESSAGES} messages or fewer", code="TOOMANY", condition="NO")
    view = account.selected()
    yield from tell_news(account)
    yield uid_batches_response(command.tag, batches(view.uids, command.size, command.first, command.last))
    yield status_line(command.tag, "OK", "done")


def batches(uids: Sequence[int], size: int, first: int = 1, last: int | None = None) -> list[tuple[int, int]]:
    """The highest and the lowest UID of the batches `first` to `last`, those of the newest messages being 1.

    Each goes down to where the next one begins, the last one to 1, so that it shows to be the last (RFC 10022 §3.1.4).
    """
    ends = [*range(len(uids), 0, -size), 0]
    found = zip(ends[first - 1 : last], ends[first : None if last is None else last + 1], strict=False)
    return [(uids[high - 1], uids[low - 1] + 1 if low else 1) for high, low in found]
