"""The page of an import in a real browser: how far it is, without loading the page again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from sqlalchemy import update

from app.mail_services.modes import Mode
from mailsite_ext.domains.service import ensure_mailbox
from mailsite_ext.importing import service
from mailsite_ext.importing.models import Import, ImportFolder, ImportState
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings
from tests.factories import make_account, make_folder

pytestmark = pytest.mark.browser


@pytest.fixture
def config(sqlite_config):
    return sqlite_config


@pytest.fixture
def account(app, parts, db, alice, set_mode):
    """An account whose import has begun; `app` brings the extension.  No engine works."""
    set_mode(Mode.BOTH)
    store_settings(db, Settings(domains=("example.org",)))
    db.commit()
    ensure_mailbox(parts, db, alice)
    account = make_account(db, alice, label="Old mail")
    make_folder(db, account, total=10)
    service.start(parts, db, account, ["INBOX"], is_apart=False)
    return account


def test_progress_is_shown_by_itself_until_the_end(app, db, alice, account, serve, make_context, sign_in):
    address = serve(app)
    context = make_context()
    sign_in(context, alice, address)
    page = context.new_page()
    page.goto(f"{address}/settings/import/{account.id}")
    expect(page.get_by_text("0 of 10 messages are through.")).to_be_visible()
    page.evaluate("window.stays = true")
    page.locator("#stop-import").focus()
    db.execute(update(ImportFolder).values(done=4))
    db.commit()
    expect(page.get_by_text("4 of 10 messages are through.")).to_be_visible()
    expect(page.locator("#stop-import")).to_be_focused()
    db.execute(update(ImportFolder).values(done=10))
    db.execute(update(Import).values(state=ImportState.DONE))
    db.commit()
    expect(page.get_by_text("10 of 10 messages are through.")).to_be_visible()
    expect(page.get_by_role("button", name="Start the import")).to_be_visible()
    assert page.evaluate("window.stays === true")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "fragment" in request.url else None)
    page.get_by_role("checkbox", name="INBOX").uncheck()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # a turn: nothing is asked any more
    assert asked == []
    expect(page.get_by_role("checkbox", name="INBOX")).not_to_be_checked()
