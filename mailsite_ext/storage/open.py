"""The storage of this installation: the engine the settings name (O1, O2), one a process."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import TypeAlias

from app.extension_api import Config, Runtime
from mailsite_ext.settings.values import Settings, StorageKind
from mailsite_ext.storage.file_mail_storage import FileMailStorage
from mailsite_ext.storage.sql_mail_storage import SqlMailStorage

Storage: TypeAlias = FileMailStorage | SqlMailStorage

_opened: dict[tuple[int, StorageKind, Path], Storage] = {}
_opening = threading.Lock()


def open_storage(parts: Runtime, settings: Settings) -> Storage:
    """The process's storage; a process that was forked opens its own.  Raises StorageElsewhere, StorageDamaged."""
    key = (os.getpid(), settings.storage_engine, mail_folder(parts.config))
    with _opening:
        if key not in _opened:
            _opened[key] = new_storage(parts, settings.storage_engine)
        return _opened[key]


def close_storage(parts: Runtime) -> None:
    """Finish what is under way in this process; the next `open_storage` opens anew."""
    with _opening:
        for key in [key for key in _opened if key[0] == os.getpid() and key[2] == mail_folder(parts.config)]:
            _opened.pop(key).close()


def new_storage(parts: Runtime, kind: StorageKind) -> Storage:
    """Another one beside the process's own; whoever asks for it closes it."""
    folder = mail_folder(parts.config)
    if kind is StorageKind.FILES:
        return FileMailStorage(folder, parts.clock, parts.bus, machine=socket.gethostname())
    return SqlMailStorage(parts.public.engine, folder / "sql", parts.clock, parts.bus)


def mail_folder(config: Config) -> Path:
    """Everything hosted: on one file system, so that files can be renamed and linked into place."""
    return config.work_directory.absolute() / "mailsite"
