"""With which settings a listener runs, from the fingerprint it began with.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from mailsite_ext.settings.values import DOMAIN_LISTS, Settings


def settings_of(saved: Settings, fingerprint: Mapping[str, str]) -> Settings:
    """What a listener runs with; where it does not say, what is `saved`."""
    named = {name: text for name, text in fingerprint.items() if name in Settings.__dataclass_fields__}
    return replace(saved, **{name: _read(name, getattr(saved, name), text) for name, text in named.items()})


def _read(name: str, like: object, text: str) -> Any:
    """The value that is shown as `text`, of the kind that `like` is."""
    if name in DOMAIN_LISTS:
        return tuple(domain for domain in text.split(", ") if domain)
    if isinstance(like, bool):
        return text == "on"
    return type(like)(text) if isinstance(like, int | StrEnum) else text
