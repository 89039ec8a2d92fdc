"""https://mta-sts.<domain>/.well-known/mta-sts.txt, for each domain hosted here (RFC 8461 §3.3, T1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import SecurityError
from werkzeug.wrappers import Response
from werkzeug.wsgi import get_host

from app.extension_api import SWITCHES, Runtime, current_mode
from mailsite_ext.transport_security.mta_sts import policy_text
from mailsite_ext.transport_security.own_policy import find_own_policy
from mailsite_ext.transport_security.policy_cache import PATH

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "mta-sts."


class PolicyPage:
    """Answers that one path before the web application does: names of its own, no session, nothing else behind them.

    Everything else at those names is refused as any untrusted host is.
    """

    def __init__(self, inner: WSGIApplication, parts: Runtime) -> None:
        self._inner = inner
        self._parts = parts

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH:
            return self._inner(environ, start_response)
        return self._answer(environ)(environ, start_response)

    def _answer(self, environ: WSGIEnvironment) -> Response:
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return _plain("", 405, Allow="GET, HEAD")
        text = self._text(_domain_asked_for(environ))
        return _plain(text, 200) if text else _plain("There is no policy here.\r\n", 404)

    def _text(self, domain: str) -> str:
        """The policy; empty: none."""
        if not domain:
            return ""
        with self._parts.public.session() as db:
            if not SWITCHES[current_mode(db)].hosting:
                return ""
            policy = find_own_policy(self._parts, db, domain, remember=True)
        return policy_text(policy) if policy else ""


def _plain(text: str, status: int, **headers: Any) -> Response:
    response = Response(text, status, {"X-Content-Type-Options": "nosniff", **headers})
    response.headers["Content-Type"] = "text/plain"
    return response


def _domain_asked_for(environ: WSGIEnvironment) -> str:
    """example.org of mta-sts.example.org; empty: another host."""
    try:
        host = get_host(environ).partition(":")[0].rstrip(".").lower()
    except SecurityError:
        return ""
    return host.removeprefix(PREFIX) if host.startswith(PREFIX) else ""
