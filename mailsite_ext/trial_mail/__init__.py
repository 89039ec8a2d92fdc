"""A test mail to an outside address: its fate, what was said, and what whoever answers found of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_trial_mail(host: Host) -> None:
    from mailsite_ext.trial_mail.views import bp

    host.add_blueprint(bp)
