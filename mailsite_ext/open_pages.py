"""Pages for programs of strangers, at names beside the web pages' own: mta-sts., autoconfig., autodiscover.

They are answered before the web application: no session, no cookie.  Whatever else is asked at those names the
application refuses, as at any name that is not its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import get_host

from app.extension_api import SWITCHES, Config, Runtime, current_mode
from mailsite_ext.settings.mail_domains import is_full_domain
from mailsite_ext.settings.service import load_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from sqlalchemy.orm import Session

    from app.extension_api import Host

MAX_BODY_OCTETS = 64 * 1024


class Asked(Request):
    max_content_length = MAX_BODY_OCTETS

    @property
    def host_name(self) -> str:
        """In lower case, without port; empty: none that can be read."""
        try:
            return get_host(self.environ).partition(":")[0].rstrip(".").lower()
        except SecurityError:
            return ""


Page = Callable[[Runtime, Asked], Response | None]
"""Answers a request; None: the web application's to answer."""


class OpenPages:
    """`pages` by path, in lower case: clients differ in how they spell some.  A path with a slash at its end stands
    for all below it."""

    def __init__(self, inner: WSGIApplication, parts: Runtime, pages: Mapping[str, Page]) -> None:
        self._inner = inner
        self._parts = parts
        self._pages = pages

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        page = self._find(environ.get("PATH_INFO", "").lower())
        answer = self._answer(page, Asked(environ)) if page else None
        return (answer or self._inner)(environ, start_response)

    def _find(self, path: str) -> Page | None:
        return self._pages.get(path) or self._pages.get(path[: path.rfind("/") + 1])

    def _answer(self, page: Page, asked: Asked) -> WSGIApplication | None:
        try:
            return page(self._parts, asked)
        except HTTPException as error:  # a body that is too large
            return error.get_response()


def answer(body: str | bytes, status: int, content_type: str = "text/plain", **headers: Any) -> Response:
    response = Response(body, status, {"X-Content-Type-Options": "nosniff", **headers})
    response.headers["Content-Type"] = content_type
    return response


def find_domain(config: Config, db: Session, host: str, prefix: str, further: Sequence[str] = ()) -> str:
    """The hosted domain that is asked about: example.org of autoconfig.example.org, or of example.org itself.

    At the web pages' own name, one of `further`, which whoever asks has named.  Empty: none; and none without hosting.
    """
    if not SWITCHES[current_mode(db)].hosting:
        return ""
    at_home = further if host == urlsplit(config.public_url).hostname else ()
    domains = load_settings(db).domains
    wanted = (host.removeprefix(prefix), *at_home)
    return next((domain for domain in wanted if domain in domains and is_full_domain(domain)), "")


def register_open_pages(host: Host) -> None:
    from mailsite_ext.certificates import page as certificates
    from mailsite_ext.client_setup import pages as clients
    from mailsite_ext.transport_security.page import policy_page
    from mailsite_ext.transport_security.policy_cache import PATH

    pages: Mapping[str, Page] = {
        PATH: policy_page,
        certificates.PATH: certificates.challenge_page,
        clients.CONFIG_PATH: clients.config_page,
        clients.WELL_KNOWN_PATH: clients.well_known_page,
        clients.AUTODISCOVER_PATH: clients.autodiscover_page,
    }
    host.flask.wsgi_app = OpenPages(host.flask.wsgi_app, host.runtime, pages)  # type: ignore[method-assign]  # as Flask documents it
