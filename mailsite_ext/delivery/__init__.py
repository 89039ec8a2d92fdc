"""Mail on its way: into mailboxes here, and through a queue to other servers (X1-X5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_delivery(host: Host) -> None:
    from mailsite_ext.delivery import fate_views, views  # a delivery process serves no pages

    host.add_blueprint(views.bp)
    host.add_admin_entry(views.entry)
    host.add_blueprint(fate_views.bp)
    host.add_outbox_panel(fate_views.panel)
