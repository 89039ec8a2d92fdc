"""What an admin decides about hosting: the values, what they come to, and their part of the Mail Services form."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_settings(host: Host) -> None:
    from mailsite_ext.settings.section import MailsiteSection  # the pure modules beside it need no Flask

    host.add_settings_section(MailsiteSection)
