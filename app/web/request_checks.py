"""What every request must pass first: a host name of ours, and for changes a CSRF token."""

from __future__ import annotations

from flask import Flask, Response
from flask_wtf import CSRFProtect
from werkzeug.exceptions import SecurityError


def init_app(app: Flask) -> None:
    CSRFProtect(app)
    app.register_error_handler(SecurityError, foreign_host)


def foreign_host(_error: SecurityError) -> Response:
    """A Host header that is not ours (DNS rebinding, a forged link): plain words, since no address can be built."""
    return Response("This name is not an address of this site.\n", 400, mimetype="text/plain")
