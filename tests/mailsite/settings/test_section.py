"""The MailSite part of the Mail Services form: what it shows, what it refuses and where, what it keeps (O1-O16)."""

import re
from dataclasses import replace

import pytest

from app.machines.models import Desired, Machine, MachineService, ServiceState
from app.mail_services.modes import Mode
from app.mail_services.service import current_mode
from mailsite_ext.settings.service import load_settings, store_settings
from mailsite_ext.settings.values import Posture, Settings, StorageKind

URL = "/admin/mail-services"
PLAIN = {
    "mode": "both", "mailsite-domains": "example.org", "mailsite-storage_engine": "files", "mailsite-smtp_port": "25",
    "mailsite-imap_port": "143", "mailsite-fallback_port": "2525",
}  # fmt: skip
SECURE = {**PLAIN, "mailsite-smtps_port": "465", "mailsite-imaps_port": "993", "mailsite-posture": "spam"}
certified = pytest.mark.parametrize("config", ["valid"], indirect=True)


def stored(db):
    db.expire_all()
    db.rollback()
    return load_settings(db)


def store(db, **values):
    store_settings(db, replace(Settings(), **values))
    db.commit()


def value(page, name):
    """What an input of the page holds; None: there is none."""
    found = re.search(rf'<input[^>]*name="mailsite-{name}"[^>]*>', page)
    return found and re.search(r' value="([^"]*)"', found[0])[1]


def is_checked(page, name):
    return " checked" in re.search(rf'<input[^>]*name="mailsite-{name}"[^>]*>', page)[0]


def error_at(page, name):
    found = re.search(rf'id="mailsite-{name}-error">.*?</svg>(.*?)</p>', page, re.DOTALL)
    return found and found[1]


def test_a_fresh_installation_has_the_defaults(ada, db):
    assert stored(db) == Settings()
    page = ada.get(URL).text
    assert "mailsite-only" in page
    shown = [value(page, name) for name in ("domains", "smtp_port", "imap_port", "fallback_port")]
    assert shown == ["", "25", "143", "2525"]
    assert not is_checked(page, "expose")


@certified
def test_everything_typed_is_kept(ada, db):
    form = {
        **SECURE, "mailsite-domains": "Bücher.example, example.org", "mailsite-storage_engine": "sql",
        "mailsite-smtp_port": "26", "mailsite-smtps_port": "26", "mailsite-imap_port": "144",
        "mailsite-imaps_port": "994", "mailsite-starttls": "on", "mailsite-expose": "on", "mailsite-posture": "require",
        "mailsite-enforce_dmarc": "on", "mailsite-log_mail": "on", "mailsite-fallback_port": "2626",
        "mailsite-listener_processes": "4", "mailsite-trusted_forwarders": "Lists.example.org, bücher.example",
        "mailsite-greylisting": "y", "mailsite-blocklists": "Zen.example.org list.example",
    }  # fmt: skip
    assert ada.post(URL, data=form).status_code == 303
    assert stored(db) == Settings(
        storage_engine=StorageKind.SQL, domains=("xn--bcher-kva.example", "example.org"), smtp_port=26, smtps_port=26,
        imap_port=144, imaps_port=994, starttls=True, expose=True, enforce_dmarc=True, posture=Posture.REQUIRE,
        log_mail=True, test_mode=False, fallback_port=2626, listener_processes=4, send_reports=False,
        trusted_forwarders=("lists.example.org", "xn--bcher-kva.example"),
        greylisting=True,
        blocklists=("zen.example.org", "list.example"),
    )  # fmt: skip
    assert current_mode(db) is Mode.BOTH
    page = ada.get(URL).text
    assert value(page, "domains") == "xn--bcher-kva.example, example.org"
    assert value(page, "trusted_forwarders") == "lists.example.org, xn--bcher-kva.example"
    assert is_checked(page, "starttls")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"mailsite-domains": "good.example, b@d"}, "domains", "“b@d” is not a domain"),
        ({"mailsite-domains": "localhost"}, "domains", "“localhost” is not a full domain name. Only Test Mail Mode"),
        ({"mailsite-domains": "[127.0.0.1]"}, "domains", "Only Test Mail Mode"),
        ({"mailsite-trusted_forwarders": "list.example, a@b"}, "trusted_forwarders", "“a@b” is not a domain"),
        ({"mailsite-blocklists": "zen"}, "blocklists", "“zen” is not the full name of a block list"),
        ({"mailsite-blocklists": ",".join(f"l{n}.example" for n in range(11))}, "blocklists", "“l10.example” is not"),
        ({"mailsite-trusted_forwarders": "co.uk"}, "trusted_forwarders", "“co.uk” is shared by many"),
        ({"mailsite-smtp_port": "0"}, "smtp_port", "“0” is not a port"),
        ({"mailsite-smtps_port": "65536"}, "smtps_port", "“65536” is not a port"),
        ({"mailsite-imap_port": "imap"}, "imap_port", "“imap” is not a port"),
        ({"mailsite-imaps_port": "٩٩٣"}, "imaps_port", "is not a port"),
        ({"mailsite-imaps_port": ""}, "imaps_port", "is not a port"),
        ({"mailsite-fallback_port": "-1"}, "fallback_port", "is not a port"),
        ({"mailsite-listener_processes": "0"}, "listener_processes", "Write a number from 1 to 16"),
        ({"mailsite-listener_processes": "17"}, "listener_processes", "Write a number from 1 to 16"),
        ({"mailsite-listener_processes": "²"}, "listener_processes", "Write a number from 1 to 16"),
        ({"mailsite-smtps_port": "25"}, "smtps_port", "This is the SMTP port too"),
        ({"mailsite-imap_port": "993"}, "imaps_port", "This is the IMAP port too"),
    ],
)
@certified
def test_a_bad_value_is_named_at_its_field_and_nothing_is_lost(ada, db, changes, field, words):
    form = {**SECURE, "mailsite-log_mail": "on", **changes}
    answer = ada.post(URL, data=form)
    assert answer.status_code == 422
    assert words in error_at(answer.text, field)
    assert (value(answer.text, "domains"), is_checked(answer.text, "log_mail")) == (form["mailsite-domains"], True)
    assert (stored(db), current_mode(db)) == (Settings(), Mode.DISABLED)


@pytest.mark.parametrize("name", ["storage_engine", "posture"])
@certified
def test_a_choice_nobody_offered_is_refused(ada, db, name):
    assert ada.post(URL, data={**SECURE, f"mailsite-{name}": "other"}).status_code == 422
    assert stored(db) == Settings()


def test_test_mail_mode_takes_single_labels_and_literals(ada, db):
    form = {**PLAIN, "mailsite-domains": "localhost, [127.0.0.1]", "mailsite-test_mode": "on"}
    assert ada.post(URL, data=form).status_code == 303
    assert stored(db).domains == ("localhost", "[127.0.0.1]")


@pytest.mark.parametrize("mode", ["disabled", "external"])
def test_modes_that_host_nothing_read_nothing_of_it(ada, db, mode):
    assert ada.post(URL, data={**PLAIN, "mode": mode, "mailsite-smtp_port": "none"}).status_code == 303
    assert stored(db) == Settings()


# O13


def test_without_a_certificate_secure_fields_give_way_to_a_warning(ada):
    page = ada.get(URL).text
    assert "No certificate is configured" in page
    for name in ("smtps_port", "imaps_port", "starttls", "posture"):
        assert value(page, name) is None
    assert "Fixed until a certificate is configured" in page


def test_without_a_certificate_what_is_stored_of_the_secure_fields_stays(ada, db):
    store(db, smtps_port=587, imaps_port=994, starttls=True, posture=Posture.REQUIRE)
    assert ada.post(URL, data={**PLAIN, "mailsite-posture": "spam", "mailsite-imaps_port": "1"}).status_code == 303
    kept = stored(db)
    assert (kept.smtps_port, kept.imaps_port, kept.starttls, kept.posture) == (587, 994, True, Posture.REQUIRE)
    assert kept.domains == ("example.org",)


def test_a_port_kept_for_a_certificate_to_come_is_not_given_away(ada, db):
    answer = ada.post(URL, data={**PLAIN, "mailsite-imap_port": "993"})
    assert answer.status_code == 422
    assert "This is the IMAPS port too" in error_at(answer.text, "imap_port")


@pytest.mark.parametrize(
    ("config", "words"),
    [("expired", "The certificate has expired"), ("unreadable", "The certificate cannot be read")],
    indirect=["config"],
)
def test_a_faulty_certificate_is_said_and_forces_nothing(ada, words):
    page = ada.get(URL).text
    assert words in page
    assert value(page, "smtps_port") == "465"
    assert "Fixed until" not in page


# O8


@pytest.mark.parametrize(
    ("starttls", "ports"),
    [({}, ["25", "465", "143", "993"]), ({"mailsite-starttls": "on"}, ["25", "25", "143", "993"])],
)
@certified
def test_default_ports_are_filled_in_without_script_and_not_saved(ada, db, starttls, ports):
    form = {
        **SECURE, **starttls, "use": "default-ports", "mailsite-domains": "half typ", "mailsite-smtp_port": "1",
        "mailsite-smtps_port": "2", "mailsite-imap_port": "3", "mailsite-imaps_port": "x",
    }  # fmt: skip
    answer = ada.post(URL, data=form)
    assert answer.status_code == 200
    assert [value(answer.text, f"{name}_port") for name in ("smtp", "smtps", "imap", "imaps")] == ports
    assert value(answer.text, "domains") == "half typ"
    assert (stored(db), current_mode(db)) == (Settings(), Mode.DISABLED)


def test_default_ports_without_a_certificate(ada):
    page = ada.post(URL, data={**PLAIN, "use": "default-ports", "mailsite-smtp_port": "1"}).text
    assert (value(page, "smtp_port"), value(page, "smtps_port")) == ("25", None)


# O10


@pytest.mark.parametrize(
    ("config", "form"), [("none", PLAIN), ("valid", {**SECURE, "mailsite-posture": "allow"})], indirect=["config"]
)
def test_exposing_passwords_is_asked_twice_and_stays_a_warning(ada, db, form):
    form = {**form, "mailsite-expose": "on"}
    asked = ada.post(URL, data=form)
    assert asked.status_code == 422
    assert "This exposes passwords" in asked.text
    assert stored(db) == Settings()
    assert ada.post(URL, data={**form, "mailsite-expose_anyway": "on"}).status_code == 303
    assert stored(db).expose
    assert "Passwords may cross the internet in the clear" in ada.get(URL).text
    assert ada.post(URL, data={**form, "mailsite-smtp_port": "26"}).status_code == 303, "it was answered already"


@certified
def test_exposing_what_is_secure_is_not_asked_about(ada, db):
    assert ada.post(URL, data={**SECURE, "mailsite-expose": "on"}).status_code == 303
    assert "in the clear" not in re.sub(r'<p class="hint".*?</p>|<span class="hint">.*?</span>', "", ada.get(URL).text)


# M5


def test_what_was_typed_travels_through_the_confirmation(ada, db, set_mode):
    set_mode(Mode.BOTH)
    form = {**PLAIN, "mode": "mailsite", "mailsite-log_mail": "on", "private_hosts": "a.example\r\n10.0.0.0/8"}
    asked = ada.post(URL, data=form)
    assert asked.status_code == 200
    assert stored(db) == Settings()
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', asked.text)
    sent = {name: text for name, text in hidden if name != "csrf_token"}
    assert sent == {**form, "confirmed": "yes"}
    assert ada.post(URL, data=sent).status_code == 303
    assert (stored(db).log_mail, stored(db).domains) == (True, ("example.org",))


def test_only_admins_may(alice, browser_of, db):
    assert browser_of(alice).post(URL, data=PLAIN).status_code == 403
    assert stored(db) == Settings()


@pytest.fixture
def running(db):
    """An SMTP listener runs on mx-1 with settings of the past."""
    machine = Machine(uuid="m", name="mx-1", work_uuid="w", work_directory="/var/mail")
    db.add(machine)
    db.flush()
    row = MachineService(
        machine_id=machine.id,
        kind="smtp",
        desired=Desired.RUNNING,
        state=ServiceState.RUNNING,
        settings={"SMTP port": "1"},
    )
    db.add(row)
    db.commit()
    return row


def test_the_page_says_which_listeners_are_out_of_date_and_where_the_log_is(ada, set_mode, running):
    set_mode(Mode.BOTH)
    page = ada.get(URL).text
    assert "1 service still runs with older settings" in page
    assert ada.get(re.search(r'href="([^"]*)">View log', page)[1]).status_code == 200
