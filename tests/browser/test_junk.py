"""The page of a person's junk filter; axe looks at it in test_mailsite_settings.py."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest

from app.mail_services.modes import Mode
from mailsite_ext.domains import service as domains
from mailsite_ext.junk import memory, service
from mailsite_ext.junk.score import Learned
from tests.conftest import START

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
def config(sqlite_config):
    return sqlite_config


@pytest.fixture
def mailbox(app, parts, db, alice, set_mode):
    set_mode(Mode.MAILSITE)
    domains.ensure_mailbox(parts, db, alice)
    found = domains.find_mailbox(db, alice.id).id
    for number in range(3):
        memory.count(db, found, {"pills", f"word{number}"}, Learned(0, 1), START)
    db.commit()
    return found


@pytest.mark.parametrize("script", [True, False])
def test_switched_off_and_made_to_forget(app, db, mailbox, serve, alice, make_context, sign_in, script):
    address = serve(app)
    context = make_context(java_script_enabled=script)
    sign_in(context, alice, address)
    page = context.new_page()
    page.goto(urljoin(address, "/settings/junk"))
    page.get_by_text("From 3 junk messages and 0 good ones it knows 4 words").wait_for()
    page.get_by_label("Put junk into Junk").uncheck()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").first.wait_for()
    assert not page.get_by_label("Put junk into Junk").is_checked()
    page.get_by_role("button", name="Forget what it learned").click()
    page.get_by_text("From 0 junk messages").wait_for()
    db.rollback()
    assert service.count_words(db, mailbox) == 0
