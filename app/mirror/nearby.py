"""Bodies that lie on this machine: read from their source by whoever wants them, with no cache or engine between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.mirror.models import Folder, Message
from app.runtime import Runtime
from app.sources import MailSource

PIECE_OCTETS = 262_144

READERS: dict[str, Callable[[Runtime, int], MailSource]] = {}
"""`mail_account.source` → opens a source for the account with this id; an extension adds its own."""


@dataclass(frozen=True, slots=True)
class Nearby:
    """A message that can be read where it lies.  Reading raises what MailSource does."""

    source: MailSource
    folder: str
    uid: int
    uidvalidity: int

    def sections(self, sections: Sequence[str]) -> Mapping[str, bytes]:
        with closing(self.source) as source:
            return source.fetch(self.folder, self.uid, sections, self.uidvalidity)

    def pieces(self, section: str) -> Iterator[bytes]:
        """A section in pieces; the first is read at once, so that a fault comes before anything was handed on."""
        rest = self._pieces(section)
        return chain([next(rest, b"")], rest)

    def _pieces(self, section: str) -> Iterator[bytes]:
        with closing(self.source) as source:
            yield from source.stream(self.folder, self.uid, section, PIECE_OCTETS, self.uidvalidity)


def find_nearby(parts: Runtime, db: Session, message: Message) -> Nearby | None:
    """None: the body lies elsewhere, or its UID is not known while a move is on its way.  Raises what opening does."""
    where = select(MailAccount.source, Folder.name, Folder.uidvalidity).join(
        Folder, Folder.account_id == MailAccount.id
    )
    found = db.execute(where.where(Folder.id == message.folder_id)).one_or_none()
    if found is None or found.source not in READERS or message.uid < 0 or found.uidvalidity is None:
        return None
    db.commit()  # nothing was written: no connection is held while another is asked for
    source = READERS[found.source](parts, message.account_id)
    return Nearby(source, found.name, message.uid, found.uidvalidity)
