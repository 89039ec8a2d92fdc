"""Faults reach people as what happened, why, and what to do: never a stack trace."""

from __future__ import annotations

from flask import Flask, current_app, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException

from app.errors import MailError, TooManyAttempts, http_status


def init_app(app: Flask) -> None:
    app.register_error_handler(MailError, mail_error)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, bug)


def mail_error(error: MailError) -> ResponseReturnValue:
    """The page of a fault nobody caught earlier."""
    status = http_status(error)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyAttempts) else {}
    return render_template("error.html", status=status, words=_words(status), detail=error.detail), status, headers


def http_error(error: HTTPException) -> ResponseReturnValue:
    """The page of an HTTP error.  404 looks the same whether a thing does not exist or is somebody else's."""
    if error.response is not None:
        return error.response
    status = error.code or 500
    return render_template("error.html", status=status, words=_words(status), detail=""), status


def bug(error: Exception) -> ResponseReturnValue:
    """A fault of ours: logged with its trace, shown without."""
    current_app.logger.exception("unexpected error", exc_info=error)
    return render_template("error.html", status=500, words=_words(500), detail=""), 500


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
