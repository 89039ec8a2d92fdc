"""The navigation: which activities a person sees, and which one they are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask, g, request
from flask_babel import gettext as _
from flask_login import current_user

from app.mail_services.gate import switches_of_request
from app.users.models import User, UserRole


@dataclass(frozen=True, slots=True)
class Activity:
    """An entry of the navigation; everything under `root` belongs to it."""

    name: str
    icon: str
    url: str
    root: str
    current: bool = False


def init_app(app: Flask) -> None:
    app.context_processor(lambda: {"activities": activities_of_request()})


def activities_of_request() -> Sequence[Activity]:
    """What whoever asks may go to; empty where nobody is signed in or the request ended before it was read."""
    if "db" not in g or not current_user.is_authenticated:
        return ()
    person: User = current_user
    return activities(request.path, mail=switches_of_request().mail, admin=person.role is UserRole.ADMIN)


def activities(path: str, *, mail: bool, admin: bool) -> Sequence[Activity]:
    """Mail where the mode has any (M1), Settings, Administration for admins."""
    wanted = [(_("Mail"), "mail", "/mail", "/mail")] if mail else []
    wanted += [(_("Settings"), "settings", "/settings", "/settings")]
    wanted += [(_("Administration"), "server", "/admin", "/admin")] if admin else []
    here = _root_of(path)
    return [Activity(name, icon, request.script_root + url, root, root == here) for name, icon, url, root in wanted]


def _root_of(path: str) -> str:
    """The activity an address belongs to: mail accounts are managed among the settings."""
    if path.startswith(("/mail/accounts", "/mail/oauth")):
        return "/settings"
    return "/" + path.split("/")[1]
