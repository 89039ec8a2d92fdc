"""Both storage engines, opened for a test as often as it likes, and short words for what tests do with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.db import Database
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.sql_mail_storage import SqlMailStorage
from mailsite_ext.storage.values import Content, Delivery, FlagMode, Placement, Stored, StoredFolder

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@dataclass
class Place:
    """Where a storage lies; `open` it again and again, as processes do."""

    kind: str  # "files", "sqlite", "postgres"
    folder: Path
    url: str = ""
    clock: Any = None
    opened: list[Any] = field(default_factory=list)

    def open(self, **options: Any) -> StorageEngine:
        storage = self._files(**options) if self.kind == "files" else self._sql(**options)
        self.opened.append(storage)
        return storage

    def _files(self, **options: Any) -> StorageEngine:
        from mailsite_ext.storage.file_mail_storage import FileMailStorage

        return FileMailStorage(self.folder / "mail", self.clock, machine="here", **options)

    def _sql(self, **options: Any) -> StorageEngine:
        return SqlMailStorage(Database(self.url).engine, self.folder / "bytes", self.clock, **options)

    def close(self) -> None:
        for storage in self.opened:
            storage.close()
            storage.engine.dispose()
        self.opened = []


def mail(subject: str = "Hello", body: str = "Text\r\n", message_id: str = "") -> bytes:
    lines = [
        "From: Alice <alice@example.org>",
        "To: bob@example.org",
        f"Subject: {subject}",
        "Date: Tue, 24 Nov 2026 12:00:00 +0000",
        *([f"Message-ID: <{message_id}>"] if message_id else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def content(data: bytes, head: bytes = b"") -> Content:
    return Content(data, len(data), head)


def add(storage: StorageEngine, folder: StoredFolder, *subjects: str, flags: str = "") -> list[int]:
    """Append messages in one step; their UIDs."""
    stored = storage.append(folder.id, [(content(mail(one)), frozenset(flags.split()), NOON) for one in subjects])
    return [one.uid for one in stored.result(30)]


def deliver(storage: StorageEngine, data: bytes, *placements: Placement | str) -> list[Stored]:
    places = [Placement(one) if isinstance(one, str) else one for one in placements]
    return list(storage.deliver(Delivery(content(data), places, NOON)).result(30))


def read(storage: StorageEngine, folder_id: int, uid: int) -> bytes:
    with storage.open_message(folder_id, uid) as message:
        return message.read(0, message.size_octets)


def flag(storage: StorageEngine, folder: StoredFolder, uids: list[int], *flags: str) -> Any:
    return storage.store_flags(folder.id, uids, FlagMode.ADD, frozenset(flags))


def inbox_of(storage: StorageEngine, mailbox: str = "alice") -> StoredFolder:
    folder = storage.find_folder(mailbox, "INBOX")
    assert folder
    return folder


def needs_engine(kind: str) -> None:
    if kind == "files":
        pytest.importorskip("mailsite_ext.storage.file_mail_storage", reason="FileMailStorage is not there")
