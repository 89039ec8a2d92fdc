"""Languages and time zones: gettext from the start."""

from __future__ import annotations

from zoneinfo import available_timezones

from flask import Flask, request
from flask_babel import Babel, get_locale
from flask_login import current_user

LANGUAGES = ("en",)
TIMEZONES = frozenset(available_timezones())


def init_app(app: Flask) -> None:
    Babel(app, locale_selector=chosen_language, timezone_selector=chosen_timezone)
    app.add_template_global(get_locale)


def chosen_language() -> str:
    """The person's language, else the best the browser asks for, else English."""
    own = getattr(current_user, "language", "")
    return own or request.accept_languages.best_match(LANGUAGES) or "en"


def chosen_timezone() -> str:
    """The person's IANA time zone, else what their browser said it is in, else UTC."""
    own = getattr(current_user, "timezone", "") or request.cookies.get("zone", "")
    return own if own in TIMEZONES else "UTC"
