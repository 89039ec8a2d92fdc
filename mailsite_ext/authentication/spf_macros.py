"""Macros of SPF records (RFC 7208 §7).  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

LETTERS = "slodipvh"
EXPLANATION_LETTERS = LETTERS + "crt"  # §7.2: c, r and t only there

_PIECE = re.compile(r"%\{([A-Za-z])([0-9]*)([Rr]?)([-.+,/_=]*)\}|%([%_-])|([!-$&-~]+)|( +)")
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}


class BadSpfRecord(ValueError):
    """The grammar of RFC 7208 §12 is broken; says where."""


@dataclass(frozen=True, slots=True)
class Macro:
    letter: str  # in lower case
    escaped: bool  # written in upper case: URL-escape the value
    keep: int | None  # so many labels from the right; None: all
    backwards: bool
    delimiters: str


MacroString: TypeAlias = "tuple[str | Macro, ...]"


def parse_macros(text: str, letters: str = LETTERS, *, spaces: bool = False) -> MacroString:
    """`text` in pieces; `spaces`: it is an explanation.  Raises BadSpfRecord."""
    pieces: list[str | Macro] = []
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None or (found[7] and not spaces):
            raise BadSpfRecord(f"{text!r} breaks the macro syntax")
        pieces.append(_piece(found, letters))
        at = found.end()
    return tuple(pieces)


def _piece(found: re.Match[str], letters: str) -> str | Macro:
    letter, digits, backwards, delimiters, escape, literal, space = found.groups()
    if not letter:
        return _ESCAPES[escape] if escape else literal or space
    if letter.lower() not in letters or (digits and not digits.strip("0")):
        raise BadSpfRecord(f"{found[0]!r} is no macro here")
    keep = int(digits.lstrip("0")[:4]) if digits else None  # a name has 127 labels at most
    return Macro(letter.lower(), letter.isupper(), keep, bool(backwards), delimiters or ".")


def expand(pieces: MacroString, value_of: Callable[[str], str]) -> str:
    """The text that `pieces` stand for; `value_of` gives the value of a letter."""
    return "".join(piece if isinstance(piece, str) else _expanded(piece, value_of(piece.letter)) for piece in pieces)


def _expanded(macro: Macro, value: str) -> str:
    labels = re.split(f"[{re.escape(macro.delimiters)}]", value)
    if macro.backwards:
        labels.reverse()
    if macro.keep is not None:
        labels = labels[-macro.keep :]
    text = ".".join(labels)
    return quote(text, safe="-._~") if macro.escaped else text


def letters_in(pieces: MacroString) -> set[str]:
    return {piece.letter for piece in pieces if isinstance(piece, Macro)}
