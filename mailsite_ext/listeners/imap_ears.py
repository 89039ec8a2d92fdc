"""Rouses a connection when a folder rings that its client wants to hear of: in IDLE (RFC 2177) and after NOTIFY."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from mailsite_ext.imap.account import Account
from mailsite_ext.storage.bells import FolderBells


class Ears:
    """Of one conversation; used in the loop's thread."""

    def __init__(self, bells: FolderBells, rouse: Callable[[], None]) -> None:
        self._bells = bells
        self._rouse = rouse
        self._folders: frozenset[int] = frozenset()
        self._end: list[Callable[[], None]] = []
        self.rang = False  # since it was last set back

    def listen(self, account: Account) -> None:
        """To the selected folder and those NOTIFY named; where they are others than before, one may have rung."""
        watched = account.watch.told if account.watch else {}
        folders = frozenset(watched) | ({account.view.folder_id} if account.view else frozenset())
        if folders == self._folders:
            return
        self.close()
        self._folders, self.rang = folders, True
        loop = asyncio.get_running_loop()

        def ring() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._ring)

        self._end = [self._bells.listen(folder_id, ring) for folder_id in folders]
        trees = {folder.mailbox_id for folder in watched.values()}
        self._end += [self._bells.listen_to_tree(mailbox_id, ring) for mailbox_id in trees]

    def _ring(self) -> None:
        self.rang = True
        self._rouse()

    def close(self) -> None:
        for end in self._end:
            end()
        self._end, self._folders = [], frozenset()
