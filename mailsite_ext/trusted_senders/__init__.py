"""Senders a person trusts: their mail is no junk for how it came, as long as nothing says that it is forged (T6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_trusted_senders(host: Host) -> None:
    from mailsite_ext.trusted_senders import views  # a listener serves no pages

    host.add_blueprint(views.bp)
    host.add_settings_entry(views.entry)
