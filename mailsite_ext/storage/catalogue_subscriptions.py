"""Which names a person subscribed to: a list of its own, beside the folders.

A name stays on it when its folder is removed or gets another name, and whatever folder has the name is subscribed
(RFC 9051 §6.3.7, RFC 3501 §6.3.6).
"""

from __future__ import annotations

from collections.abc import Sequence

from app.extension_api import NoSuchFolder
from mailsite_ext.errors import TooManyFolders
from mailsite_ext.protocol.folder_names import canonical
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.catalogue_step import Step
from mailsite_ext.storage.catalogue_values import LockedMailbox, SubscriptionsChanged

MOST_SUBSCRIPTIONS = 4_000
"""Of a mailbox: every folder it can have, and as many names again."""


def subscriptions(link: Link, mailbox_id: int) -> list[str]:
    query = "SELECT name FROM mailsite_subscription WHERE mailbox_id = ? ORDER BY name"
    return [name for (name,) in link.rows(query, [mailbox_id])]


def subscribe(step: Step, mailbox: LockedMailbox, name: str) -> None:
    """Raises NoSuchFolder for a name that no folder has, unless it is subscribed already; TooManyFolders."""
    name = canonical(name)
    subscribed = subscriptions(step.link, mailbox.id)
    if name in subscribed:
        return
    if step.link.row("SELECT 1 FROM mailsite_folder WHERE mailbox_id = ? AND name = ?", [mailbox.id, name]) is None:
        raise NoSuchFolder(name)
    if len(subscribed) >= MOST_SUBSCRIPTIONS:
        raise TooManyFolders
    add(step, mailbox, [name])


def add(step: Step, mailbox: LockedMailbox, names: Sequence[str]) -> None:
    """Names that are not subscribed yet."""
    enter(step.link, mailbox.id, names)
    step.events.append(SubscriptionsChanged(mailbox, names, subscribed=True))


def enter(link: Link, mailbox_id: int, names: Sequence[str]) -> None:
    statement = "INSERT INTO mailsite_subscription (mailbox_id, name) VALUES (?, ?)"
    link.run_many(statement, [(mailbox_id, name) for name in names])


def unsubscribe(step: Step, mailbox: LockedMailbox, name: str) -> None:
    """A name that is not subscribed stays so."""
    name = canonical(name)
    statement = "DELETE FROM mailsite_subscription WHERE mailbox_id = ? AND name = ?"
    if step.link.run(statement, [mailbox.id, name]):
        step.events.append(SubscriptionsChanged(mailbox, [name], subscribed=False))


def forget_all(link: Link, mailbox_id: int) -> None:
    link.run("DELETE FROM mailsite_subscription WHERE mailbox_id = ?", [mailbox_id])
