"""What every request must pass first: a host name of ours, no NUL, and for changes a CSRF token."""

from __future__ import annotations

from itertools import chain

from flask import Flask, Response, abort, request
from flask_wtf import CSRFProtect
from werkzeug.exceptions import SecurityError

WRITTEN = frozenset({"to", "cc", "bcc", "subject", "text", "html"})
"""What people write in the composer: it drops NUL by itself, since nothing written is ever refused."""


def init_app(app: Flask) -> None:
    CSRFProtect(app)
    app.before_request(refuse_nul)
    app.register_error_handler(SecurityError, foreign_host)


def foreign_host(_error: SecurityError) -> Response:
    """A Host header that is not ours (DNS rebinding, a forged link): plain words, since no address can be built."""
    return Response("This name is not an address of this site.\n", 400, mimetype="text/plain")


def refuse_nul() -> None:
    """No browser sends NUL by itself, and PostgreSQL stores none in a text."""
    if isinstance(request.routing_exception, SecurityError):
        raise request.routing_exception  # at a foreign host no page of ours can be shown
    if "\0" in request.path:
        abort(404)
    fields = chain(request.args.items(multi=True), request.form.items(multi=True))
    if any("\0" in name or ("\0" in value and name not in WRITTEN) for name, value in fields):
        abort(400)
