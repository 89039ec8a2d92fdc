"""Extensions: packages that add to the webmail, named by the configuration, reached through `register(app)` alone."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from flask import Flask, current_app
from flask_babel import gettext as _

from app.errors import ConfigError

MAILSITE = "mailsite_ext"
KEY = "satchel.extensions"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Which extensions registered, and whether the admin left MailSite out on purpose."""

    names: tuple[str, ...]
    left_out: bool


def load(app: Flask, wanted: str | None) -> None:
    """Register what `wanted` names, comma-separated; None: MailSite, where it imports.

    Raises ConfigError for a name that was asked for and does not import.
    """
    names = [name.strip() for name in (MAILSITE if wanted is None else wanted).split(",") if name.strip()]
    loaded = tuple(name for name in names if _register(app, name, required=wanted is not None))
    app.extensions[KEY] = Loaded(loaded, left_out=wanted is not None and MAILSITE not in names)


def _register(app: Flask, name: str, *, required: bool) -> bool:
    try:
        module = importlib.import_module(name)
    except ImportError:
        if required:
            raise ConfigError("EXTENSIONS", name, "packages that are installed") from None
        return False
    module.register(app)
    return True


def why_no_hosting() -> str:
    """Why this installation cannot host mail (M6); empty where it can."""
    loaded: Loaded = current_app.extensions[KEY]
    if MAILSITE in loaded.names:
        return ""
    if loaded.left_out:
        return str(_("Not available: the MailSite extension is left out by the setting EXTENSIONS."))
    return str(_("Not available: the MailSite extension is not installed on this server."))
