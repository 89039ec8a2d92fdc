"""Every address that hosting adds, attacked: without a session, without the form's token, by who is no admin.

Ids of others: tests/webmail/test_isolation.py.  A new route without its line here fails.
"""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from app.db import Base
from app.mail_services.modes import Mode
from mailsite_ext.domains import service
from tests.webmail.mail_services.test_mode import dummy_arguments

PERSONS, ADMINS = "persons", "admins"
ROUTES = {
    "mailsite.mailbox": PERSONS,
    "mailsite.mail_clients": PERSONS,
    "mailsite.add_password": PERSONS,
    "mailsite.revoke_password": PERSONS,
    "certificates.index": ADMINS,
    "certificates.save": ADMINS,
    "certificates.now": ADMINS,
    "client_setup.download": PERSONS,
    "identities.index": PERSONS,
    "identities.edit": PERSONS,
    "identities.put_first": PERSONS,
    "identities.remove": PERSONS,
    "junk.index": PERSONS,
    "junk.switch": PERSONS,
    "junk.forget": PERSONS,
    "trial_mail.index": ADMINS,
    "trial_mail.send": ADMINS,
    "trial_mail.sent": ADMINS,
    "trusted_senders.index": PERSONS,
    "trusted_senders.remove": PERSONS,
    "trusted_senders.trust_author": PERSONS,
    "importing.index": PERSONS,
    "importing.account": PERSONS,
    "importing.start": PERSONS,
    "importing.change_state": PERSONS,
    "importing.try_again": PERSONS,
    "mailboxes.index": ADMINS,
    "mailboxes.add_mailbox": ADMINS,
    "mailboxes.mailbox": ADMINS,
    "mailboxes.add_address": ADMINS,
    "mailboxes.remove_address": ADMINS,
    "mailboxes.set_state": ADMINS,
    "mailboxes.delete_mail": ADMINS,
    "mailboxes.release": ADMINS,
    "fates.index": PERSONS,
    "fates.lift": PERSONS,
    "queue.lift": ADMINS,
    "forwarding.own": PERSONS,
    "outside_aliases.index": ADMINS,
    "outside_aliases.add": ADMINS,
    "outside_aliases.remove": ADMINS,
    "relays.index": ADMINS,
    "relays.add": ADMINS,
    "relays.remove": ADMINS,
    "relays.try_it": ADMINS,
    "queue.index": ADMINS,
    "queue.message": ADMINS,
    "queue.change_message": ADMINS,
    "queue.change_recipient": ADMINS,
    "queue.change_destination": ADMINS,
    "reports.index": ADMINS,
    "reports.of_domain": ADMINS,
    "dns_advice.index": ADMINS,
    "dns_advice.panel": ADMINS,
    "dns_advice.zone": ADMINS,
    "dns_advice.generate": ADMINS,
    "dns_advice.switch": ADMINS,
    "dns_advice.retire": ADMINS,
    "admin.machines": ADMINS,
    "admin.machine_log": ADMINS,
    "admin.change_service": ADMINS,
    "admin.restart_stale": ADMINS,
    "admin.forget_machine": ADMINS,
    "admin.mail_services": ADMINS,
    "admin.failed_sign_ins": ADMINS,
    "admin.lift_throttle": ADMINS,
}
EXTENSION = "mailsite_ext"


@pytest.fixture
def config(sqlite_config):
    """The database does not matter here."""
    return sqlite_config


@pytest.fixture
def hosted(parts, db, alice, set_mode):
    set_mode(Mode.BOTH)
    return service.ensure_mailbox(parts, db, alice)


def _of_hosting(app):
    """The rules whose pages are the extension's, and those of machines."""
    for rule in app.url_map.iter_rules():
        module = app.view_functions[rule.endpoint].__module__
        if module.startswith((EXTENSION, "app.machines")):
            yield rule


def _asks(app, wanted=(PERSONS, ADMINS)):
    """Each method and path of the table."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if ROUTES.get(rule.endpoint) in wanted:
            path = adapter.build(rule.endpoint, dummy_arguments(rule), append_unknown=False)
            for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "DELETE", "PATCH"}):
                yield method, path


def _rows(db):
    db.rollback()
    return {table.name: sorted(map(repr, db.execute(sa.select(table)).all())) for table in Base.metadata.sorted_tables}


def test_every_route_of_hosting_is_in_the_table(app):
    missing = {rule.endpoint for rule in _of_hosting(app)} - ROUTES.keys()
    assert missing == set()
    assert ROUTES.keys() - {rule.endpoint for rule in app.url_map.iter_rules()} == set(), "no line without a route"


def test_strangers_are_asked_to_sign_in(app, hosted, anonymous, db):
    before = _rows(db)
    for method, path in _asks(app):
        assert anonymous.open(path, method=method).status_code == (302 if method == "GET" else 401), (method, path)
    assert _rows(db) == before


def test_who_is_no_admin_may_not(app, hosted, alice, browser_of, db):
    browser = browser_of(alice)
    before = _rows(db)
    for method, path in _asks(app, (ADMINS,)):
        assert browser.open(path, method=method, data={"name": "x"}).status_code == 403, (method, path)
    assert _rows(db) == before


@pytest.mark.parametrize("token", [None, "", "forged", "ImFhYSI.aaaa.bbbb"])
def test_without_the_token_of_the_form_nothing_is_done(app, hosted, admin, parts, browser_of, db, token):
    service.ensure_mailbox(parts, db, admin)
    browser = browser_of(admin)
    app.config["WTF_CSRF_ENABLED"] = True
    browser.get("/settings/mail-clients")
    before = _rows(db)
    for method, path in _asks(app):
        if method == "POST":
            data = {} if token is None else {"csrf_token": token}
            answer = browser.post(path, data=data, headers={"Origin": "http://localhost"})
            assert answer.status_code in (400, 403), (path, answer.status_code)
    assert _rows(db) == before


def test_no_page_changes_anything_by_being_looked_at(app, hosted, admin, parts, browser_of, db):
    service.ensure_mailbox(parts, db, admin)
    browser = browser_of(admin)
    browser.get("/settings/mail-clients")
    before = _rows(db)
    for method, path in _asks(app):
        if method == "GET":
            browser.get(path)
    assert _rows(db) == before


HOSTILE = "\"'><script>alert(1)</script>"


def test_names_that_people_chose_are_text(app, hosted, admin, alice, parts, browser_of, db):
    """Display names, labels of accounts, capabilities, the last words of a listener."""
    alice.name = HOSTILE
    hosted.hidden_capabilities = HOSTILE
    db.commit()
    service.add_app_password(parts, db, hosted, HOSTILE)
    browser, own = browser_of(admin), browser_of(alice)
    pages = [browser.get(path).text for path in ("/admin/mailboxes", f"/admin/mailboxes/{hosted.id}", "/admin/users")]
    pages += [own.get(path).text for path in ("/settings/mail-clients", "/settings/identities", "/settings/import")]
    assert any("&lt;script&gt;alert(1)" in page for page in pages)
    for page in pages:
        assert "<script>alert(1)" not in page
        assert not re.search(r"""["']><script""", page)


def test_the_last_words_of_a_listener_are_text(app, hosted, admin, browser_of, db):
    from app.machines.models import Machine, MachineService

    machine = Machine(uuid="1" * 36, name=HOSTILE, work_uuid="2" * 36)
    db.add(machine)
    db.flush()
    db.add(MachineService(machine_id=machine.id, kind="smtp", error=HOSTILE))
    db.commit()
    page = browser_of(admin).get("/admin/machines").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page


@pytest.mark.parametrize(
    "domain", [HOSTILE, "a\r\nX-Evil: 1.example", "javascript:alert(1)", "//evil.example/x", "a b"]
)
def test_what_is_no_domain_is_refused_and_shown_as_text(hosted, admin, browser_of, domain):
    form = {"mode": "both", "mailsite-domains": domain, "mailsite-storage_engine": "files", "mailsite-smtp_port": "25",
            "mailsite-imap_port": "143", "mailsite-fallback_port": "2525"}  # fmt: skip
    answer = browser_of(admin).post("/admin/mail-services", data=form)
    assert answer.status_code == 422
    assert "<script>alert(1)" not in answer.text
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "/x\r\nX-Evil: 1"])
def test_no_redirect_leaves_the_site(app, hosted, alice, browser_of, target):
    browser = browser_of(alice)
    for path in ("/settings/mailbox", "/settings/identities", "/settings/import"):
        answer = browser.get(path, query_string={"next": target})
        assert "evil" not in answer.headers.get("Location", "").lower()
