"""The gate: a mode without mail has no mail address, one without external accounts none of their pages (M1, M2)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, abort, g, request

from app.extensions import why_no_hosting
from app.mail_services.modes import SWITCHES, Mode, Switches
from app.mail_services.service import current_mode

MAIL = ("/mail", "/events")
EXTERNAL = ("/mail/accounts", "/mail/oauth")


def init_app(app: Flask) -> None:
    app.before_request(close_what_is_off)


def close_what_is_off() -> None:
    if _is_under(request.path, MAIL) and not is_open(request.path, switches_of_request()):
        abort(404)


def mode_of_request() -> Mode:
    """The mode this request sees, read once."""
    if "mail_mode" not in g:
        g.mail_mode = current_mode(g.db)
    mode: Mode = g.mail_mode
    return mode


def switches_of_request() -> Switches:
    """What the mode of this request switches on."""
    return SWITCHES[mode_of_request()]


def open_modes() -> Sequence[Mode]:
    """The modes this installation can be in: those that host mail only with the extension (M6)."""
    return [mode for mode, switches in SWITCHES.items() if not (switches.hosting and why_no_hosting())]


def is_open(path: str, switches: Switches) -> bool:
    """Does the mode have a page at `path`?"""
    if _is_under(path, EXTERNAL):
        return switches.external
    return switches.mail or not _is_under(path, MAIL)


def _is_under(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)
