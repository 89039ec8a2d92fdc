"""Mail out of and into a mailbox: as Maildir folders, or as mbox files.

Maildir: one directory a folder (Maildir++: `.Archive.2026`), the bytes as they are, flags in the file's name,
keywords as letters explained in `dovecot-keywords`, the date as the file's time.  mbox: one file a folder (mboxrd,
lines ending in LF), flags in Status, X-Status and X-Keywords, the date in the From line.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from mailsite_ext.protocol.folder_names import decode_utf7, encode_utf7
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.tree import readable
from mailsite_ext.storage.values import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    INBOX,
    SEEN,
    Column,
    Content,
    StoredFolder,
)

PIECE = 50
MAILDIR_FLAGS = {"D": DRAFT, "F": FLAGGED, "R": ANSWERED, "S": SEEN, "T": DELETED}
KEYWORD_LETTERS = "abcdefghijklmnopqrstuvwxyz"
KEYWORDS_FILE = "dovecot-keywords"
STATUS_FLAGS = {"R": SEEN, "A": ANSWERED, "F": FLAGGED, "D": DELETED, "T": DRAFT}
FROM_LINE = re.compile(rb"From \S+ +(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})")
QUOTED_FROM = re.compile(rb"(?m)^(>*From )")
UNQUOTED_FROM = re.compile(rb"(?m)^>(>*From )")
STATUS_FIELDS = re.compile(rb"(?im)^(status|x-status|x-keywords):[ \t]*(.*)\n")
LONGEST_FILE_NAME = 200  # octets


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way out or in."""

    data: bytes
    flags: frozenset[str]
    date: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    folder: str
    messages: int


# Both ways
def export_mailbox(storage: StorageEngine, mailbox: str, folder: Path, *, as_mbox: bool) -> Iterator[Moved]:
    """Write every folder of a mailbox below `folder`.  Raises NoSuchMailbox, FileExistsError."""
    write = write_mbox if as_mbox else write_maildir
    folder.mkdir(parents=True, mode=0o700)
    for one in storage.folders(mailbox):
        if one.selectable:
            yield Moved(one.name, write(folder, one.name, letters_of(storage, one)))


def import_mailbox(storage: StorageEngine, mailbox: str, folder: Path, *, as_mbox: bool) -> Iterator[Moved]:
    """Add everything below `folder` to a mailbox, which must be there; folders it lacks are made."""
    storage.quota(mailbox)
    found = read_mboxes(folder) if as_mbox else read_maildirs(folder)
    for name, letters in found:
        target = storage.find_folder(mailbox, name) or storage.create_folder(mailbox, name)
        yield Moved(name, _add(storage, target, letters))


def letters_of(storage: StorageEngine, folder: StoredFolder) -> Iterator[Letter]:
    for uid, flags, date in storage.rows(folder.id, [Column.UID, Column.FLAGS, Column.INTERNAL_DATE]):
        with storage.open_message(folder.id, uid) as reader:
            data = reader.read(0, reader.size_octets)
        yield Letter(data, frozenset(flags.split()), datetime.fromtimestamp(date, UTC))


def _add(storage: StorageEngine, folder: StoredFolder, letters: Iterable[Letter]) -> int:
    remaining, count = iter(letters), 0
    while piece := list(islice(remaining, PIECE)):
        contents = [(Content(one.data, len(one.data)), one.flags, one.date) for one in piece]
        count += len(storage.append(folder.id, contents).result())
    return count


# Maildir
def write_maildir(root: Path, name: str, letters: Iterable[Letter]) -> int:
    directory = root if name == INBOX else root / ("." + _file_name(root, name, _dotted(name)))
    for part in ("cur", "new", "tmp"):
        (directory / part).mkdir(parents=True, exist_ok=True, mode=0o700)
    keywords: dict[str, str] = {}
    count = 0
    for count, letter in enumerate(letters, 1):  # the number of the last one is the answer
        path = directory / "cur" / f"{int(letter.date.timestamp())}.{count:06}.satchel:2,{_letters(letter, keywords)}"
        path.write_bytes(letter.data)
        os.utime(path, (letter.date.timestamp(), letter.date.timestamp()))
    if keywords:
        lines = [f"{number} {keyword}\n" for number, keyword in enumerate(keywords)]
        (directory / KEYWORDS_FILE).write_text("".join(lines))
    return count


def _dotted(name: str) -> str:
    """Maildir++ parts names by dots: those in a name are written as %2E, and read back so."""
    return encode_utf7(name.replace("%", "%25").replace(".", "%2E").replace("/", ".")).decode()


def _undotted(name: str) -> str:
    """Also of what others wrote, in modified UTF-7 or not."""
    with contextlib.suppress(ValueError):
        name = decode_utf7(name.encode())
    return name.replace(".", "/").replace("%2E", ".").replace("%25", "%")


def _file_name(root: Path, name: str, encoded: str) -> str:
    """A folder's file or directory; a name too long for one stands in a file beside it."""
    if len(encoded.encode()) <= LONGEST_FILE_NAME:
        return encoded
    short = f"long-{sha256(name.encode()).hexdigest()[:20]}"
    (root / f"{short}.name").write_text(name)
    return short


def _name_of(root: Path, short: str) -> str | None:
    beside = root / f"{short}.name"
    return beside.read_text() if beside.is_file() else None


def _letters(letter: Letter, keywords: dict[str, str]) -> str:
    """Flags, then keywords as far as there are letters for them."""
    for keyword in sorted(flag for flag in letter.flags if not flag.startswith("\\")):
        if keyword not in keywords and len(keywords) < len(KEYWORD_LETTERS):
            keywords[keyword] = KEYWORD_LETTERS[len(keywords)]
    own = "".join(letter_of for letter_of, flag in MAILDIR_FLAGS.items() if flag in letter.flags)
    return own + "".join(sorted(keywords[flag] for flag in letter.flags if flag in keywords))


def read_maildirs(root: Path) -> Iterator[tuple[str, Iterator[Letter]]]:
    """Folders of a Maildir++, and their messages by time and name."""
    if (root / "cur").is_dir():
        yield INBOX, _read_maildir(root)
    for child in sorted(root.iterdir()):
        if child.name.startswith(".") and (child / "cur").is_dir():
            yield _name_of(root, child.name[1:]) or _undotted(child.name[1:]), _read_maildir(child)


def _read_maildir(directory: Path) -> Iterator[Letter]:
    keywords = _keywords_of(directory)
    files = [path for part in ("new", "cur") if (directory / part).is_dir() for path in (directory / part).iterdir()]
    for path in sorted((path for path in files if path.is_file()), key=lambda path: path.name):
        flags = path.name.rpartition(":2,")[2] if ":2," in path.name else ""
        known = MAILDIR_FLAGS | keywords
        date = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        yield Letter(path.read_bytes(), frozenset(known[letter] for letter in flags if letter in known), date)


def _keywords_of(directory: Path) -> dict[str, str]:
    path = directory / KEYWORDS_FILE
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    pairs = (line.partition(" ") for line in lines[: len(KEYWORD_LETTERS)])
    return {KEYWORD_LETTERS[int(number)]: word for number, _, word in pairs if number.isdigit() and int(number) < 26}


# mbox
def write_mbox(root: Path, name: str, letters: Iterable[Letter]) -> int:
    encoded = "%2F".join(readable(part) for part in name.split("/"))
    path = root / f"{_file_name(root, name, encoded)}.mbox"
    count = 0
    with path.open("xb") as file:
        for count, letter in enumerate(letters, 1):  # noqa: B007  # the number of the last one is the answer
            file.write(b"From MAILER-DAEMON " + letter.date.strftime("%a %b %e %H:%M:%S %Y").encode() + b"\n")
            file.write(_with_status(letter) + b"\n")
    return count


def _with_status(letter: Letter) -> bytes:
    """The message with LF, Status fields first, lines that look like the next one's From quoted."""
    status = "".join(char for char, flag in STATUS_FLAGS.items() if flag in letter.flags and flag == SEEN) + "O"
    others = "".join(char for char, flag in STATUS_FLAGS.items() if flag in letter.flags and flag != SEEN)
    keywords = " ".join(sorted(flag for flag in letter.flags if not flag.startswith("\\")))
    fields = f"Status: {status}\nX-Status: {others}\nX-Keywords: {keywords}\n".encode()
    return fields + QUOTED_FROM.sub(rb">\1", letter.data.replace(b"\r\n", b"\n"))


def read_mboxes(root: Path) -> Iterator[tuple[str, Iterator[Letter]]]:
    for path in sorted(root.glob("*.mbox")):
        short = path.name.removesuffix(".mbox")
        yield _name_of(root, short) or unquote(short), _read_mbox(path)


def _read_mbox(path: Path) -> Iterator[Letter]:
    with path.open("rb") as file:
        for date, data in _cut(file):
            yield _letter(date, data)


def _cut(file: IO[bytes]) -> Iterator[tuple[datetime, bytes]]:
    """Messages and the dates of their From lines; a From line follows an empty one."""
    date: datetime | None = None
    lines: list[bytes] = []
    for line in file:
        match = FROM_LINE.match(line) if lines[-1:] in ([], [b"\n"]) else None
        if match is None:
            lines.append(line)
            continue
        if date:
            yield date, b"".join(lines[:-1])
        date, lines = _date(match[1]), []
    if date:
        yield date, b"".join(lines[:-1] if lines[-1:] == [b"\n"] else lines)


def _date(text: bytes) -> datetime:
    return datetime.strptime(text.decode(), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)


def _letter(date: datetime, data: bytes) -> Letter:
    head, empty, body = data.partition(b"\n\n")
    fields = {name.lower(): value.decode("utf-8", "replace") for name, value in STATUS_FIELDS.findall(head + b"\n")}
    head = STATUS_FIELDS.sub(b"", head + b"\n").removesuffix(b"\n")
    marks = fields.get(b"status", "") + fields.get(b"x-status", "")
    flags = {STATUS_FLAGS[mark] for mark in marks if mark in STATUS_FLAGS} | set(fields.get(b"x-keywords", "").split())
    whole = UNQUOTED_FROM.sub(rb"\1", head + empty + body)
    return Letter(re.sub(rb"\r?\n", b"\r\n", whole), frozenset(flags), date)
