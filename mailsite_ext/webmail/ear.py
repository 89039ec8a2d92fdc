"""What a session hears of the mailbox it watches: its folder, every other one, and the tree."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial

from mailsite_ext.storage.bells import FolderBells
from mailsite_ext.webmail.chime import Chime


class MailboxEar:
    """Listens to a mailbox from its first `watch` until it is closed: also while its session does something else.

    Bells come in the thread of FolderBells, which only sets a flag and rings the chime of who waits.
    """

    def __init__(self, bells: FolderBells) -> None:
        self._bells = bells
        self._watched_id = 0
        self._chime: Chime | None = None
        self._watched_news = threading.Event()
        self._other_news = threading.Event()
        self._other_news.set()  # nobody listened until now
        self._unlisten: dict[int, Callable[[], None]] = {}
        self._unlisten_tree: Callable[[], None] | None = None

    def attend(self, mailbox_id: int, folder_ids: Iterable[int]) -> None:
        """Listen to these folders and to those that come; others are forgotten."""
        if self._unlisten_tree is None:
            self._unlisten_tree = self._bells.listen_to_tree(mailbox_id, lambda: self._ring(self._other_news))
        wanted = set(folder_ids)
        for folder_id in self._unlisten.keys() - wanted:
            self._unlisten.pop(folder_id)()
        for folder_id in wanted - self._unlisten.keys():
            self._unlisten[folder_id] = self._bells.listen(folder_id, partial(self._on_bell, folder_id))

    def watch(self, folder_id: int) -> int:
        """The descriptor that is rung from now on; what others had to tell meanwhile rings it at once."""
        self.stop()
        self._watched_id = folder_id
        self._watched_news.clear()
        self._chime = chime = Chime()
        if self._other_news.is_set():
            chime.ring()
        return chime.descriptor

    def note_news(self) -> None:
        """The watched folder has news already."""
        self._ring(self._watched_news)

    def _on_bell(self, folder_id: int) -> None:
        self._ring(self._watched_news if folder_id == self._watched_id else self._other_news)

    def _ring(self, news: threading.Event) -> None:
        """The flag before the chime: who hears it finds the flag set."""
        news.set()
        chime = self._chime
        if chime is not None:
            chime.ring()

    def has_news(self) -> bool:
        """Of the watched folder, since the last time; the chime is silent then."""
        if self._chime is None:
            return False
        self._chime.heard()
        return _taken(self._watched_news)

    def has_other_news(self) -> bool:
        """Of any other folder or the tree, since the last time."""
        return _taken(self._other_news)

    def stop(self) -> None:
        """Wait no more; what is told of other folders is remembered."""
        chime, self._chime = self._chime, None
        if chime is not None:
            chime.close()

    def close(self) -> None:
        self.stop()
        for unlisten in self._unlisten.values():
            unlisten()
        self._unlisten.clear()
        if self._unlisten_tree is not None:
            self._unlisten_tree()


def _taken(news: threading.Event) -> bool:
    was_set = news.is_set()
    if was_set:
        news.clear()
    return was_set
