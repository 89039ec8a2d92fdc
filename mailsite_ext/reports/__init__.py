"""Reports about mail: those others send us are read and shown, and those others ask for are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_reports(host: Host) -> None:
    from mailsite_ext.reports import views  # listeners and deliveries serve no pages

    host.add_blueprint(views.bp)
    host.add_admin_entry(views.entry)
