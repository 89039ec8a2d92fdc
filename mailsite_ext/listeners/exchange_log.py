"""What was said on the wire, for the admin to read (O14): secrets and messages left out, files bounded."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

FILE_OCTETS = 5_000_000
FILES = 5


class ExchangeLog:
    """One file a process, five of 5 MB at most.  Whoever calls leaves out AUTH, LOGIN and the bodies of messages."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._handler = RotatingFileHandler(path, maxBytes=FILE_OCTETS, backupCount=FILES - 1, encoding="utf-8")
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def note(self, conversation: str, peer: str, who: str, words: str) -> None:
        """`who` speaks: "C" or "S".  One line each, whatever is in `words`."""
        for line in words.splitlines() or [""]:
            text = f"{conversation} {peer} {who}: {line.encode('unicode_escape').decode()[:1_000]}"
            self._handler.handle(logging.makeLogRecord({"msg": text, "levelno": logging.INFO}))

    def close(self) -> None:
        self._handler.close()
