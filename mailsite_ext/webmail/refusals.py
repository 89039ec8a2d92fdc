"""What the storage will not do, told as a mail server would tell it: the engine knows those refusals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from app.extension_api import ActionRefused, BadInput, FolderFull, MailError
from mailsite_ext.errors import (
    BadFolderName,
    FolderExists,
    FolderNotEmptied,
    MailboxFull,
    MessageTooLarge,
    StorageDamaged,
    StorageFull,
    TooManyFolders,
)
from mailsite_ext.replies import imap_reply
from mailsite_ext.storage.values import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

SYSTEM_FLAGS = frozenset({SEEN, ANSWERED, FLAGGED, DELETED, DRAFT})
KEYWORD = re.compile(r"[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]{1,100}")


@contextmanager
def refusals_told() -> Iterator[None]:
    """Raises FolderFull, ActionRefused, BadInput on `name` instead of the storage's own errors."""
    try:
        yield
    except BadFolderName as error:
        raise BadInput("name", words_of(error)) from error
    except (MailboxFull, StorageFull) as error:
        raise FolderFull(words_of(error)) from error
    except (FolderExists, FolderNotEmptied, MessageTooLarge, StorageDamaged, TooManyFolders) as error:
        raise ActionRefused(words_of(error)) from error


def words_of(error: MailError) -> str:
    """What an IMAP client hears, without status and code."""
    return re.sub(r"^(NO|BAD|BYE) (\[[^]]*\] )?", "", imap_reply(error))


def check_flags(flags: Iterable[str]) -> frozenset[str]:
    """Raises BadInput for what is no flag or keyword (RFC 9051 §9), or none a client may set."""
    found = frozenset(flags)
    if any(flag not in SYSTEM_FLAGS and not KEYWORD.fullmatch(flag) for flag in found):
        raise BadInput("flags", "That cannot be a flag.")
    return found
