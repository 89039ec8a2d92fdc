"""Extensions: packages that add to the webmail, named by the configuration, reached through `register(host)` alone."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flask import Flask, current_app
from flask_babel import gettext as _
from markupsafe import Markup

from app.errors import ConfigError
from app.machines.kinds import ENGINE, ServiceKind
from app.web.sections import Entry
from app.web.settings_section import SettingsSection

if TYPE_CHECKING:
    from app.doctor import Check

MAILSITE = "mailsite_ext"
KEY = "satchel.extensions"


@dataclass(slots=True)
class Registry:
    """What the extensions of this application brought; filled while it is made, read-only afterwards."""

    names: tuple[str, ...] = ()
    left_out: bool = False  # the admin left MailSite out on purpose
    branches: list[str] = field(default_factory=list)  # of migrations, on the public database
    services: dict[str, ServiceKind] = field(default_factory=lambda: {ENGINE.name: ENGINE})
    settings_sections: list[Callable[[], SettingsSection]] = field(default_factory=list)
    admin_entries: list[Callable[[], Entry | None]] = field(default_factory=list)
    settings_entries: list[Callable[[], Entry | None]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    outbox_panels: list[Callable[[], Markup]] = field(default_factory=list)


def load(app: Flask, wanted: str | None) -> None:
    """Register what `wanted` names, comma-separated; None: MailSite, where it imports.

    Raises ConfigError for a name that was asked for and does not import.
    """
    names = [name.strip() for name in (MAILSITE if wanted is None else wanted).split(",") if name.strip()]
    found = app.extensions[KEY] = Registry(left_out=wanted is not None and MAILSITE not in names)
    found.names = tuple(name for name in names if _register(app, name, required=wanted is not None))


def _register(app: Flask, name: str, *, required: bool) -> bool:
    from app.extension_host import Host  # it fills the registry of this module

    try:
        module = importlib.import_module(name)
    except ImportError:
        if required:
            raise ConfigError("EXTENSIONS", name, "packages that are installed") from None
        return False
    module.register(Host.of(app))
    return True


def registry() -> Registry:
    """What the extensions brought to the current app."""
    found: Registry = current_app.extensions[KEY]
    return found


def why_no_hosting() -> str:
    """Why this installation cannot host mail (M6); empty where it can."""
    found = registry()
    if MAILSITE in found.names:
        return ""
    if found.left_out:
        return str(_("Not available: the MailSite extension is left out by the setting EXTENSIONS."))
    return str(_("Not available: the MailSite extension is not installed on this server."))
