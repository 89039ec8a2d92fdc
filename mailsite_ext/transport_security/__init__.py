"""How mail between servers is kept from listeners and liars: MTA-STS, both ways (RFC 8461)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_transport_security(host: Host) -> None:
    from mailsite_ext.transport_security.page import PolicyPage  # the pure modules beside it serve no page

    flask = host.flask
    flask.wsgi_app = PolicyPage(flask.wsgi_app, host.runtime)  # type: ignore[method-assign]  # as Flask documents it
