"""The profile for Apple's mail programs: what is in it, who gets it, and where it is not to be had."""

from __future__ import annotations

import plistlib
from dataclasses import replace

import pytest

from app.machines.models import ServiceState
from mailsite_ext.client_setup.profile import Account, profile
from mailsite_ext.domains import service
from mailsite_ext.domains.clients import ClientServer
from mailsite_ext.settings.posture import TlsMode

from .conftest import EXPOSED

PAGE, PROFILE = "/settings/mail-clients", "/settings/mail-clients/profile"
ACCOUNT = Account(
    address="alice@example.org",
    name="Alice\x00 \u202eB",
    imap=ClientServer("mail.example.org", 993, TlsMode.IMPLICIT, True),
    smtp=ClientServer("mail.example.org", 587, TlsMode.STARTTLS, True),
    place="https://mail.example.org",
)


def test_a_profile_has_everything_but_the_password():
    (mail,) = plistlib.loads(profile(ACCOUNT))["PayloadContent"]
    assert mail["EmailAccountName"] == "Alice B"
    assert (mail["IncomingMailServerHostName"], mail["IncomingMailServerPortNumber"]) == ("mail.example.org", 993)
    assert (mail["OutgoingMailServerPortNumber"], mail["OutgoingMailServerUseSSL"]) == (587, True)
    assert mail["IncomingMailServerUsername"] == mail["OutgoingMailServerUsername"] == "alice@example.org"
    assert not [name for name in mail if name.endswith("Password") and mail[name] is not True]


def test_a_later_profile_takes_the_place_of_the_first():
    first, later, other = (
        plistlib.loads(profile(account))
        for account in (
            ACCOUNT,
            replace(ACCOUNT, imap=replace(ACCOUNT.imap, port=1993)),
            replace(ACCOUNT, address="bob@example.org"),
        )
    )
    assert (first["PayloadIdentifier"], first["PayloadUUID"]) == (later["PayloadIdentifier"], later["PayloadUUID"])
    assert first["PayloadUUID"] != other["PayloadUUID"]
    assert first["PayloadUUID"] != first["PayloadContent"][0]["PayloadUUID"]


@pytest.fixture
def config(config):
    """Browsers of the tests come to localhost."""
    return replace(config, public_url="")


@pytest.fixture
def browser(alice, browser_of):
    return browser_of(alice).get


def test_the_page_offers_what_works(running, browser, parts, db, alice):
    running()
    service.ensure_mailbox(parts, db, alice)
    page = browser(PAGE).text
    assert f'href="{PROFILE}"' in page
    answer = browser(PROFILE)
    assert answer.content_type == "application/x-apple-aspen-config"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="example.org.mobileconfig"'
    (mail,) = plistlib.loads(answer.data)["PayloadContent"]
    assert (mail["EmailAddress"], mail["EmailAccountName"]) == ("alice@example.org", alice.name)


@pytest.mark.parametrize(
    ("settings", "state", "words"),
    [
        (EXPOSED, ServiceState.STOPPED, "cannot connect right now"),
        (replace(EXPOSED, expose=False), ServiceState.RUNNING, "has not exposed mail externally"),
    ],
)
def test_without_servers_there_is_no_profile(running, browser, parts, db, alice, settings, state, words):
    running(settings, state)
    service.ensure_mailbox(parts, db, alice)
    page = browser(PAGE).text
    assert PROFILE not in page
    assert words in page
    assert browser(PROFILE).status_code == 404


def test_who_has_no_mailbox_has_no_profile(running, browser):
    running()
    assert browser(PROFILE).status_code == 404
