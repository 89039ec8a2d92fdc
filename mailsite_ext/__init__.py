"""MailSite: this installation hosts mail for its own users.  Everything it adds, it adds in `register`."""

from __future__ import annotations

from app.extension_api import Host
from mailsite_ext.cli import register_commands
from mailsite_ext.domains import register_domains
from mailsite_ext.importing import register_importing
from mailsite_ext.settings import register_settings
from mailsite_ext.webmail.register import register_webmail


def register(host: Host) -> None:
    """Read top to bottom: what hosting adds to the webmail."""
    host.add_migrations("mailsite")
    register_settings(host)
    register_domains(host)
    register_commands(host)
    register_webmail(host)
    register_importing(host)
