"""An admin's browser, and a count of the bells that rang."""

from __future__ import annotations

import pytest

from tests.webmail.users.conftest import Postbox


@pytest.fixture
def ada(admin, browser_of):
    """The admin's browser."""
    return browser_of(admin)


@pytest.fixture
def bells(parts):
    """All bells that rang since the start of the test, as a set, whenever it is called."""
    with parts.bus.subscribe() as ear:
        yield lambda: set(ear.wait(2))


@pytest.fixture
def postbox(app, monkeypatch):
    from app.users import mails

    box = Postbox(app)
    monkeypatch.setattr(mails, "send", lambda _parts, notice: box.append(notice))
    return box
