"""The mail listeners' certificate, had from an authority by ACME (RFC 8555) and renewed before it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_certificates(host: Host) -> None:
    from mailsite_ext.certificates import views

    host.add_blueprint(views.bp)
    host.add_admin_entry(views.entry)
