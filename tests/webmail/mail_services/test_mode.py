"""The one setting: four modes, a gate, and what is said before something stops (M1-M6)."""

import sys

import pytest
from werkzeug.routing import AnyConverter

from app import create_app, runtime
from app.bus import Bell, Topic
from app.errors import BadInput
from app.extensions import why_no_hosting
from app.mail_services import gate
from app.mail_services.consequences import Consequences, InUse, consequences
from app.mail_services.hosts import parse_hosts
from app.mail_services.modes import SWITCHES, Mode
from app.mail_services.service import current_mode, load_settings
from tests.factories import make_account


@pytest.fixture
def config(sqlite_config):
    """The database does not matter here."""
    return sqlite_config


def test_a_fresh_installation_is_mail_disabled(db):
    assert current_mode(db) is Mode.DISABLED
    assert load_settings(db).mode is Mode.DISABLED


def test_the_admin_chooses_a_mode_and_a_bell_rings(ada, db, bells):
    answer = ada.post(
        "/admin/mail-services", data={"mode": "external", "private_hosts": "Mail.Home.Arpa.\n10.0.5.1/24"}
    )
    assert answer.status_code == 303
    settings = load_settings(db)
    assert (settings.mode, settings.private_hosts) == (Mode.EXTERNAL, "mail.home.arpa\n10.0.5.0/24")
    assert Bell(Topic.SETTINGS) in bells()


def test_a_switch_counts_at_once_in_every_process(ada, parts, config, alice, browser_of):
    other = runtime.build(config, clock=parts.clock)
    elsewhere = create_app(parts=other).test_client()
    assert elsewhere.get("/mail").status_code == 404
    ada.post("/admin/mail-services", data={"mode": "external"})
    assert elsewhere.get("/mail").status_code == 302
    ada.post("/admin/mail-services", data={"mode": "disabled", "confirmed": "yes"})
    assert elsewhere.get("/mail").status_code == 404
    other.dispose()


def test_what_stops_is_said_before_it_is_confirmed(ada, db, set_mode, alice, bob):
    for owner in (alice, alice, bob):
        make_account(db, owner)
    set_mode(Mode.EXTERNAL)
    page = ada.get("/admin/mail-services").text
    assert "reading and sending with 3 external accounts of 2 people" in page
    asked = ada.post("/admin/mail-services", data={"mode": "disabled", "cleartext_hosts": "old.example.org"})
    assert asked.status_code == 200
    assert "reading and sending with 3 external accounts of 2 people" in asked.text
    assert current_mode(db) is Mode.EXTERNAL, "not before it is confirmed"
    data = {"mode": "disabled", "cleartext_hosts": "old.example.org", "confirmed": "yes"}
    ada.post("/admin/mail-services", data=data)
    db.expire_all()
    assert (current_mode(db), load_settings(db).cleartext_hosts) == (Mode.DISABLED, "old.example.org")


@pytest.mark.parametrize(
    ("old", "new", "starts", "stops"),
    [
        (Mode.DISABLED, Mode.EXTERNAL, 2, 0),
        (Mode.EXTERNAL, Mode.DISABLED, 0, 2),
        (Mode.BOTH, Mode.EXTERNAL, 0, 1),
        (Mode.MAILSITE, Mode.EXTERNAL, 1, 1),
        (Mode.BOTH, Mode.BOTH, 0, 0),
        (Mode.DISABLED, Mode.BOTH, 3, 0),
    ],
)
def test_consequences(app, old, new, starts, stops):
    with app.test_request_context():
        does = consequences(old, new, InUse(2, 1))
    assert (len(does.starts), len(does.stops)) == (starts, stops)


def test_nothing_is_said_to_stop_that_does_not_run(app):
    with app.test_request_context():
        does = consequences(Mode.EXTERNAL, Mode.DISABLED, InUse(0, 0))
    assert does == Consequences((), ("the Mail activity, for everybody", "adding external accounts"))


@pytest.fixture
def no_extension(monkeypatch):
    """The extension does not import; asked for before the application is made."""
    monkeypatch.setitem(sys.modules, "mailsite_ext", None)


def test_modes_that_host_are_shown_closed_with_the_reason(no_extension, ada, db):
    page = ada.get("/admin/mail-services").text
    assert page.count("the MailSite extension is not installed on this server") == 2
    assert page.count(" disabled>") == 2
    assert ada.post("/admin/mail-services", data={"mode": "both"}).status_code == 422
    assert current_mode(db) is Mode.DISABLED


def test_the_reason_tells_left_out_from_not_installed(sqlite_config, clock):
    from dataclasses import replace

    parts = runtime.build(replace(sqlite_config, extensions=""), clock=clock)
    with create_app(parts=parts).test_request_context():
        assert "left out" in why_no_hosting()
    parts.dispose()


@pytest.mark.parametrize("mode", ["", "x", "DISABLED"])
def test_no_other_mode_can_be_sent(ada, mode):
    assert ada.post("/admin/mail-services", data={"mode": mode}).status_code == 422


@pytest.mark.parametrize("field", ["private_hosts", "cleartext_hosts"])
def test_a_line_that_is_no_host_is_named(ada, db, field):
    answer = ada.post("/admin/mail-services", data={"mode": "external", field: "good.example\nnot a host"})
    assert answer.status_code == 422
    assert "“not a host” is not a host" in answer.text
    assert current_mode(db) is Mode.DISABLED


@pytest.mark.parametrize(
    "typed", ["not a host", "10.0.0.999", "http://x.example", "a..b", "x" * 300, "10.0.0.0/33", "-"]
)
@pytest.mark.parametrize("networks", [True, False])
def test_what_is_no_host(typed, networks):
    with pytest.raises(BadInput):
        parse_hosts("private_hosts", typed, networks=networks)


def test_a_network_is_no_host_to_talk_to():
    with pytest.raises(BadInput):
        parse_hosts("cleartext_hosts", "10.0.0.0/8", networks=False)


def test_lists_are_bounded():
    with pytest.raises(BadInput):
        parse_hosts("private_hosts", "\n".join(f"host{number}.example" for number in range(201)), networks=True)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("", []),
        ("A.example\r\n\r\na.example.", ["a.example"]),
        ("bücher.example", ["xn--bcher-kva.example"]),
        ("[::1]\nfd00::/8", ["::1", "fd00::/8"]),
        ("10.1.2.3/8", ["10.0.0.0/8"]),
        ("127.1", ["127.0.0.1"]),
    ],
)
def test_hosts_in_their_one_spelling(typed, kept):
    assert list(parse_hosts("private_hosts", typed, networks=True)) == kept


@pytest.mark.parametrize(
    ("path", "mode", "is_open"),
    [
        ("/mail", Mode.DISABLED, False),
        ("/mail/folder/1", Mode.DISABLED, False),
        ("/events", Mode.DISABLED, False),
        ("/mail/accounts", Mode.DISABLED, False),
        ("/mailing", Mode.DISABLED, True),
        ("/settings", Mode.DISABLED, True),
        ("/mail", Mode.EXTERNAL, True),
        ("/events", Mode.EXTERNAL, True),
        ("/mail/accounts/add", Mode.EXTERNAL, True),
        ("/mail", Mode.MAILSITE, True),
        ("/mail/accounts", Mode.MAILSITE, False),
        ("/mail/accounts/3/edit", Mode.MAILSITE, False),
        ("/mail/oauth/google/callback", Mode.MAILSITE, False),
        ("/mail/oauth/google/callback", Mode.BOTH, True),
    ],
)
def test_the_gate(path, mode, is_open):
    assert gate.is_open(path, SWITCHES[mode]) is is_open


def test_no_mail_address_answers_in_mail_disabled(app, alice, browser_of):
    """Every rule of the app, with any method it takes: signed in, and with CSRF out of the way."""
    browser = browser_of(alice)
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(gate.MAIL)]
    assert rules, "nothing was tested"
    for rule in rules:
        path = app.url_map.bind("localhost").build(rule.endpoint, dummy_arguments(rule), append_unknown=False)
        for method in rule.methods - {"OPTIONS"}:
            assert browser.open(path, method=method).status_code == 404, (method, path)


def dummy_arguments(rule):
    """A value for each part of an address; ids that nobody has."""
    return {name: dummy(rule, name) for name in rule.arguments - set(rule.defaults or ())}


def dummy(rule, name):
    converter = rule._converters[name]
    if isinstance(converter, AnyConverter):
        return min(converter.items)
    return {"RowIdConverter": 987654, "UUIDConverter": "0" * 8 + "-0000-0000-0000-" + "0" * 12}.get(
        type(converter).__name__, "x"
    )


def test_mail_is_in_the_navigation_only_where_there_is_mail(alice, browser_of, set_mode):
    browser = browser_of(alice)
    assert 'href="/mail"' not in browser.get("/settings").text
    set_mode(Mode.EXTERNAL)
    assert 'href="/mail"' in browser.get("/settings").text


def test_the_start_leads_to_the_mail_or_to_the_settings(alice, browser_of, anonymous, set_mode):
    browser = browser_of(alice)
    assert anonymous.get("/").location == "/sign-in"
    assert browser.get("/").location == "/settings"
    set_mode(Mode.EXTERNAL)
    assert browser.get("/").location == "/mail"
