"""Who has which mailbox, which addresses lead to it, and what opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_domains(host: Host) -> None:
    from mailsite_ext.domains import (  # the pure modules beside them need no Flask
        admin_views,
        identity_views,
        newcomers,
        views,
    )

    host.add_blueprint(views.bp)
    host.add_blueprint(admin_views.bp)
    host.add_blueprint(identity_views.bp)
    host.add_settings_entry(identity_views.entry)
    host.add_settings_entry(views.entry)
    host.add_admin_entry(admin_views.entry)
    host.add_farewell("mailsite", admin_views.farewell)
    host.add_welcome("mailsite", newcomers.welcome)
    host.flask.before_request(views.open_mailbox)
