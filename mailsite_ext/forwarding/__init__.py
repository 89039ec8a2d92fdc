"""Mail for people here that goes on to an address elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_forwarding(host: Host) -> None:
    from mailsite_ext.forwarding import views  # listeners load this package and serve no pages

    host.add_blueprint(views.aliases)
    host.add_blueprint(views.own)
    host.add_admin_entry(views.alias_entry)
    host.add_settings_entry(views.own_entry)
