"""One table from command to what carries it out, and the one place where faults become IMAP's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from app.extension_api import ConnectionLost, MailError
from mailsite_ext.imap import batches, changing, fetching, folders, listing, notifying, searching, selecting, sorting
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import tell_news
from mailsite_ext.protocol import imap_commands as commands
from mailsite_ext.protocol.imap_data import status_line
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.replies import imap_reply


def enable(account: Account, command: commands.Enable) -> Iterator[bytes]:
    """Names those that are on now by this command (RFC 5161 §3.1)."""
    known = [name for name in command.capabilities if name in CAN_BE_ENABLED and name not in account.hidden]
    if {"CONDSTORE", "QRESYNC"}.intersection(known):
        yield account.learn_modseqs()  # QRESYNC brings it along (RFC 7162 §3.2.3)
    account.enabled.update(known)
    yield b"* ENABLED" + "".join(f" {name}" for name in known).encode() + b"\r\n"
    yield status_line(command.tag, "OK", "done")


CAN_BE_ENABLED = frozenset({"CONDSTORE", "QRESYNC", "UTF8=ACCEPT", "IMAP4REV2"})


def tell(account: Account, command: commands.Noop | commands.Check) -> Iterator[bytes]:
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "done")


CARRIED_OUT_BY: dict[type[commands.Command], Callable[[Account, Any], Iterator[bytes]]] = {
    commands.Enable: enable,
    commands.Noop: tell,
    commands.Check: tell,
    commands.Select: selecting.select,
    commands.Close: selecting.close,
    commands.Unselect: selecting.unselect,
    commands.Create: folders.create,
    commands.Delete: folders.delete,
    commands.Rename: folders.rename,
    commands.Subscribe: folders.subscribe,
    commands.Unsubscribe: folders.unsubscribe,
    commands.Status: folders.status,
    commands.Namespace: folders.namespace,
    commands.Notify: notifying.notify,
    commands.GetQuota: folders.get_quota,
    commands.GetQuotaRoot: folders.get_quota_root,
    commands.SetQuota: folders.set_quota,
    commands.List: listing.list_folders,
    commands.Lsub: listing.list_subscribed,
    commands.Store: changing.store,
    commands.Copy: changing.copy,
    commands.Move: changing.move,
    commands.Expunge: changing.expunge,
    commands.Fetch: fetching.fetch,
    commands.Search: searching.search,
    commands.CancelUpdate: searching.cancel_update,
    commands.Sort: sorting.sort,
    commands.UidBatches: batches.uid_batches,
    commands.Thread: sorting.thread,
}


def carry_out(account: Account, command: commands.Command) -> Iterator[bytes]:
    """Responses to `command`, the tagged one last; raises nothing but a BadCommand that ends the connection."""
    carry = CARRIED_OUT_BY.get(type(command))
    if carry is None:
        raise BadCommand("That is not offered here", command.tag)
    return guarded(command.tag, lambda: carry(account, command))


def guarded(tag: bytes, work: Callable[[], Iterable[bytes] | None]) -> Iterator[bytes]:
    """What `work` says, with faults as the tagged response; a connection that is lost stays lost."""
    try:
        yield from work() or ()
    except BadCommand as fault:
        if fault.is_fatal:
            raise
        fault.tag = tag
        yield fault.line()
    except ConnectionLost:
        raise
    except MailError as error:
        yield tag + b" " + imap_reply(error).encode() + b"\r\n"
