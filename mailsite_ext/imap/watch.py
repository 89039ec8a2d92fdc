"""What a client asked to be told of without asking again: NOTIFY's event groups (RFC 5465 §3).  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.extension_api import Role
from mailsite_ext.protocol.imap_commands import EventGroup, FetchItem
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.storage.values import DELIMITER, StoredFolder

SELECTED = frozenset({"SELECTED", "SELECTED-DELAYED"})
OF_MESSAGES = frozenset({"MESSAGENEW", "MESSAGEEXPUNGE", "FLAGCHANGE"})
DELIVERED_TO = frozenset({Role.INBOX, Role.JUNK})


@dataclass(slots=True)
class Watch:
    """`told` are the folders as the client was told of them last, by id; `tell_new` answers MessageNew's FETCH."""

    groups: Sequence[EventGroup]
    told: Mapping[int, StoredFolder]
    tell_new: Callable[[Sequence[int]], Iterator[bytes]]

    def find_selected(self) -> EventGroup | None:
        """The group of the selected folder, if it is to be told of at once."""
        return next((group for group in self.groups if group.filter in SELECTED and group.events), None)

    def items_of_new(self) -> tuple[FetchItem, ...]:
        group = self.find_selected()
        return group.fetch if group else ()

    def events_of(self, folder: StoredFolder) -> frozenset[str]:
        """What is to be told of a folder that is not selected: the first group that names it decides (RFC 5465 §6)."""
        named = (group for group in self.groups if group.filter not in SELECTED and names(group, folder))
        group = next(named, None)
        return group.events if group else frozenset()


def names(group: EventGroup, folder: StoredFolder) -> bool:
    match group.filter:
        case "INBOXES":
            return folder.role in DELIVERED_TO or folder.name == "INBOX"
        case "SUBSCRIBED":
            return folder.subscribed
        case "SUBTREE":
            return any(folder.name == top or folder.name.startswith(top + DELIMITER) for top in group.folders)
        case "MAILBOXES":
            return folder.name in group.folders
    return True  # PERSONAL: here are no others


def check_groups(groups: Iterable[EventGroup]) -> None:
    """Raises BadCommand for what RFC 5465 §5 and §6.1 forbid."""
    selected = 0
    for group in groups:
        wanted = group.events & OF_MESSAGES
        if wanted and not wanted >= {"MESSAGENEW", "MESSAGEEXPUNGE"}:
            raise BadCommand("MessageNew and MessageExpunge go together, FlagChange with both")
        if group.filter in SELECTED:
            selected += 1
            if group.events - OF_MESSAGES:
                raise BadCommand("Of the selected folder only messages are told")
        elif group.fetch:
            raise BadCommand("Only of the selected folder messages are told whole")
    if selected > 1:
        raise BadCommand("SELECTED comes once")
