"""Names of the mail tree: which directory is which folder, which file which message.  Pure.

    mail/alice/journal.txt                              the mailbox
    mail/alice/INBOX/journal.txt                        a folder
    mail/alice/INBOX/2026-11-0000/000017.eml            the message with UID 17, stored in November
    mail/alice/Projects/Kitchen/journal.txt             the folder Projects/Kitchen

A directory's name is the folder's own where it can be; what could leave the tree, hide in it, or mean two things to
two systems is written as %XX of its UTF-8.  A name too long for one directory goes on in one inside, the first ending
in "%".  So the tree alone says the names, and one rename(2) renames a folder with all below it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes

JOURNAL = "journal.txt"
LONGEST_PART = 240  # octets; file systems take 255
GOES_ON = "%"
PLAIN = frozenset(" !#$&'()+,-.;=@[]^_{}~")
"""ASCII kept beside letters and digits; the rest has a meaning to some system or shell."""
FILES_PER_DIRECTORY = 1_000
MESSAGE_DIRECTORY = re.compile(r"\d{4}-\d{2}-\d{4,}")
MESSAGE_FILE = re.compile(r"(\d{6,10})\.eml")


@lru_cache(maxsize=1024)
def folder_directory(mailbox: str, name: str = "") -> PurePosixPath:
    """Where in the tree a mailbox, or a folder of it, lies."""
    parts = [mailbox, *name.split("/")] if name else [mailbox]
    return PurePosixPath(*(piece for part in parts for piece in _directories(part)))


def folder_name(directory: PurePosixPath) -> tuple[str, str]:
    """Mailbox and folder name ("" for the mailbox itself) of a directory.  Raises ValueError if no name makes it."""
    parts = list(_parts(directory.parts))
    mailbox, name = parts[0], "/".join(parts[1:])
    if folder_directory(mailbox, name) != directory:
        raise ValueError(str(directory))
    return mailbox, name


def message_file(uid: int, stored_at: datetime) -> str:
    """Where in its folder's directory a message lies; a directory takes no more than FILES_PER_DIRECTORY of a month."""
    return f"{stored_at:%Y-%m}-{uid // FILES_PER_DIRECTORY:04}/{uid:06}.eml"


def find_uid(file: str) -> int | None:
    """The UID a message file's name tells; None for a file that is none of ours."""
    directory, _, name = file.rpartition("/")
    match = MESSAGE_FILE.fullmatch(name)
    return int(match[1]) if match and MESSAGE_DIRECTORY.fullmatch(directory) else None


def readable(part: str) -> str:
    """One part of a name as files are called; undone by unescaping %XX."""
    return "".join(_encoded(part))


def _directories(part: str) -> Iterator[str]:
    encoded = readable(part)
    if len(encoded.encode()) > LONGEST_PART:
        encoded = "".join(char if char.isascii() and char.isalnum() else _escaped(char) for char in part)
    while len(encoded) > LONGEST_PART:
        yield encoded[:LONGEST_PART] + GOES_ON
        encoded = encoded[LONGEST_PART:]
    yield encoded


def _encoded(part: str) -> Iterator[str]:
    """Each character as it is written.  Two names never become one: escaping is undone by unescaping."""
    composed = unicodedata.is_normalized("NFC", part)
    last = len(part) - 1
    reserved = part == JOURNAL or MESSAGE_DIRECTORY.fullmatch(part) is not None
    for at, char in enumerate(part):
        at_the_edge = at in (0, last) and char in ". "
        kept = not at_the_edge and not (reserved and at == 0) and _is_plain(char, composed=composed)
        yield char if kept else _escaped(char)


def _is_plain(char: str, *, composed: bool) -> bool:
    if char.isascii():
        return char.isalnum() or char in PLAIN
    return composed and unicodedata.category(char)[0] in "LNPS"


def _escaped(char: str) -> str:
    return "".join(f"%{octet:02X}" for octet in char.encode("utf-8", "surrogatepass"))


def _parts(directories: Iterable[str]) -> Iterator[str]:
    begun = ""
    for directory in directories:
        begun += directory
        if begun.endswith(GOES_ON):
            begun = begun.removesuffix(GOES_ON)
            continue
        yield unquote_to_bytes(begun).decode("utf-8", "surrogatepass")
        begun = ""
    if begun:
        raise ValueError(begun)
