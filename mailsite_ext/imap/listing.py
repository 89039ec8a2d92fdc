"""LIST and LSUB (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154 §2, RFC 3348)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mailsite_ext.imap.account import Account
from mailsite_ext.imap.folders import SPECIAL_USES, status_of
from mailsite_ext.imap.news import tell_news
from mailsite_ext.protocol.imap_commands import List, Lsub
from mailsite_ext.protocol.imap_data import list_response, status_line
from mailsite_ext.protocol.list_patterns import Patterns
from mailsite_ext.storage.values import DELIMITER, StoredFolder


@dataclass(frozen=True, slots=True)
class Name:
    """A name of the tree; `folder` None: only subscribed to, or above such a name."""

    name: str
    folder: StoredFolder | None
    is_subscribed: bool

    @property
    def is_selectable(self) -> bool:
        return self.folder is not None and self.folder.selectable

    @property
    def special_use(self) -> str | None:
        role = self.folder.role if self.folder else None
        return SPECIAL_USES.get(role) if role else None


@dataclass(frozen=True, slots=True)
class Tree:
    """A mailbox's names, and which have others below, subscribed ones among them."""

    names: Sequence[Name]
    parents: frozenset[str]  # of folders
    parents_of_subscribed: frozenset[str]
    parents_of_hidden: frozenset[str]  # of subscribed ones that do not match what was asked for

    @classmethod
    def of(cls, names: Sequence[Name], matches: Patterns) -> Tree:
        subscribed = [one.name for one in names if one.is_subscribed]
        hidden = [name for name in subscribed if not matches(name)]
        there = [one.name for one in names if one.folder]
        return cls(names, _all_above(there), _all_above(subscribed), _all_above(hidden))


def _all_above(names: Iterable[str]) -> frozenset[str]:
    return frozenset(above for name in names for above in _above(name))


def _above(name: str) -> Iterator[str]:
    while DELIMITER in name:
        name = name.rpartition(DELIMITER)[0]
        yield name


def _there(account: Account) -> list[Name]:
    return [Name(folder.name, folder, folder.subscribed) for folder in account.storage.folders(account.mailbox)]


def _with_subscribed(account: Account, *, above: bool = True) -> list[Name]:
    """Besides the folders the names that are subscribed to without one (RFC 9051 §6.3.7), and those `above` them."""
    found = _there(account)
    known = {one.name for one in found}
    gone = [name for name in account.storage.subscriptions(account.mailbox) if name not in known]
    found += [Name(name, None, is_subscribed=True) for name in gone]
    if above:
        names = sorted(_all_above(gone) - known - set(gone))
        found += [Name(name, None, is_subscribed=False) for name in names]
    return found


def _listed(account: Account, select: frozenset[str]) -> list[Name]:
    """What a LIST has to look at: names that are only above others are told for CHILDINFO alone."""
    if "SUBSCRIBED" not in select:
        return _there(account)
    return _with_subscribed(account, above="RECURSIVEMATCH" in select)


def list_folders(account: Account, command: List) -> Iterator[bytes]:
    if command.patterns == ("",):  # asks for the delimiter alone (RFC 9051 §6.3.9)
        yield list_response("", ("\\Noselect",), utf8=account.is_utf8)
        yield status_line(command.tag, "OK", "done")
        return
    matches = Patterns(command.reference, command.patterns)
    tree = Tree.of(_listed(account, command.select), matches)
    for one in tree.names:
        if matches(one.name) and (line := _list_line(account, tree, one, command)):
            yield line
            if command.status and one.folder and one.is_selectable:
                yield status_of(account, one.folder, command.status)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "done")


def _list_line(account: Account, tree: Tree, one: Name, command: List) -> bytes:
    """The response for one name; empty where the selection leaves it out (RFC 5258 §3.1).

    CHILDINFO alone brings no name in, if those below are all told of themselves (RFC 5258 §4).
    """
    chosen = _is_chosen(one, command.select)
    parents = tree.parents_of_subscribed if chosen else tree.parents_of_hidden
    below = command.select >= {"RECURSIVEMATCH", "SUBSCRIBED"} and one.name in parents
    if not (chosen or below):
        return b""
    return list_response(
        one.name,
        _attributes(tree, one, command),
        utf8=account.is_utf8,
        child_info=("SUBSCRIBED",) if below else (),
    )


def _is_chosen(one: Name, select: frozenset[str]) -> bool:
    if "SUBSCRIBED" in select and not one.is_subscribed:
        return False
    return "SPECIAL-USE" not in select or one.special_use is not None


def _attributes(tree: Tree, one: Name, command: List) -> Iterator[str]:
    if not one.is_selectable:
        yield "\\NonExistent" if command.is_extended else "\\Noselect"
    yield "\\HasChildren" if one.name in tree.parents else "\\HasNoChildren"
    if one.special_use:
        yield one.special_use
    if one.is_subscribed and "SUBSCRIBED" in command.select | command.returns:
        yield "\\Subscribed"


def list_subscribed(account: Account, command: Lsub) -> Iterator[bytes]:
    r"""RFC 3501 §6.3.9: a name that only stands above matching ones is shown for `%`, with \Noselect."""
    matches = Patterns(command.reference, command.patterns)
    tree = Tree.of(_with_subscribed(account), matches)
    for one in tree.names:
        if not matches(one.name):
            continue
        if one.is_subscribed:
            attributes = () if one.is_selectable else ("\\NonExistent",)
            yield list_response(one.name, attributes, utf8=account.is_utf8, verb=b"LSUB")
        elif one.name in tree.parents_of_subscribed:
            yield list_response(one.name, ("\\Noselect",), utf8=account.is_utf8, verb=b"LSUB")
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "done")
