"""Bringing the mail of one's external account into one's mailbox here, folder by folder, message by message."""

from __future__ import annotations

from app.extension_api import AccountJob, Host
from mailsite_ext.importing.queries import waiting_accounts
from mailsite_ext.importing.work import step


def register_importing(host: Host) -> None:
    from mailsite_ext.importing import views  # the engine's side needs no Flask

    host.add_blueprint(views.bp)
    host.add_settings_entry(views.entry)
    host.add_account_job("import", AccountJob(waiting_accounts, step))
