"""Commands inside a folder: SELECT goes along in the same write when the folder is not open yet."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import FolderMissing, NoSuchFolder, NoSuchMessage
from app.imap import names
from app.imap.deltas import about_selected
from app.imap.dialog import TURN_OCTETS, Command, ImapSession, Turn


@dataclass(frozen=True)
class Asked:
    """A turn on its way in a folder."""

    turn: Turn
    folder: str
    selects: bool


class Selection:
    """Which folder of the session is open.  Folders are named as people see them."""

    def __init__(self, session: ImapSession) -> None:
        self.session = session
        self._folder: str | None = None
        self._uidvalidity: int | None = None
        self.keeps_modseq = False
        """Whether the open folder has MODSEQs: one that said NOMODSEQ refuses to be asked (RFC 7162 §3.1.2.2)."""

    def wire_name(self, folder: str) -> bytes:
        """The folder as it stands in a command.  Raises BadInput.

        INBOX is written alike whatever the session has settled on (RFC 9051 §5.1), so it need not wait for that.
        """
        if folder == "INBOX":
            return b'"INBOX"'
        names.check(folder)
        return names.encode(self.session.namespaces.real(folder), utf8="UTF8=ACCEPT" in self.session.enabled)

    def send(
        self,
        folder: str,
        *commands: Command,
        parameter: bytes = b"",
        most_octets: int = TURN_OCTETS,
        expected_octets: int = 0,
        anew: bool = False,
        behind: Asked | None = None,
    ) -> Asked:
        """Send commands for `folder`, behind a SELECT unless it is open; `anew` selects it in any case.

        `behind` is what is on its way already and will be received first.
        """
        selects = anew or self._folder != folder
        if selects:
            commands = (Command(b"SELECT " + self.wire_name(folder) + parameter), *commands)
            self._folder, self._uidvalidity, self.keeps_modseq = folder, None, False
        ahead = behind.turn if behind and not selects else None
        turn = self.session.send(*commands, most_octets=most_octets, expected_octets=expected_octets, behind=ahead)
        return Asked(turn, folder, selects)

    def receive(self, asked: Asked, uidvalidity: int | None = None) -> Turn:
        """The turn's replies, all of them good.

        Raises NoSuchFolder; NoSuchMessage if UIDVALIDITY is not `uidvalidity` (None: any), as the UIDs in the
        commands then meant other messages; else what the server's refusal means.
        """
        turn = self.session.receive(asked.turn)
        if asked.selects:
            self._take_selected(asked, turn)
        if uidvalidity is not None and self._folder == asked.folder and self._uidvalidity not in (None, uidvalidity):
            raise NoSuchMessage("the folder was made anew on the server")
        return turn.check()

    def run(
        self, folder: str, *commands: Command, uidvalidity: int | None = None, most_octets: int = TURN_OCTETS
    ) -> Turn:
        return self.receive(self.send(folder, *commands, most_octets=most_octets), uidvalidity)

    def open(self, folder: str, uidvalidity: int | None = None) -> None:
        """Make sure that `folder` is open and the one meant, before something is changed in it."""
        if self._folder != folder:
            self.receive(self.send(folder), uidvalidity)
        elif uidvalidity not in (None, self._uidvalidity):
            raise NoSuchMessage("the folder was made anew on the server")

    def forget(self) -> None:
        """The next command selects again, as after a rename or deletion."""
        self._folder = None

    def _take_selected(self, asked: Asked, turn: Turn) -> None:
        try:
            turn.replies[0].check()
        except FolderMissing as error:
            self._folder = None
            raise NoSuchFolder(error.detail) from error
        except Exception:
            self._folder = None
            raise
        if self._folder != asked.folder:
            return
        opening = Turn(turn.replies[:1], 0, about_selected(turn))
        told = opening.code("UIDVALIDITY") or ""
        self._uidvalidity = int(told) if told.isdigit() and len(told) <= 10 else None
        self.keeps_modseq = bool(opening.code("HIGHESTMODSEQ"))
