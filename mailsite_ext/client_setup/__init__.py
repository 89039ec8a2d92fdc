"""How mail programs learn by themselves what to connect to: autoconfig, autodiscover, profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_client_setup(host: Host) -> None:
    from mailsite_ext.client_setup.views import bp

    host.add_blueprint(bp)
