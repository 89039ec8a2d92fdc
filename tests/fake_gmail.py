"""Gmail in memory: each message once in All Mail, Spam or Trash, and folders that only show a label (X-GM-EXT-1).

server = GmailServer(["Travel"])
server.deliver_labelled("Tickets", "\\\\Inbox", "Travel")
server.label(1, "Travel")            # from now on only this: nobody who watches is told, as on Gmail
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from app.sources import (
    Applied,
    Delta,
    FlagState,
    FolderState,
    FolderStatus,
    GmailIds,
    Move,
    RemoteFolder,
    RemoteMessage,
    Role,
    SourceAction,
    StoreLabels,
)
from tests.fake_messages import FakeFolder, FakeMessage, simple_message
from tests.fake_source import FakeServer, FakeSource

ALL_MAIL, SPAM, TRASH = "[Gmail]/All Mail", "[Gmail]/Spam", "[Gmail]/Trash"
VIEWS = {
    "INBOX": (Role.INBOX, "\\Inbox"),
    "[Gmail]/Drafts": (Role.DRAFTS, "\\Draft"),
    "[Gmail]/Important": (Role.IMPORTANT, "\\Important"),
    "[Gmail]/Sent Mail": (Role.SENT, "\\Sent"),
    "[Gmail]/Starred": (Role.FLAGGED, "\\Starred"),
}


class GmailServer(FakeServer):
    """`folders` are the three that hold messages, `views` the labels: name to role and label."""

    def __init__(self, labels: Iterable[str] = (), *, can_idle: bool = True) -> None:
        super().__init__(can_idle=can_idle)
        stores = ((ALL_MAIL, Role.ALL), (SPAM, Role.JUNK), (TRASH, Role.TRASH))
        self.folders = {name: FakeFolder(name, role) for name, role in stores}
        self.views: dict[str, tuple[Role | None, str]] = {**VIEWS, **{label: (None, label) for label in labels}}

    @property
    def all_mail(self) -> dict[int, FakeMessage]:
        return self.folders[ALL_MAIL].messages

    def session(self) -> GmailSource:
        return GmailSource(self)

    def deliver_labelled(self, subject: str, *labels: str, thrid: int = 0, flags: Iterable[str] = ()) -> int:
        with self.lock:
            uid = self.deliver(simple_message(subject), ALL_MAIL, flags)
            self.all_mail[uid].labels, self.all_mail[uid].thrid = set(labels), thrid or 10_000 + uid
            return uid

    def label(self, uid: int, *labels: str) -> None:
        with self.lock:
            self._touch(self.all_mail[uid]).labels = set(labels)

    def _touch(self, message: FakeMessage) -> FakeMessage:
        box = self.folders[ALL_MAIL]
        box.modseq += 1
        message.modseq = box.modseq
        return message

    def shown(self, view: str) -> list[int]:
        label = self.views[view][1]
        return [uid for uid, message in sorted(self.all_mail.items()) if label in labels_of(message)]

    def store_labels(self, uids: Iterable[int], add: frozenset[str], remove: frozenset[str]) -> None:
        for uid in uids:
            message = self._touch(self.all_mail[uid])
            message.labels = (message.labels | add) - remove


def labels_of(message: FakeMessage) -> set[str]:
    return message.labels | {"\\Starred"} if "\\Flagged" in message.flags else message.labels - {"\\Starred"}


class GmailSource(FakeSource):
    """One session; asking for the messages of a view fails, as they would come twice."""

    is_gmail = True
    _server: GmailServer

    def folders(self) -> Sequence[RemoteFolder]:
        with self._server.lock:
            views = [
                RemoteFolder(name, "/", role, status=self._status_of(name), label=label)
                for name, (role, label) in self._server.views.items()
            ]
            return [*super().folders(), RemoteFolder("[Gmail]", "/", selectable=False), *views]

    def _status_of(self, view: str) -> FolderStatus:
        shown = [self._server.all_mail[uid] for uid in self._server.shown(view)]
        return FolderStatus(77, 5_000, len(shown), sum("\\Seen" not in message.flags for message in shown))

    def changes(self, folder: str, since: FolderState | None, known: Sequence[int]) -> Delta:
        with self._server.lock:
            delta, box = super().changes(folder, since, known), self._server.folders[folder]
            flags = {uid: self._state(state, box.messages[uid]) for uid, state in delta.flags.items()}
            return replace(delta, flags=flags, new=[self._with_ids(box, message) for message in delta.new])

    def _state(self, state: FlagState, message: FakeMessage) -> FlagState:
        return replace(state, labels=tuple(sorted(labels_of(message))))

    def headers(
        self, folder: str, uids: Sequence[int], uidvalidity: int | None = None
    ) -> Iterator[Sequence[RemoteMessage]]:
        for chunk in super().headers(folder, uids, uidvalidity):
            yield [self._with_ids(self._server.folders[folder], message) for message in chunk]

    def _with_ids(self, box: FakeFolder, message: RemoteMessage) -> RemoteMessage:
        kept = box.messages[message.uid]
        return message._replace(gmail=GmailIds(zlib.crc32(kept.raw) + 1, kept.thrid, tuple(sorted(labels_of(kept)))))

    def apply(self, action: SourceAction) -> Applied:
        with self._server.lock:
            match action:
                case StoreLabels():
                    self._ask("apply", action.folder)
                    assert action.folder == ALL_MAIL, "labels are those of messages in All Mail"
                    here = [uid for uid in action.uids if uid in self._server.all_mail]
                    self._server.store_labels(here, action.add, action.remove)
                    return Applied()
                case Move() if action.target in self._server.views:
                    return self._move_to_view(action)
            return super().apply(action)

    def _move_to_view(self, action: Move) -> Applied:
        """Into All Mail with a label; COPYUID tells UIDs of the label's folder, which mean nothing in All Mail."""
        moved = super().apply(replace(action, target=ALL_MAIL))
        label = self._server.views[action.target][1]
        self._server.store_labels(moved.copied.values(), frozenset({label}), frozenset())
        return Applied({uid: 5_000 + uid for uid in moved.copied}, 77)

    def _copy(self, box: FakeFolder, uids: Sequence[int], target: FakeFolder, moves: bool) -> Applied:
        """A message keeps its labels in Trash and Spam, but is no longer in the inbox."""
        assert moves, "a copy would be a second label"
        old = {uid: box.messages[uid] for uid in uids}
        applied = super()._copy(box, uids, target, moves)
        for uid, new_uid in applied.copied.items():
            target.messages[new_uid].labels = old[uid].labels - {"\\Inbox"}
            target.messages[new_uid].thrid = old[uid].thrid
        return applied
