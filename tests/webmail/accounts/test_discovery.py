"""Deciding where an address's mail is: tables of evidence, and the corpus of autoconfig files."""

import pytest

from app.accounts.addresses import canonical_host
from app.accounts.autoconfig import MAX_OCTETS, ClientConfig, Server, parse_autoconfig
from app.accounts.discovery import Evidence, Found, Half, Origin, Service, decide, domain_of, guesses, read_mx, read_srv
from app.accounts.endpoint import Endpoint, Tls
from app.accounts.presets import PRESETS, PasswordKind, Preset, find_by_domain, find_by_host, find_by_mx, find_preset
from app.errors import ProtocolError

ADDRESS = "maren@holt.example"


def preset(key: str) -> Preset:
    found = find_preset(key)
    assert found is not None
    return found


GMAIL = preset("gmail")
OWN_IMAP, OWN_SMTP = Endpoint("mail.holt.example", 993), Endpoint("mail.holt.example", 465)
A_IMAP, A_SMTP = Endpoint("a.holt.example", 993), Endpoint("a.holt.example", 465)
CONFIG = ClientConfig(Server(A_IMAP, "maren"), Server(A_SMTP, "maren"))
SRV = {"_imaps._tcp": Service((OWN_IMAP,)), "_submissions._tcp": Service((OWN_SMTP,))}
NOT_OFFERED = {"_imaps._tcp": Service(refused=True), "_submission._tcp": Service(refused=True)}
GUESS = Endpoint("imap.holt.example", 993)


@pytest.mark.parametrize(
    ("evidence", "imap", "smtp"),
    [
        (Evidence(), None, None),
        (Evidence(services=SRV), (OWN_IMAP, Origin.SRV), (OWN_SMTP, Origin.SRV)),
        (Evidence(services=SRV, configs=[CONFIG], mx_preset=GMAIL), (OWN_IMAP, Origin.SRV), (OWN_SMTP, Origin.SRV)),
        (
            Evidence(configs=[ClientConfig(), CONFIG], mx_preset=GMAIL),
            (A_IMAP, Origin.AUTOCONFIG),
            (A_SMTP, Origin.AUTOCONFIG),
        ),
        (Evidence(mx_preset=GMAIL, guesses=[GUESS]), (GMAIL.imap, Origin.MX), (GMAIL.smtp, Origin.MX)),
        (Evidence(preset=GMAIL, services=SRV), (GMAIL.imap, Origin.PRESET), (GMAIL.smtp, Origin.PRESET)),
        # halves from different sources
        (
            Evidence(services={"_imaps._tcp": SRV["_imaps._tcp"]}, configs=[CONFIG]),
            (OWN_IMAP, Origin.SRV),
            (A_SMTP, Origin.AUTOCONFIG),
        ),
        # "." means: not offered, so nothing is guessed, but what the owner published elsewhere counts
        (Evidence(services=NOT_OFFERED, guesses=[GUESS], smtp_guesses=[GUESS]), None, None),
        (
            Evidence(services=NOT_OFFERED, configs=[CONFIG]),
            (A_IMAP, Origin.AUTOCONFIG),
            (A_SMTP, Origin.AUTOCONFIG),
        ),
        (Evidence(guesses=[GUESS]), (GUESS, Origin.GUESS), None),
    ],
)
def test_the_first_source_that_knows_decides_each_half(evidence, imap, smtp):
    found = decide(ADDRESS, evidence)
    assert (found.imap and (found.imap.endpoint, found.imap.origin)) == imap
    assert (found.smtp and (found.smtp.endpoint, found.smtp.origin)) == smtp


@pytest.mark.parametrize(
    ("evidence", "key"),
    [
        (Evidence(preset=GMAIL), "gmail"),
        (Evidence(mx_preset=GMAIL), "gmail"),
        (Evidence(services=SRV, mx_preset=GMAIL), None),  # mail goes through Google, the mailbox is elsewhere
        (Evidence(services={"_imaps._tcp": Service((Endpoint("imap.fastmail.com", 993),))}), "fastmail"),
        (Evidence(mx_preset=preset("microsoft365")), "microsoft365"),
    ],
)
def test_the_provider_is_the_one_whose_server_is_used(evidence, key):
    found = decide(ADDRESS, evidence).preset
    assert (found and found.key) == key


@pytest.mark.parametrize(
    ("service", "records", "expected"),
    [
        ("_imaps._tcp", ["0 1 993 mail.holt.example."], Service((OWN_IMAP,))),
        (
            "_imaps._tcp",  # priority first, then weight: RFC 2782
            ["20 9 993 c.example.", "10 1 993 b.example.", "10 9 993 a.example."],
            Service((Endpoint("a.example", 993), Endpoint("b.example", 993), Endpoint("c.example", 993))),
        ),
        ("_submission._tcp", ["0 0 587 s.example."], Service((Endpoint("s.example", 587, Tls.STARTTLS),))),
        ("_imaps._tcp", ["0 0 0 ."], Service(refused=True)),  # RFC 6186 §3.4
        ("_imaps._tcp", ["0 0 0 x.example.", "a b c d", "1 2 3", "0 0 99999 x.example.", ""], Service()),
        ("_imaps._tcp", ["0 0 993 -bad-.example."], Service()),
    ],
)
def test_srv_records(service, records, expected):
    assert read_srv(service, records) == expected


def test_implicit_tls_is_preferred_to_starttls():
    services = {"_imap._tcp": Service((Endpoint("b", 143, Tls.STARTTLS),)), **SRV}
    imap = decide(ADDRESS, Evidence(services=services)).imap
    assert imap is not None
    assert imap.endpoint == OWN_IMAP


@pytest.mark.parametrize(
    ("records", "key"),
    [
        (["1 aspmx.l.google.com.", "5 alt1.aspmx.l.google.com."], "gmail"),
        (["1 smtp.google.com."], "gmail"),
        (["0 holt-example.mail.protection.outlook.com."], "microsoft365"),
        (["0 eur.olc.protection.outlook.com."], "outlook"),
        (["10 in1-smtp.messagingengine.com."], "fastmail"),
        (["10 mx01.mail.icloud.com."], "icloud"),
        (["10 mxext1.mailbox.org."], "mailbox-org"),
        (["10 notgoogle.com."], None),  # the end of a name, not of a label
        (["20 aspmx.l.google.com.", "10 mx.example.org."], "gmail"),
        (["0 ."], None),
        (["nonsense"], None),
    ],
)
def test_mx_tells_the_provider(records, key):
    found = find_by_mx(read_mx(records))
    assert (found and found.key) == key


@pytest.mark.parametrize(
    ("domain", "key"),
    [("gmail.com", "gmail"), ("hotmail.de", "outlook"), ("web.de", "webde"), ("gmx.ch", "gmx"), ("aim.com", "aol"),
     ("pm.me", "proton"), ("posteo.net", "posteo"), ("icloud.com", "icloud"), ("gmail.example", None)],
)  # fmt: skip
def test_presets_by_domain(domain, key):
    found = find_by_domain(domain)
    assert (found and found.key) == key


def test_presets_are_whole():
    assert len({preset.key for preset in PRESETS}) == len(PRESETS)
    domains = [domain for preset in PRESETS for domain in preset.domains]
    assert len(domains) == len(set(domains))
    for preset in PRESETS:
        assert len(preset.key) <= 20
        assert canonical_host(preset.imap.host) == preset.imap.host
        assert preset.imap.tls is not Tls.NONE
        assert preset.smtp.tls is not Tls.NONE
        assert not preset.takes_only_oauth or preset.oauth
        assert preset.passwords in (PasswordKind.OWN, PasswordKind.NONE) or (preset.steps and preset.help_url)
        assert preset.help_url.startswith("https://") or not preset.help_url


def test_a_server_follows_its_providers_rules():
    found = find_by_host("Outlook.Office365.com.")
    assert found is not None
    assert found.takes_only_oauth
    assert preset("webde").username("maren@web.de") == "maren"
    assert find_by_host("mail.holt.example") is None


def test_the_corpus_of_autoconfig_files(corpora):
    """Every file gives IMAP and SMTP servers with TLS, but those that have none of them."""
    without = {}
    for path in sorted((corpora / "ispdb").glob("*.xml")):
        config = parse_autoconfig(path.read_bytes(), "maren@holt.example")
        for server in (config.imap, config.smtp):
            if server is not None:
                assert server.endpoint.tls is not Tls.NONE
                assert "%" not in server.username
        lacking = {kind for kind in ("imap", "smtp") if getattr(config, kind) is None}
        if lacking:
            without[path.stem] = lacking
    files = len(list((corpora / "ispdb").glob("*.xml")))
    assert len(without) < files * 0.45  # many small providers offer POP3 or cleartext only
    posteo = parse_autoconfig((corpora / "ispdb" / "posteo.de.xml").read_bytes(), "maren@posteo.de")
    assert posteo.imap is not None
    assert posteo.imap.endpoint.host == "posteo.de"
    assert posteo.imap.username == "maren@posteo.de"


XML = """<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="x">
<incomingServer type="pop3"><hostname>pop.x</hostname><port>995</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap"><hostname>{host}</hostname><port>{port}</port><socketType>{tls}</socketType>
<username>{user}</username><authentication>OAuth2</authentication><authentication>password-cleartext</authentication>
</incomingServer></emailProvider></clientConfig>"""


@pytest.mark.parametrize(
    ("host", "port", "tls", "user", "expected"),
    [
        ("i.x.example", "993", "SSL", "%EMAILLOCALPART%", ("i.x.example", 993, Tls.IMPLICIT, "maren")),
        ("i.x.example", "143", "STARTTLS", "%EMAILLOCALPART%.%EMAILDOMAIN%",
         ("i.x.example", 143, Tls.STARTTLS, "maren.holt.example")),
        (" i.%x ", "993", "SSL", "x", None),
        ("i.x.example", "993", "SSL", "%REALNAME%", ("i.x.example", 993, Tls.IMPLICIT, ADDRESS)),
        ("i.x.example", "143", "plain", "x", None),  # cleartext is never chosen by itself
        ("i.x.example", "0", "SSL", "x", None),
        ("i.x.example", "99999", "SSL", "x", None),
        ("127.1", "993", "SSL", "x", ("127.0.0.1", 993, Tls.IMPLICIT, "x")),  # the guard decides later
        ("a b", "993", "SSL", "x", None),
    ],
)  # fmt: skip
def test_autoconfig_fields(host, port, tls, user, expected):
    server = parse_autoconfig(XML.format(host=host, port=port, tls=tls, user=user).encode(), ADDRESS).imap
    if expected is None:
        assert server is None
        return
    assert server is not None
    endpoint = server.endpoint
    assert (endpoint.host, endpoint.port, endpoint.tls, server.username) == expected
    assert server.takes_password
    assert server.takes_oauth


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"not xml",
        b"<a>",
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<a>&undefined;</a>",
        b'<?xml version="1.0" encoding="x-unknown"?><a/>',
        b"<a>" * 17 + b"</a>" * 17,
        b"<a>" + b"<b/>" * 2_000 + b"</a>",
        b"<a>" + b" " * MAX_OCTETS + b"</a>",
        b"\xff\xfe\x00",
    ],
)
def test_hostile_files_are_refused(octets):
    with pytest.raises(ProtocolError):
        parse_autoconfig(octets, ADDRESS)


def test_guesses_have_tls():
    for group in guesses("holt.example"):
        assert group[0].tls is Tls.IMPLICIT
        assert all(endpoint.tls is not Tls.NONE for endpoint in group)


@pytest.mark.parametrize(
    ("address", "domain"), [("a@Büro.example", "xn--bro-hoa.example"), ('"a@b"@c.example', "c.example")]
)
def test_the_domain_of_an_address(address, domain):
    assert domain_of(address) == domain


@pytest.mark.parametrize("address", ["", "a", "@b.example", "a b@c.example", "a@", "a@b\r\n.example", "a@b/c"])
def test_what_has_no_domain(address):
    with pytest.raises(ValueError):
        domain_of(address)


@pytest.mark.parametrize(
    ("host", "origin", "needs"),
    [
        ("mail.holt.example", Origin.SRV, False),
        ("holt.example", Origin.SRV, False),
        ("imap.fastmail.com", Origin.SRV, False),  # a provider we know
        ("mail.elsewhere.example", Origin.SRV, True),
        ("notholt.example", Origin.SRV, True),
        ("mail.elsewhere.example", Origin.AUTOCONFIG, False),  # the domain's own https says so
    ],
)
def test_a_password_goes_to_strangers_only_after_a_look(host, origin, needs):
    half = Half(Endpoint(host, 993), ADDRESS, origin)
    assert Found(ADDRESS, half, None).needs_a_look is needs
