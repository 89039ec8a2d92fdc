"""tag=value lists, as signatures, key records and DMARC records are written (RFC 6376 §3.2).  Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_VERSION = re.compile(r"[ \t]*v[ \t]*=[ \t]*([^; \t]*)[ \t]*(?:;|$)")
_FOLDS = re.compile(r"[ \t\r\n]+")
SPACE = " \t\r\n"
MOST_TAGS = 64


class BadTagList(ValueError):
    """Not such a list; says where."""


def parse_tags(text: str) -> Mapping[str, str]:
    """Values by name, in the order written, without white space around them.

    Raises BadTagList: a name twice, or none, makes all of it invalid.
    """
    specs = text.split(";", MOST_TAGS)
    if len(specs) > MOST_TAGS:
        raise BadTagList("too many tags")
    if not specs[-1].strip(SPACE):
        specs.pop()
    tags: dict[str, str] = {}
    for spec in specs:
        name, equals, value = spec.partition("=")
        name = name.strip(SPACE)
        if not equals or not _NAME.fullmatch(name) or name in tags:
            raise BadTagList(f"tag {name[:40]!r} is doubled or cannot be read")
        tags[name] = value.strip(SPACE)
    return tags


def has_version(text: str, version: str) -> bool:
    """Is the first tag v=, and `version` its value to the letter?"""
    found = _VERSION.match(text)
    return found is not None and found[1] == version


def without_folds(text: str) -> str:
    return _FOLDS.sub("", text)


def octets_of(text: str) -> bytes:
    """The octets of a base64 value, which may have white space anywhere (§2.10).  Raises BadTagList."""
    try:
        return base64.b64decode(without_folds(text).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise BadTagList("not base64") from None


def listed(text: str) -> tuple[str, ...]:
    """The items of a colon-separated value, in lower case."""
    return tuple(item.strip(SPACE).lower() for item in text.split(":"))
