"""What mail clients ask by themselves, with no session: at which names, in which modes; nobody is told apart."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from app.accounts.autoconfig import parse_autoconfig
from app.accounts.endpoint import Endpoint, Tls
from app.machines.models import ServiceState
from app.mail_services.modes import Mode
from mailsite_ext.client_setup.offer import find_offer
from mailsite_ext.client_setup.pages import AUTODISCOVER_PATH, CONFIG_PATH, WELL_KNOWN_PATH
from mailsite_ext.domains import service
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Posture

from .conftest import EXPOSED

REQUEST = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>
<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>{schema}</AcceptableResponseSchema>
</Request></Autodiscover>"""
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
AUTOCONFIG_HOST, AUTODISCOVER_HOST = "autoconfig.example.org", "autodiscover.example.org"


@pytest.fixture
def ask(app):
    def ask(host, path, method="GET", **options):
        return app.test_client().open(path, method=method, headers={"Host": host}, **options)

    return ask


@pytest.fixture
def discover(ask):
    def discover(address="alice@example.org", host=AUTODISCOVER_HOST, schema=OUTLOOK, path=AUTODISCOVER_PATH):
        return ask(host, path, "POST", data=REQUEST.format(address=address, schema=schema))

    return discover


# Autoconfig


@pytest.mark.parametrize(
    ("settings", "imap", "smtp"),
    [
        (EXPOSED, (993, Tls.IMPLICIT), (465, Tls.IMPLICIT)),
        (replace(EXPOSED, imaps_port=1993, smtps_port=1465), (1993, Tls.IMPLICIT), (1465, Tls.IMPLICIT)),
        (replace(EXPOSED, starttls=True, smtps_port=587), (143, Tls.STARTTLS), (587, Tls.STARTTLS)),
        (replace(EXPOSED, starttls=True, smtps_port=25), (143, Tls.STARTTLS), (25, Tls.STARTTLS)),
        (replace(EXPOSED, posture=Posture.ALLOW), (993, Tls.IMPLICIT), (465, Tls.IMPLICIT)),
    ],
)
def test_our_own_discovery_reads_what_runs(running, ask, settings, imap, smtp):
    running(settings)
    answer = ask(AUTOCONFIG_HOST, CONFIG_PATH + "?emailaddress=alice@example.org")
    assert answer.content_type == "text/xml; charset=utf-8"
    assert "Set-Cookie" not in answer.headers
    found = parse_autoconfig(answer.data, "alice@example.org")
    assert found.imap.endpoint == Endpoint("mail.example.org", *imap)
    assert found.smtp.endpoint == Endpoint("mail.example.org", *smtp)
    assert {found.imap.username, found.smtp.username} == {"alice@example.org"}


NAMES = [
    ("autoconfig.example.org", CONFIG_PATH, 200),
    ("AutoConfig.Example.NET.:443", CONFIG_PATH, 200),
    ("autoconfig.example.org", WELL_KNOWN_PATH, 200),
    ("example.org", WELL_KNOWN_PATH, 200),
    ("mail.example.org", WELL_KNOWN_PATH + "?emailaddress=x@Example.net", 200),
    ("mail.example.org", WELL_KNOWN_PATH + "?emailaddress=x@other.example", 404),
    ("mail.example.org", WELL_KNOWN_PATH, 404),
    ("mail.example.org", CONFIG_PATH + "?emailaddress=x@example.org", 404),  # a path of the webmail's
    ("example.org", CONFIG_PATH, 400),
    ("autoconfig.other.example", CONFIG_PATH + "?emailaddress=x@example.org", 404),
    ("other.example", WELL_KNOWN_PATH + "?emailaddress=x@example.org", 404),
    ("autoconfig.autoconfig.example.org", CONFIG_PATH, 404),
    ("autoconfig.", CONFIG_PATH, 400),
    ("[::1", CONFIG_PATH, 400),
    ("autoconfig.example.org", "/", 400),
    ("autoconfig.example.org", "/sign-in", 400),
]


def test_each_name_has_its_own(running, ask):
    running()
    for host, path, status in NAMES:
        assert ask(host, path).status_code == status, (host, path)


def nothing_runs(running):
    running(state=ServiceState.FAILED)


def loopback_only(running):
    running(replace(EXPOSED, expose=False))


def mode_is_local(running):
    running(replace(EXPOSED, test_mode=True))


def without_certificate(running):
    running(bare=True)


@pytest.mark.parametrize("arrange", [nothing_runs, loopback_only, mode_is_local, without_certificate])
def test_nothing_is_told_that_does_not_work(running, ask, discover, arrange):
    arrange(running)
    assert ask(AUTOCONFIG_HOST, CONFIG_PATH).status_code == 404
    assert discover().status_code == 404


def test_a_listener_bound_to_this_machine_alone_is_not_told_of(running, parts, db):
    running()
    local = replace(parts, config=replace(parts.config, mail_bind="127.0.0.1"))
    assert find_offer(parts, db, "example.org") is not None
    assert find_offer(local, db, "example.org") is None


def test_what_counts_is_how_the_listeners_run_not_what_is_saved(running, ask, db):
    running()
    store_settings(db, replace(EXPOSED, imaps_port=1993, expose=False))
    db.commit()
    found = parse_autoconfig(ask(AUTOCONFIG_HOST, CONFIG_PATH).data, "alice@example.org")
    assert found.imap.endpoint.port == 993


@pytest.mark.parametrize("mode", [Mode.DISABLED, Mode.EXTERNAL])
def test_without_hosting_there_is_nothing(running, ask, discover, set_mode, mode):
    running()
    set_mode(mode)
    assert ask(AUTOCONFIG_HOST, CONFIG_PATH).status_code == 404
    assert discover().status_code == 404


def test_only_elements_that_thunderbird_knows(running, ask, corpora):
    running()
    known = set()
    for path in (corpora / "ispdb").glob("*.xml"):
        known |= pairs(ElementTree.fromstring(path.read_bytes()))
    assert pairs(ElementTree.fromstring(ask(AUTOCONFIG_HOST, CONFIG_PATH).data)) <= known


def pairs(root):
    """Which element stands in which, and with which attributes."""
    return {(root.tag, "@" + name) for name in root.attrib}.union(
        *({(root.tag, child.tag)} | pairs(child) for child in root)
    )


# Autodiscover


def fields(answer):
    """Of each Protocol, without the names of schemas."""
    root = ElementTree.fromstring(answer.data)
    protocols = root.iter(f"{{{OUTLOOK}}}Protocol")
    return [{child.tag.rpartition("}")[2]: child.text for child in protocol} for protocol in protocols]


def test_the_servers_for_outlook(running, discover):
    running(replace(EXPOSED, starttls=True, smtps_port=587))
    assert discover(path="/Autodiscover/Autodiscover.xml").data == discover().data, "clients spell it both ways"
    imap, smtp = fields(discover())
    assert (imap["Type"], imap["Server"], imap["Port"], imap["SSL"], imap["Encryption"]) == (
        "IMAP", "mail.example.org", "143", "on", "TLS",
    )  # fmt: skip
    assert (smtp["Type"], smtp["Port"], smtp["Encryption"]) == ("SMTP", "587", "TLS")
    assert imap["LoginName"] == smtp["LoginName"] == "alice@example.org"


ASKED = [
    ("autodiscover.example.org", "alice@example.org", 200),
    ("example.org", "alice@example.org", 200),
    ("mail.example.org", "alice@Example.net", 200),
    ("mail.example.org", "alice@other.example", 404),
    ("autodiscover.other.example", "alice@example.org", 404),
]


def test_where_outlook_asks(running, discover):
    running()
    for host, address, status in ASKED:
        assert discover(address, host).status_code == status, (host, address)


def test_outlook_may_ask_without_an_address(running, ask):
    running()
    imap, _smtp = fields(ask(AUTODISCOVER_HOST, AUTODISCOVER_PATH))
    assert "LoginName" not in imap


def test_no_answer_says_who_has_a_mailbox(running, discover, ask, parts, db, alice):
    running()
    name = service.ensure_mailbox(parts, db, alice).name
    for path in (CONFIG_PATH, WELL_KNOWN_PATH):
        real, made_up = (ask(AUTOCONFIG_HOST, f"{path}?emailaddress={who}@example.org") for who in (name, "nobody"))
        assert (real.status_code, real.data) == (made_up.status_code, made_up.data)
    real, made_up = (discover(f"{who}@example.org").text for who in (name, "nobody"))
    assert made_up.replace("nobody@", f"{name}@") == real


NO_REQUESTS = [
    ("", "600"),
    ("<", "600"),
    ("<Autodiscover/>", "600"),
    (REQUEST.format(address="no address", schema=OUTLOOK), "600"),
    (REQUEST.format(address="a@b" * 200, schema=OUTLOOK), "600"),
    ('<!DOCTYPE x [<!ENTITY e "a@example.org">]>' + REQUEST[REQUEST.index("<Auto") :], "600"),
    ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "600"),
    ("<a>" * 9 + "</a>" * 9, "600"),
    ("<a>" + "<b/>" * 200 + "</a>", "600"),
    (b'<?xml version="1.0" encoding="none-such"?><a/>', "600"),
    (b"\xff\xfe\x00", "600"),
    ("<a>" + " " * 20_000 + "</a>", "600"),
    (REQUEST.format(address="a@example.org", schema=OUTLOOK.replace("outlook", "mobilesync")), "601"),
]


def test_what_is_no_request_is_answered_by_an_error(running, ask):
    running()
    for body, code in NO_REQUESTS:
        answer = ask(AUTODISCOVER_HOST, AUTODISCOVER_PATH, "POST", data=body)
        assert re.search("<ErrorCode>(.*)</ErrorCode>", answer.text)[1] == code, body


def test_a_body_beyond_all_bounds_is_not_read(running, ask):
    running()
    assert ask(AUTODISCOVER_HOST, AUTODISCOVER_PATH, "POST", data=b"x" * 70_000).status_code == 413


def test_what_a_stranger_sends_comes_back_as_text(running, discover):
    running()
    answer = discover("&lt;Server&gt;evil&lt;/Server&gt;@example.org")
    assert "<Server>evil" not in answer.text
    assert "&lt;Server&gt;evil" in answer.text


def test_other_methods(ask):
    assert ask(AUTOCONFIG_HOST, CONFIG_PATH, "POST").status_code == 405
    assert ask(AUTODISCOVER_HOST, AUTODISCOVER_PATH, "PUT").status_code == 405
