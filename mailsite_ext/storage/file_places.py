"""Reading the mail tree: which directories are mailboxes and folders, and which message files are in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mailsite_ext.storage.files import disk_faults
from mailsite_ext.storage.tree import JOURNAL, MESSAGE_DIRECTORY, find_uid, folder_name


@dataclass(frozen=True, slots=True)
class Place:
    """A directory that a mailbox (`name` empty) or a folder has; its journal may be lost."""

    directory: Path
    mailbox: str
    name: str

    @property
    def journal(self) -> Path:
        return self.directory / JOURNAL

    @property
    def is_begun(self) -> bool:
        """False: what a step that died left of a folder or mailbox it was about to make."""
        return self.journal.exists() or self.has_messages

    @property
    def has_messages(self) -> bool:
        return bool(self.name and message_directories(self.directory))


def places(root: Path) -> Iterator[Place]:
    """Mailboxes and folders, each before those in it; directories no name of ours makes are left alone."""
    with disk_faults():
        yield from _below(root, PurePosixPath())


def _below(root: Path, inside: PurePosixPath) -> Iterator[Place]:
    for child in sorted(os.scandir(root / inside), key=lambda entry: entry.name):
        if child.is_dir(follow_symlinks=False) and not (inside.parts and MESSAGE_DIRECTORY.fullmatch(child.name)):
            directory = inside / child.name
            yield from _places_of(root / directory, directory)
            yield from _below(root, directory)


def _places_of(path: Path, directory: PurePosixPath) -> Iterator[Place]:
    try:
        mailbox, name = folder_name(directory)
    except ValueError:
        return
    yield Place(path, mailbox, name)


def message_directories(directory: Path) -> list[Path]:
    return sorted(child for child in directory.iterdir() if MESSAGE_DIRECTORY.fullmatch(child.name) and child.is_dir())


def message_files(directory: Path) -> Iterator[tuple[str, int | None]]:
    """Every file in a folder's message directories, and the UID its name tells."""
    for child in message_directories(directory):
        for name in sorted(os.listdir(child)):
            file = f"{child.name}/{name}"
            yield file, find_uid(file)
