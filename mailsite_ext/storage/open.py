"""The storage of this installation: the engine the settings name (O1, O2), one a process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from app.extension_api import Config, MailError, Runtime
from mailsite_ext.settings.values import Settings, StorageKind
from mailsite_ext.storage.file_mail_storage import FileMailStorage
from mailsite_ext.storage.files import disk_faults
from mailsite_ext.storage.sql_mail_storage import SqlMailStorage

Storage: TypeAlias = FileMailStorage | SqlMailStorage

_opened: dict[tuple[int, StorageKind, Path], tuple[Storage, contextlib.ExitStack]] = {}
_opening = threading.Lock()


class StorageInUse(MailError):
    """Another process has it open, or has it alone."""


def open_storage(parts: Runtime, settings: Settings) -> Storage:
    """The process's storage; a process that was forked opens its own.

    Raises StorageInUse while it is converted, StorageElsewhere, StorageDamaged.
    """
    key = (os.getpid(), settings.storage_engine, mail_folder(parts.config))
    with _opening:
        if key not in _opened:
            with contextlib.ExitStack() as held:
                held.enter_context(_lock(parts.config, fcntl.LOCK_SH))
                _opened[key] = new_storage(parts, settings.storage_engine), held.pop_all()
        return _opened[key][0]


def close_storage(parts: Runtime) -> None:
    """Finish what is under way in this process; the next `open_storage` opens anew."""
    with _opening:
        for key in [key for key in _opened if key[0] == os.getpid() and key[2] == mail_folder(parts.config)]:
            storage, held = _opened.pop(key)
            storage.close()
            held.close()


def new_storage(parts: Runtime, kind: StorageKind) -> Storage:
    """Another one beside the process's own; whoever asks for it closes it."""
    folder = mail_folder(parts.config)
    if kind is StorageKind.FILES:
        return FileMailStorage(folder, parts.clock, parts.bus, machine=socket.gethostname())
    return SqlMailStorage(parts.public.engine, folder / "sql", parts.clock, parts.bus)


def alone(config: Config) -> contextlib.AbstractContextManager[None]:
    """Nobody else has the storage open meanwhile.  Raises StorageInUse."""
    return _lock(config, fcntl.LOCK_EX)


@contextlib.contextmanager
def _lock(config: Config, how: int) -> Iterator[None]:
    mail_folder(config).mkdir(parents=True, exist_ok=True, mode=0o700)
    with disk_faults():
        descriptor = os.open(mail_folder(config) / "open", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StorageInUse("the storage is open elsewhere") from None
    finally:
        os.close(descriptor)


def mail_folder(config: Config) -> Path:
    """Everything hosted: on one file system, so that files can be renamed and linked into place."""
    return config.work_directory.absolute() / "mailsite"
