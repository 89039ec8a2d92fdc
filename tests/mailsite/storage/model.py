"""A storage as simple as it can be: what the engines are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import Column, StoredFolder
from tests.mailsite.storage.engines import read

SYSTEM = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")


@dataclass
class ModelMessage:
    data: bytes
    flags: set[str]


@dataclass
class ModelFolder:
    id: int
    uidvalidity: int
    uidnext: int = 1
    messages: dict[int, ModelMessage] = field(default_factory=dict)
    modseq: int = 0
    seen_modseqs: dict[int, dict[int, str]] = field(default_factory=dict)  # modseq → what the folder was then

    def add(self, data: bytes, flags: Iterable[str]) -> int:
        uid = self.uidnext
        self.uidnext += 1
        self.messages[uid] = ModelMessage(data, set(flags))
        return uid

    def state(self) -> dict[int, str]:
        return {uid: text(message.flags) for uid, message in self.messages.items()}


def text(flags: set[str]) -> str:
    return " ".join([*(flag for flag in SYSTEM if flag in flags), *sorted(flags - set(SYSTEM))])


def check_folder(storage: StorageEngine, model: ModelFolder) -> StoredFolder:
    """The folder is the model's, whichever way one looks at it."""
    folder = storage.get_folder(model.id)
    assert (folder.uidvalidity, folder.uidnext) == (model.uidvalidity, model.uidnext)
    state = model.state()
    assert dict(storage.rows(model.id, (Column.UID, Column.FLAGS))) == state
    assert list(storage.uids(model.id)) == sorted(state)
    assert folder.messages == len(state)
    assert folder.unseen == sum("\\Seen" not in message.flags for message in model.messages.values())
    assert folder.deleted == sum("\\Deleted" in message.flags for message in model.messages.values())
    assert folder.octets == sum(len(message.data) for message in model.messages.values())
    for uid, message in model.messages.items():
        assert read(storage, model.id, uid) == message.data
    _check_changes(storage, model, folder)
    return folder


def _check_changes(storage: StorageEngine, model: ModelFolder, folder: StoredFolder) -> None:
    """Whoever knew the folder at any earlier MODSEQ and hears what changed since knows it as it is now."""
    for modseq, known in model.seen_modseqs.items():
        changes = storage.changes(model.id, modseq)
        told = dict(known)
        for uid in changes.vanished:
            told.pop(uid, None)
        told.update({uid: flags for uid, _modseq, flags in changes.changed})
        assert told == model.state()
        if changes.complete:
            assert set(changes.vanished) == _gone(known, model, changes.vanished)
    if folder.highestmodseq in model.seen_modseqs:
        assert model.seen_modseqs[folder.highestmodseq] == model.state(), "a change without a new MODSEQ"
    assert folder.highestmodseq >= model.modseq
    model.modseq = folder.highestmodseq
    model.seen_modseqs[folder.highestmodseq] = model.state()


def _gone(known: dict[int, str], model: ModelFolder, vanished: Iterable[int]) -> set[int]:
    """All that was known and is gone; messages that came and went meanwhile may be named too."""
    came_and_went = {uid for uid in vanished if uid not in known and uid not in model.messages}
    return (set(known) - set(model.messages)) | came_and_went
