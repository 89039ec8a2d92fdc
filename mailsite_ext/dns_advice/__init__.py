"""Suggested DNS records: what to publish for each mail domain, and what the world sees of it (D0-D7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_dns_advice(host: Host) -> None:
    from mailsite_ext.dns_advice import views  # the pure modules beside it need no Flask

    host.add_blueprint(views.bp)
    host.add_admin_entry(views.entry)
