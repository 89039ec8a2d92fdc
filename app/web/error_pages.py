"""Faults reach people as what happened, why, and what to do: never a stack trace."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask, current_app, g, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException

from app.db import UNUSABLE
from app.errors import MailError, TooManyAttempts, http_status
from app.web.babel import LANGUAGES
from app.web.template_globals import in_language


def init_app(app: Flask) -> None:
    app.register_error_handler(MailError, mail_error)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, bug)
    for kind in UNUSABLE:
        app.register_error_handler(kind, database_error)


def mail_error(error: MailError) -> ResponseReturnValue:
    """The page of a fault nobody caught earlier."""
    status = http_status(error)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyAttempts) else {}
    return _page(status, error.detail, headers)


def http_error(error: HTTPException) -> ResponseReturnValue:
    """The page of an HTTP error.  404 looks the same whether a thing does not exist or is somebody else's."""
    if error.response is not None:
        return error.response
    return _page(error.code or 500)


def bug(error: Exception) -> ResponseReturnValue:
    """A fault of ours: logged with its trace, shown without."""
    current_app.logger.exception("unexpected error", exc_info=error)
    return _page(500)


def _page(status: int, detail: str = "", headers: Mapping[str, str] | None = None) -> ResponseReturnValue:
    try:
        if "db" in g:
            g.db.rollback()  # after a failed write the session answers nothing else, and the page asks who reads it
        page = render_template("error.html", status=status, words=_words(status), detail=detail)
    except UNUSABLE as error:
        return database_error(error)
    return page, status, dict(headers or {})


def database_error(error: Exception) -> ResponseReturnValue:
    """The page of a database that cannot be used: it needs none itself, so it knows neither person nor language."""
    reason = str(getattr(error, "orig", None) or type(error).__name__)
    current_app.logger.error("a database cannot be used: %s", reason)
    with in_language(LANGUAGES[0]):
        status, words = _why_unusable(reason)
        page = current_app.jinja_env.get_template("unusable.html").render(words=words)
    return page, status, {"Retry-After": "10"}


def _why_unusable(reason: str) -> tuple[int, tuple[str, str]]:
    """Status and words for what the database's driver says."""
    if "is full" in reason or "No space" in reason:
        return 507, (
            _("There is no room left on this site's disk."),
            _("What you did last was not stored. Tell the admin."),
        )
    if "locked" in reason:
        return 503, (_("The database is busy."), _("What you did last was not stored. Try again in a moment."))
    return 503, (
        _("The database cannot be used."),
        _("Try again in a minute. An admin finds the reason with: flask doctor"),
    )


def _words(status: int) -> tuple[str, str]:
    """What happened, and what to do, for a status."""
    words = {
        400: (_("The request could not be understood."), _("Go back, load the page again and repeat it.")),
        403: (_("This is not open to you."), _("An admin can change that.")),
        404: (_("There is no such page."), _("It may have been moved or deleted, or belong to somebody else.")),
        405: (_("That cannot be done at this address."), _("Go back and use the buttons of the page.")),
        413: (_("That is too large."), _("Attach less, or share large files by a link.")),
        429: (_("Too many attempts."), _("Wait a moment, then try once more.")),
        500: (
            _("Something in Satchel failed."),
            _("It has been written to the log. Try once more, or tell the admin when."),
        ),
        503: (_("This is not available right now."), _("Try again in a minute.")),
    }
    return words.get(status, (_("That did not work."), _("Go back and try once more.")))
