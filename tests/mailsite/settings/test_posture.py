"""What the settings come to: posture, ports, interfaces, and who may sign in where (O4-O10, O13, O15, O16)."""

from dataclasses import replace

import pytest

from mailsite_ext.settings.checks import default_ports, equal_ports
from mailsite_ext.settings.posture import (
    EVERYWHERE,
    LOOPBACK,
    NO_CERTIFICATE,
    Certificate,
    CertificateState,
    ListenerRole,
    SignIn,
    TlsMode,
    effective_posture,
    listeners_wanted,
    needs_second_look,
)
from mailsite_ext.settings.values import Posture, Settings

VALID = Certificate(CertificateState.VALID)
HOSTED = Settings(domains=("example.org",))
EXPOSED = replace(HOSTED, expose=True)
BY_STARTTLS = replace(EXPOSED, starttls=True, posture=Posture.REQUIRE, **default_ports(starttls=True))


def summary(settings, certificate, mail_bind=""):
    """Port → (TLS, is it public, to whom sign-in is offered)."""
    specs = listeners_wanted(settings, certificate, mail_bind)
    assert len({spec.port for spec in specs}) == len(specs), "a port is bound once"
    return {spec.port: (spec.tls.value, spec.is_public, spec.sign_in.value) for spec in specs}


@pytest.mark.parametrize(
    ("settings", "certificate", "wanted"),
    [
        (
            HOSTED,
            NO_CERTIFICATE,  # O13: the secure ports do not bind
            {25: ("none", True, "loopback"), 143: ("none", False, "anybody")},
        ),
        (
            HOSTED,
            VALID,
            {
                25: ("starttls", True, "loopback"),  # Allow Insecure: O4 (a); submission follows O10
                465: ("implicit", False, "anybody"),
                143: ("starttls", False, "anybody"),
                993: ("implicit", False, "anybody"),
            },
        ),
        (
            replace(EXPOSED, posture=Posture.SPAM),
            VALID,
            {
                25: ("starttls", True, "nobody"),
                465: ("implicit", True, "anybody"),
                143: ("starttls", True, "anybody"),
                993: ("implicit", True, "anybody"),
            },
        ),
        (
            BY_STARTTLS,  # one listener, both roles
            VALID,
            {
                25: ("starttls", True, "anybody"),
                143: ("starttls", True, "anybody"),
                993: ("starttls", True, "anybody"),
            },
        ),
        (
            replace(BY_STARTTLS, expose=False),  # still public, but only this machine may sign in
            VALID,
            {
                25: ("starttls", True, "loopback"),
                143: ("starttls", False, "anybody"),
                993: ("starttls", False, "anybody"),
            },
        ),
        (
            replace(BY_STARTTLS, smtps_port=587),
            VALID,
            {
                25: ("starttls", True, "nobody"),
                587: ("starttls", True, "anybody"),
                143: ("starttls", True, "anybody"),
                993: ("starttls", True, "anybody"),
            },
        ),
        (BY_STARTTLS, NO_CERTIFICATE, {25: ("none", True, "anybody"), 143: ("none", True, "anybody")}),
        (
            replace(EXPOSED, domains=()),  # localhost alone: nothing leaves the machine
            NO_CERTIFICATE,
            {25: ("none", False, "anybody"), 143: ("none", False, "anybody")},
        ),
        (
            replace(EXPOSED, test_mode=True),
            NO_CERTIFICATE,
            {25: ("none", False, "anybody"), 143: ("none", False, "anybody")},
        ),
    ],
)
def test_listeners(settings, certificate, wanted):
    assert summary(settings, certificate) == wanted


def spec_of(port, settings, certificate=VALID, mail_bind=""):
    return next(spec for spec in listeners_wanted(settings, certificate, mail_bind) if spec.port == port)


@pytest.mark.parametrize(
    ("mail_bind", "settings", "port", "addresses"),
    [
        ("", EXPOSED, 993, EVERYWHERE),
        ("192.0.2.1, [2001:db8::1]", EXPOSED, 25, ("192.0.2.1", "2001:db8::1")),
        ("192.0.2.1", EXPOSED, 143, ("192.0.2.1",)),
        ("192.0.2.1", HOSTED, 143, LOOPBACK),
        ("192.0.2.1", replace(EXPOSED, test_mode=True), 25, LOOPBACK),
    ],
)
def test_addresses(mail_bind, settings, port, addresses):
    assert spec_of(port, settings, VALID, mail_bind).addresses == addresses


@pytest.mark.parametrize(
    ("posture", "port", "over_tls", "offered"),
    [
        (Posture.ALLOW, 25, False, True),  # T3
        (Posture.ALLOW, 143, False, True),
        (Posture.SPAM, 143, False, False),  # T4
        (Posture.SPAM, 143, True, True),
        (Posture.SPAM, 25, True, False),  # not the port of submission: no AUTH at all
        (Posture.REQUIRE, 465, True, True),
        (Posture.REQUIRE, 143, False, False),  # T5
    ],
)
def test_sign_in_needs_tls_but_under_allow_insecure(posture, port, over_tls, offered):
    spec = spec_of(port, replace(EXPOSED, posture=posture))
    assert spec.offers_sign_in(from_loopback=False, over_tls=over_tls) is offered


def test_unexposed_the_shared_port_lets_only_this_machine_sign_in():
    spec = spec_of(25, replace(BY_STARTTLS, expose=False))
    assert spec.roles == {ListenerRole.RECEPTION, ListenerRole.SUBMISSION}
    assert (spec.tls, spec.sign_in) == (TlsMode.STARTTLS, SignIn.LOOPBACK)
    assert spec.offers_sign_in(from_loopback=True, over_tls=True)
    assert not spec.offers_sign_in(from_loopback=False, over_tls=True)


@pytest.mark.parametrize("posture", list(Posture))
def test_mail_without_tls_is_refused_by_require_secure_alone(posture):
    spec = spec_of(25, replace(HOSTED, posture=posture))
    assert spec.mail_needs_tls is (posture is Posture.REQUIRE)
    assert not spec_of(25, replace(HOSTED, posture=posture), NO_CERTIFICATE).mail_needs_tls


def test_the_fallback_port_counts_in_test_mode_alone():
    assert spec_of(25, HOSTED).fallback_port == 0
    assert spec_of(25, replace(HOSTED, test_mode=True)).fallback_port == 2525


@pytest.mark.parametrize("state", list(CertificateState))
def test_only_no_certificate_at_all_forces_the_posture(state):
    forced = effective_posture(replace(HOSTED, posture=Posture.REQUIRE), Certificate(state))
    assert forced is (Posture.ALLOW if state is CertificateState.NONE else Posture.REQUIRE)


@pytest.mark.parametrize(
    ("settings", "certificate", "asked"),
    [
        (EXPOSED, NO_CERTIFICATE, True),
        (EXPOSED, VALID, True),
        (replace(EXPOSED, posture=Posture.SPAM), VALID, False),
        (replace(EXPOSED, posture=Posture.SPAM), NO_CERTIFICATE, True),
        (HOSTED, NO_CERTIFICATE, False),
    ],
)
def test_exposing_passwords_needs_a_second_look(settings, certificate, asked):
    assert needs_second_look(settings, certificate) is asked


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, {}),
        ({"smtps_port": 25, "starttls": True}, {}),
        ({"smtps_port": 25}, {"smtps_port": "smtp_port"}),
        ({"imap_port": 993, "starttls": True}, {"imaps_port": "imap_port"}),
        ({"imap_port": 25}, {"imap_port": "smtp_port"}),
        ({"fallback_port": 143}, {}),
        ({"fallback_port": 143, "test_mode": True}, {"fallback_port": "imap_port"}),
    ],
)
def test_equal_ports(changes, taken):
    assert equal_ports(replace(Settings(), **changes)) == taken
