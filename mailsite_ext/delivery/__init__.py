"""Mail on its way: into mailboxes here, and through a queue to other servers (X1-X5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_delivery(host: Host) -> None:
    from mailsite_ext.delivery import fate_views, relay_views, views  # a delivery process serves no pages
    from mailsite_ext.delivery.models import RelayServer
    from mailsite_ext.delivery.relays import SEALED_FIELD

    host.add_blueprint(views.bp)
    host.add_admin_entry(views.entry)
    host.add_blueprint(relay_views.bp)
    host.add_admin_entry(relay_views.entry)
    host.add_sealed_column(RelayServer, "sealed_password", SEALED_FIELD)
    host.add_blueprint(fate_views.bp)
    host.add_outbox_panel(fate_views.panel)
