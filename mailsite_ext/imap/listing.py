"""LIST and LSUB (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154 §2, RFC 3348)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailsite_ext.imap.account import Account
from mailsite_ext.imap.folders import SPECIAL_USES, status_of
from mailsite_ext.imap.news import tell_news
from mailsite_ext.protocol.imap_commands import List, Lsub
from mailsite_ext.protocol.imap_data import list_response, status_line
from mailsite_ext.protocol.list_patterns import Patterns
from mailsite_ext.storage.values import DELIMITER, StoredFolder


@dataclass(frozen=True, slots=True)
class Tree:
    """A mailbox's folders by name, and which have others below, subscribed ones among them."""

    folders: Sequence[StoredFolder]
    parents: frozenset[str]
    parents_of_subscribed: frozenset[str]
    parents_of_hidden: frozenset[str]  # of subscribed ones that do not match what was asked for

    @classmethod
    def of(cls, folders: Sequence[StoredFolder], matches: Patterns) -> Tree:
        subscribed = [folder for folder in folders if folder.subscribed]
        hidden = [folder for folder in subscribed if not matches(folder.name)]
        return cls(folders, _names_above(folders), _names_above(subscribed), _names_above(hidden))


def _names_above(folders: Sequence[StoredFolder]) -> frozenset[str]:
    return frozenset(above for folder in folders for above in _above(folder.name))


def _above(name: str) -> Iterator[str]:
    while DELIMITER in name:
        name = name.rpartition(DELIMITER)[0]
        yield name


def list_folders(account: Account, command: List) -> Iterator[bytes]:
    if command.patterns == ("",):  # asks for the delimiter alone (RFC 9051 §6.3.9)
        yield list_response("", ("\\Noselect",), utf8=account.is_utf8)
        yield status_line(command.tag, "OK", "done")
        return
    matches = Patterns(command.reference, command.patterns)
    tree = Tree.of(account.storage.folders(account.mailbox), matches)
    for folder in tree.folders:
        if matches(folder.name) and (line := _list_line(account, tree, folder, command)):
            yield line
            if command.status and folder.selectable:
                yield status_of(account, folder, command.status)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "done")


def _list_line(account: Account, tree: Tree, folder: StoredFolder, command: List) -> bytes:
    """The response for one folder; empty where the selection leaves it out (RFC 5258 §3.1).

    CHILDINFO alone brings no folder in, if those below are all told of themselves (RFC 5258 §4).
    """
    chosen = _is_chosen(folder, command.select)
    parents = tree.parents_of_subscribed if chosen else tree.parents_of_hidden
    below = command.select >= {"RECURSIVEMATCH", "SUBSCRIBED"} and folder.name in parents
    if not (chosen or below):
        return b""
    return list_response(
        folder.name,
        _attributes(tree, folder, command),
        utf8=account.is_utf8,
        child_info=("SUBSCRIBED",) if below else (),
    )


def _is_chosen(folder: StoredFolder, select: frozenset[str]) -> bool:
    if "SUBSCRIBED" in select and not folder.subscribed:
        return False
    return "SPECIAL-USE" not in select or folder.role in SPECIAL_USES


def _attributes(tree: Tree, folder: StoredFolder, command: List) -> Iterator[str]:
    if not folder.selectable:
        yield "\\NonExistent" if command.is_extended else "\\Noselect"
    yield "\\HasChildren" if folder.name in tree.parents else "\\HasNoChildren"
    if folder.role in SPECIAL_USES:
        yield SPECIAL_USES[folder.role]
    if folder.subscribed and "SUBSCRIBED" in command.select | command.returns:
        yield "\\Subscribed"


def list_subscribed(account: Account, command: Lsub) -> Iterator[bytes]:
    """RFC 3501 §6.3.9: a name that only stands above matching ones is shown for `%`, as one that cannot be selected."""
    matches = Patterns(command.reference, command.patterns)
    tree = Tree.of(account.storage.folders(account.mailbox), matches)
    for folder in tree.folders:
        if not matches(folder.name):
            continue
        if folder.subscribed:
            yield list_response(folder.name, (), utf8=account.is_utf8, verb=b"LSUB")
        elif folder.name in tree.parents_of_subscribed:
            yield list_response(folder.name, ("\\Noselect",), utf8=account.is_utf8, verb=b"LSUB")
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "done")
