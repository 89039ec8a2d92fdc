"""Hosting for example.org and example.net, and people with mailboxes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.mail_services.modes import Mode
from mailsite_ext.domains import service
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings

HOSTED = Settings(domains=("example.org", "example.net"))


@pytest.fixture
def hosting(db, set_mode):
    """Mode M4 with both domains; called with other values it stores those."""

    def hosting(**values):
        store_settings(db, replace(HOSTED, **values))
        db.commit()

    set_mode(Mode.BOTH)
    hosting()
    return hosting


@pytest.fixture
def mailbox_of(parts, db, hosting):
    """A person's mailbox, made if need be."""
    return lambda person, name=None: service.ensure_mailbox(parts, db, person, name)
