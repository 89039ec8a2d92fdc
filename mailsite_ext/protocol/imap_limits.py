"""How much one IMAP client may send, and what is said when a command cannot be taken.  Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImapLimits:
    """Bounds on what is read before it is understood."""

    line_octets: int = 65_536  # of a command's lines together, literals not counted
    literal_octets: int = 102_400  # of one literal that is no message
    literals_octets: int = 1_048_576  # of all literals of a command that are no messages
    literals_a_command: int = 1_000
    message_octets: int = 50_000_000
    messages_a_command: int = 1_000  # MULTIAPPEND, RFC 3502
    pieces_a_command: int = 1_000  # CATENATE, RFC 4469
    url_octets: int = 8_000
    nesting: int = 100  # brackets, NOT and OR inside each other
    search_keys: int = 2_000
    set_members: int = 10_000
    list_patterns: int = 100
    wildcards: int = 50  # in one pattern
    flags: int = 200
    flag_octets: int = 200
    name_octets: int = 2_000  # of a folder's name


class BadCommand(Exception):
    """A command that cannot be taken as written; nothing of it was done and the reader stands behind it.

    `tag` is None where none could be read: the answer is then untagged.  After an `is_fatal` one the octets that
    follow mean nothing any more: say BYE and close.  `condition` is "BAD", or "NO" where the grammar is kept.
    `code` is a response code without brackets (RFC 5530), or empty.
    """

    def __init__(
        self, words: str, tag: bytes | None = None, *, code: str = "", condition: str = "BAD", is_fatal: bool = False
    ) -> None:
        super().__init__(words)
        self.words = words
        self.tag = tag
        self.code = code
        self.condition = condition
        self.is_fatal = is_fatal

    def line(self) -> bytes:
        """The response: `a1 BAD words`, or `* BYE words` after which the connection ends."""
        code = f"[{self.code}] " if self.code else ""
        if self.is_fatal:
            return f"* BYE {code}{self.words}\r\n".encode()
        return (self.tag or b"*") + f" {self.condition} {code}{self.words}\r\n".encode()
