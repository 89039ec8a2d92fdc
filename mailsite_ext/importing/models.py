"""What is imported from an account, and how far that is: everything an engine needs to go on after any crash."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base, Role, UtcDateTime

TRY_AGAIN = ""
"""In place of an error: this message is about to be tried again."""


class ImportState(StrEnum):
    RUNNING = "running"  # or waiting, where `error` says for what
    PAUSED = "paused"
    STOPPED = "stopped"  # other folders may be chosen
    DONE = "done"


class Import(Base):
    """The import from one account into the mailbox of its owner.

    It stays when it is done or stopped: with it stays what was imported, so that starting again brings only the rest.
    """

    __tablename__ = "mailsite_import"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"), unique=True)
    state: Mapped[ImportState]
    is_apart: Mapped[bool]  # into folders below Imported/<account>
    error: Mapped[str] = mapped_column(String(60), default="")  # class name of a MailError
    error_detail: Mapped[str] = mapped_column(Text, default="")
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ImportFolder(Base):
    """A folder of the account, and how far its import is.

    Messages come in the order of their UIDs, oldest first, so one number says which are there: all up to `done_uid`
    (of `uidvalidity`, RFC 9051 §2.3.1.1).  Before some are stored, `pending_uid` says up to which, and `pending` from
    which UID on they will lie in each folder here: after a crash between storing and recording they are found there.
    `known` says below which UID a folder here has mail that the import has not put there since it began (anew): there
    a message is looked for before it is stored again.
    """

    __tablename__ = "mailsite_import_folder"
    __table_args__ = (UniqueConstraint("import_id", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("mailsite_import.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)  # there
    target: Mapped[str] = mapped_column(Text)  # here; on Gmail that of messages that no label puts elsewhere
    role: Mapped[Role | None]
    position: Mapped[int]
    is_wanted: Mapped[bool]
    is_complete: Mapped[bool] = mapped_column(default=False)
    uidvalidity: Mapped[int | None] = mapped_column(BigInteger)
    done_uid: Mapped[int] = mapped_column(BigInteger, default=0)
    known: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    pending_uid: Mapped[int] = mapped_column(BigInteger, default=0)
    pending: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)  # those that failed too
    failed: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)  # of the next message, that came to nothing
    failed_in_row: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(String(60), default="")  # why the whole folder could not be read


class ImportFailure(Base):
    """A message that did not come along; its `error` is TRY_AGAIN once somebody asked for that."""

    __tablename__ = "mailsite_import_failure"

    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("mailsite_import_folder.id", ondelete="CASCADE"), index=True)
    uid: Mapped[int] = mapped_column(BigInteger)
    subject: Mapped[str] = mapped_column(String(200), default="")
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(String(60))
    error_detail: Mapped[str] = mapped_column(Text, default="")
