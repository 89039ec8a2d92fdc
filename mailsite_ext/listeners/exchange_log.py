"""What was said on the wire, for the admin to read (O14); secrets and messages are left out by whoever calls."""

from __future__ import annotations

from dataclasses import dataclass

from app.extension_api import Clock, MailLog


@dataclass(frozen=True, slots=True)
class ExchangeLog:
    """Conversations of one service in the installation's mail log, which is rotated and bounded."""

    log: MailLog
    clock: Clock
    service: str  # "smtp", "imap"

    def note(self, conversation: str, peer: str, who: str, words: str) -> None:
        """`who` speaks: "C" or "S".  One line each, whatever is in `words`."""
        for line in words.splitlines() or [""]:
            self.log.note(self.clock.now(), self.service, f"{peer} {conversation}", who, line)

    def close(self) -> None:
        self.log.close()
