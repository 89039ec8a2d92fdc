"""What people do with messages, as commands: STORE, MOVE (RFC 6851), COPY, EXPUNGE (RFC 4315), Gmail's labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from app.errors import ActionRefused, BadInput, NoSuchMessage
from app.imap import deltas, names
from app.imap.dialog import Command, Turn
from app.imap.selection import Selection
from app.imap.uids import expand, parse_ranges, sets_of
from app.sources import Applied, Copy, Expunge, Move, SourceAction, StoreFlags, StoreLabels

FLAG = re.compile(r'\\?[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]{1,100}')
SYSTEM_LABEL = re.compile(r"\\[A-Za-z]{1,30}")
COPYUID = re.compile(r"(\d{1,10}) ([\d:,]+) ([\d:,]+)")


def flag_list(flags: Iterable[str]) -> bytes:
    """A list of flags.  Raises BadInput for what is no flag or keyword (RFC 9051 §9), or none a client may set."""
    words = sorted(flags)
    if any(not FLAG.fullmatch(word) or word.lower() == "\\recent" for word in words):
        raise BadInput("flags", "That cannot be a flag.")
    return b"(" + " ".join(words).encode("ascii") + b")"


def copied_uids(told: str | None) -> tuple[int | None, Mapping[int, int]]:
    """UIDVALIDITY of the target and old to new UIDs, from COPYUID (RFC 4315 §3); empty if there is none or it lies."""
    match = COPYUID.fullmatch(told or "")
    if match is None:
        return None, {}
    old, new = (expand(parse_ranges(match[group].encode()), 100_000) for group in (2, 3))
    return int(match[1]), dict(zip(old, new, strict=True)) if len(old) == len(new) else {}


class Actions:
    """Carries actions out.  Each may be repeated after a broken connection, as far as the protocol allows."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._session = selection.session

    def apply(self, action: SourceAction) -> Applied:
        """Raises NoSuchFolder, FolderMissing, FolderFull, ActionRefused (also for another UIDVALIDITY)."""
        if not action.uids:
            return Applied()
        try:
            self._selection.open(action.folder, action.uidvalidity)
        except NoSuchMessage as error:
            raise ActionRefused(error.detail) from error
        match action:
            case StoreFlags():
                return self._store(action, b"FLAGS", flag_list(action.add), flag_list(action.remove))
            case StoreLabels():
                return self._store(
                    action, b"X-GM-LABELS", self._label_list(action.add), self._label_list(action.remove)
                )
            case Move():
                return self._move(action)
            case Copy():
                return self._copy(action.folder, action.uids, action.target)
            case Expunge():
                self._expunge(action.folder, action.uids)
                return Applied()

    def _store(self, action: StoreFlags | StoreLabels, item: bytes, add: bytes, remove: bytes) -> Applied:
        changes = [(sign, words) for sign, words in ((b"+", add), (b"-", remove)) if words != b"()"]
        commands = [
            Command(b"UID STORE %b %b%b.SILENT %b" % (uids, sign, item, words))
            for uids in sets_of(action.uids)
            for sign, words in changes
        ]
        if commands:
            self._selection.run(action.folder, *commands)
        return Applied()

    def _label_list(self, labels: Iterable[str]) -> bytes:
        return b"(" + b" ".join(self.label(label) for label in sorted(labels)) + b")"

    def label(self, label: str) -> bytes:
        """A label as it stands in a command.  Raises BadInput."""
        if SYSTEM_LABEL.fullmatch(label):
            return label.encode("ascii")
        names.check(label)
        return names.encode(label, utf8="UTF8=ACCEPT" in self._session.enabled)

    def _move(self, action: Move) -> Applied:
        if not self._session.has("MOVE"):
            applied = self._copy(action.folder, action.uids, action.target)
            self._expunge(action.folder, action.uids)
            return applied
        return self._to_target(b"MOVE", action.folder, action.uids, action.target)

    def _copy(self, folder: str, uids: Iterable[int], target: str) -> Applied:
        return self._to_target(b"COPY", folder, uids, target)

    def _to_target(self, verb: bytes, folder: str, uids: Iterable[int], target: str) -> Applied:
        """One turn for each set of UIDs, as each has its own COPYUID."""
        name, copied, uidvalidity = self._selection.wire_name(target), dict[int, int](), None
        for some in sets_of(uids):
            turn = self._selection.run(folder, Command(b"UID %b %b %b" % (verb, some, name)))
            uidvalidity, pairs = copied_uids(turn.code("COPYUID"))
            copied.update(pairs)
        return Applied(copied, uidvalidity)

    def _expunge(self, folder: str, uids: tuple[int, ...]) -> None:
        """Remove these messages, and no others somebody has marked \\Deleted."""
        sets = list(sets_of(uids))
        mark = [Command(b"UID STORE %b +FLAGS.SILENT (\\Deleted)" % some) for some in sets]
        if self._session.has("UIDPLUS"):
            self._selection.run(folder, *mark, *(Command(b"UID EXPUNGE " + some) for some in sets))
            return
        # Without UIDPLUS there is only EXPUNGE, which removes all that is marked.  So the marks of others are taken
        # off and put back.  A mark another client sets in between is lost to this EXPUNGE: the protocol has no way
        # around, and the alternative, leaving the message marked, shows deleted mail as present.
        others = sets_of(set(self._marked(folder)) - set(uids))
        marked = list(others)
        if marked:
            self._selection.run(folder, *(Command(b"UID STORE %b -FLAGS.SILENT (\\Deleted)" % some) for some in marked))
        self._selection.run(folder, *mark)
        self._selection.run(folder, Command(b"EXPUNGE"))
        if marked:
            self._selection.run(folder, *(Command(b"UID STORE %b +FLAGS.SILENT (\\Deleted)" % some) for some in marked))

    def _marked(self, folder: str) -> list[int]:
        turn: Turn = self._selection.run(folder, Command(b"UID SEARCH DELETED"))
        return deltas.search_result(turn)
