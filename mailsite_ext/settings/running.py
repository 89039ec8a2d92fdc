"""With which settings a listener runs, and whether it has the certificate, from what is known of it.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from mailsite_ext.settings.posture import NO_CERTIFICATE, Certificate
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


def certificate_of(settings: Settings, ports: Collection[int], certificate: Certificate) -> Certificate:
    """The certificate that a listener on `ports` has: none where it began without one, else its secure port were there.

    Where reception shares that port (O5), and while it starts, the one of now has to tell.
    """
    began_bare = bool(ports) and not {settings.smtps_port, settings.imaps_port} & set(ports)
    return NO_CERTIFICATE if began_bare else certificate
