"""The side navigation of settings and administration, as `templates/macros/sections.html` draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request


@dataclass(frozen=True, slots=True)
class Entry:
    """A page."""

    url: str
    name: str
    icon: str

    @property
    def current(self) -> bool:
        """Is this the page the request asks for, or one below it?"""
        here = request.script_root + request.path
        return here == self.url or (self.url.count("/") > 1 and here.startswith(self.url + "/"))


@dataclass(frozen=True, slots=True)
class Section:
    """Pages that belong together."""

    title: str
    entries: Sequence[Entry]
