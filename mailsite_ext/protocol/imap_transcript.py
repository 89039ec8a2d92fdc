"""What of an IMAP conversation may stand in a log (O14): no password, no message, nothing that may be one.  Pure."""

from __future__ import annotations

import re

SECRET = "(secret)"  # noqa: S105  # what stands in the place of one
SIGNS_IN = re.compile(rb"([^ ]{1,100} +(?:LOGIN|AUTHENTICATE +[A-Za-z0-9-]{1,40}))(?: |\Z)", re.IGNORECASE)
KNOWN = re.compile(rb"[^ ]{1,100} +(?:CAPABILITY|NOOP|LOGOUT|STARTTLS|ID(?: .*)?)", re.IGNORECASE | re.DOTALL)
LONGEST = 500


def heard(line: bytes, *, is_signed_in: bool) -> str:
    """A command as it came, its literals as `{9}`; of a stranger only what is known to hold no password."""
    signs_in = SIGNS_IN.match(line)
    if signs_in is not None:
        return f"{_text(signs_in[1])} {SECRET}"
    return _text(line) if is_signed_in or KNOWN.fullmatch(line) else SECRET


def said(octets: bytes, before: int = 0) -> str:
    """The last line of what was said; how many octets stood before it, which may be mail."""
    *_earlier, last = octets.removesuffix(b"\r\n").split(b"\r\n")
    before += len(octets) - len(last) - 2
    return f"({before} octets) {_text(last)}" if before > 0 else _text(last)


def _text(octets: bytes) -> str:
    shown = octets.replace(b"\r\n", b"").decode("utf-8", "replace")
    return shown if len(shown) <= LONGEST else shown[:LONGEST] + "…"
