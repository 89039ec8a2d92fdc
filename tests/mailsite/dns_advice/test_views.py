"""The panel against an authoritative name server on loopback: missing, wrong, double, split, right, failing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from app import runtime
from app.errors import ServerUnreachable, TlsFailed
from app.machines.models import Machine, MachineService, MailHome, ServiceState
from app.mail_services.modes import Mode as Services
from app.resolver import DnsResolver
from mailsite_ext.authentication.key_states import record_of
from mailsite_ext.authentication.signing_keys import SigningKeys
from mailsite_ext.delivery.models import DeliveryAttempt, QueuedMessage
from mailsite_ext.dns_advice.facts import get_known
from mailsite_ext.dns_advice.look import look
from mailsite_ext.dns_advice.records import in_pieces, records_of
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Posture, Settings
from tests.conftest import START
from tests.servers import name_server

PAGE = "/admin/dns/example.org"
ADDRESS = "8.8.4.4"  # of the mail host, public


@pytest.fixture
def config(sqlite_config, authority):
    """The database does not matter here."""
    issued = authority.issue("mail.example.org")
    return replace(sqlite_config, tls_certificate_file=str(issued.chain), tls_key_file=str(issued.key))


@pytest.fixture
def zone():
    return name_server.Zone({})


@pytest.fixture
def parts(config, clock, zone):
    with name_server.serve(zone) as address:
        built = runtime.build(config, clock=clock, resolver=DnsResolver(address))
        yield built
        built.dispose()


@pytest.fixture(autouse=True)
def policy_server(monkeypatch):
    """What is fetched as the policy: octets, or an error.  HTTPS itself is test_policy_cache.py's."""
    answers = {}

    def fetch(domain):
        answer = answers.get(domain, ServerUnreachable("nobody answers"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("mailsite_ext.dns_advice.look.PolicyFetcher", lambda *_, **__: fetch)
    return answers


@pytest.fixture
def hosting(db, set_mode):
    """Hosting example.org and example.net, with listeners that run."""

    def hosting(posture=Posture.REQUIRE, **values):
        named = {"domains": ("example.org", "example.net"), "posture": posture, "expose": True, "starttls": True}
        store_settings(db, Settings(**named | values))
        db.commit()

    set_mode(Services.MAILSITE)
    hosting()
    machine = Machine(uuid="u" * 36, name="mx", work_uuid="w" * 36, addresses=f"{ADDRESS}, 10.0.0.1")
    db.add(machine)
    db.flush()
    db.add(
        MachineService(machine_id=machine.id, kind="smtp", state=ServiceState.RUNNING, settings={"posture": "require"})
    )
    db.commit()
    return hosting


@pytest.fixture
def key(parts, hosting):
    return SigningKeys(parts.config, parts.clock).generate("example.org")


@pytest.fixture
def ada(admin, browser_of):
    return browser_of(admin)


@pytest.fixture
def states(parts, hosting):
    """The state of each record, by row and name."""

    def states():
        with parts.public.session() as db:
            known = get_known(parts, db, "example.org")
        return {(one.record.row.value, one.record.name): one.state.value for one in look(parts, known).checks}

    return states


@pytest.fixture
def publish(parts, hosting, zone):
    """Everything as it is suggested, long texts split."""

    def publish():
        with parts.public.session() as db:
            known = get_known(parts, db, "example.org")
        for record in records_of(known.facts):
            data = [in_pieces(value) if record.kind == "TXT" else value for value in record.values]
            if data and record.obstacle is None:
                zone.records[record.name, record.kind] = data

    return publish


def test_nothing_is_published(states, key):
    assert set(states().values()) == {"missing"}


def test_all_is_right_as_suggested(states, key, publish, ada):
    publish()
    assert set(states().values()) == {"right"}
    page = ada.get(PAGE).text
    assert "Right" in page
    assert "Do this next" not in page
    assert "Missing" not in re.sub(r"(?s)Beyond DNS.*", "", page)


WRONG = {
    ("example.org", "TXT"): '"v=spf1 include:_spf.oldhost.example -all"',
    ("_dmarc.example.org", "TXT"): '"v=DMARC1; p=nothing"',
    ("_mta-sts.example.org", "TXT"): '"v=STSv1; id=1;"',
    ("mta-sts.example.org", "CNAME"): "elsewhere.example.",
    ("example.org", "MX"): "10 mx.oldhost.example.",
    ("mail.example.org", "A"): "9.9.9.9",
    ("4.4.8.8.in-addr.arpa", "PTR"): "pool-8-8-4-4.isp.example.",
    ("_smtp._tls.example.org", "TXT"): '"v=TLSRPTv1;"',
    ("_imap._tcp.example.org", "SRV"): "0 1 994 mail.example.org.",
    ("autoconfig.example.org", "CNAME"): "elsewhere.example.",
}


@pytest.mark.parametrize("question", WRONG)
def test_each_record_wrong(states, key, publish, zone, ada, question):
    publish()
    assert question in zone.records
    zone.records[question] = [WRONG[question]]
    found = states()
    assert [state for (_, name), state in found.items() if state != "right"] == ["wrong"]
    page = ada.get(PAGE).text
    assert WRONG[question].strip('"') in page
    assert page.count("Do this next") == 1


def test_a_key_that_is_another_s(states, key, publish, zone):
    publish()
    other = record_of(replace(key, public=key.public.replace("A", "B")))
    zone.records[f"{key.selector}._domainkey.example.org", "TXT"] = [in_pieces(other)]
    assert states()["dkim", f"{key.selector}._domainkey.example.org"] == "wrong"


DOUBLE = ["example.org", "_dmarc.example.org", "_mta-sts.example.org", "_smtp._tls.example.org"]


@pytest.mark.parametrize("name", DOUBLE)
def test_each_record_that_must_be_alone_doubled(states, key, publish, zone, name):
    publish()
    first = zone.records[name, "TXT"][0]
    zone.records[name, "TXT"] = [first, first[:-1] + ' "', '"something else"']
    assert [state for state in states().values() if state != "right"] == ["several"]
    zone.records[name, "TXT"] = [first, '"something else"']
    assert set(states().values()) == {"right"}, "others' texts beside it do no harm"


@pytest.mark.parametrize("fault", ["failing", "silent"])
def test_what_the_resolver_does_not_answer_cannot_be_told(states, key, publish, zone, ada, fault):
    publish()
    names = ["example.org", "mta-sts.example.org"]
    setattr(zone, fault, names)
    unknown = {row for (row, _), state in states().items() if state == "cannot-tell"}
    assert unknown == {"spf", "mx", "mta-sts-host"}
    assert "Cannot tell" in ada.get(PAGE).text


def test_the_next_one_to_do_follows_the_order(ada, hosting, zone, publish):
    def next_title():
        page = ada.get(PAGE).text
        return re.search(r"<strong>([^<]+)</strong>(?:(?!</summary>).)*Do this next", page, re.DOTALL)[1]

    assert next_title() == "SPF"
    zone.records["example.org", "TXT"] = ['"v=spf1 mx -all"']
    assert next_title() == "DKIM"
    assert ada.post(f"{PAGE}/keys").status_code == 303
    publish()
    del zone.records["_dmarc.example.org", "TXT"]
    del zone.records["example.org", "MX"]
    assert next_title() == "DMARC"


def test_under_allow_insecure_the_policy_rows_wait(ada, hosting, states):
    hosting(Posture.ALLOW)
    found = states()
    assert found["mta-sts", "_mta-sts.example.org"] == found["mta-sts-host", "mta-sts.example.org"] == "waits"
    assert "Not under Allow Insecure" in ada.get(PAGE).text
    assert "_mta-sts" not in ada.get(f"{PAGE}/zone").text


def test_mail_that_is_not_exposed_has_no_services(ada, hosting, states):
    hosting(expose=False)
    assert states()["srv", "_imaps._tcp.example.org"] == "waits"


def test_the_life_of_a_key_on_the_page(ada, hosting, parts, zone, publish):
    keys = SigningKeys(parts.config, parts.clock)

    def shown():
        return {key.selector: key.state.value for key in keys.keys("example.org")}

    assert "Generate a key" in ada.get(PAGE).text
    ada.post(f"{PAGE}/keys")
    assert "Generate the next key" in ada.get(PAGE).text
    ada.post(f"{PAGE}/keys")
    refused = ada.post(f"{PAGE}/keys", follow_redirects=True).text
    assert "a new key waits already" in refused
    assert "Switch to this key" not in refused, "its record is not seen yet"
    assert "is not seen in DNS yet" in ada.post(f"{PAGE}/keys/switch", follow_redirects=True).text
    assert shown() == {"s20261124": "signing", "s20261124-2": "coming"}
    publish()
    assert "Switch to this key" in ada.get(PAGE).text
    ada.post(f"{PAGE}/keys/switch")
    assert shown() == {"s20261124": "aging", "s20261124-2": "signing"}
    assert "this key signs your mail" in ada.post(f"{PAGE}/keys/s20261124-2/retire", follow_redirects=True).text
    ada.post(f"{PAGE}/keys/s20261124/retire")
    assert shown() == {"s20261124": "retired", "s20261124-2": "signing"}
    for path in ("keys/s20261124/retire", "keys/none/retire", "keys/switch"):
        assert ada.post(f"{PAGE}/{path}").status_code == 404


def test_a_private_key_is_never_shown(ada, key, parts):
    secret = (parts.config.work_directory / "security/dkim/example.org" / f"{key.selector}.pem").read_text()
    line = secret.splitlines()[2]
    for path in (PAGE, f"{PAGE}?fragment=1", f"{PAGE}/zone"):
        page = ada.get(path).text
        assert line not in page
        assert "PRIVATE" not in page
        assert key.public in page.replace('" "', "")


def test_keys_that_lie_on_another_machine_are_not_made_here(ada, hosting, db):
    home = MailHome(id=1, work_uuid="e" * 36, machine_name="mx", work_directory="/srv", since=START)
    db.add(home)
    db.commit()
    assert "on the machine that keeps the mail" in ada.get(PAGE).text
    assert ada.post(f"{PAGE}/keys").status_code == 404


@pytest.mark.parametrize("path", ["", "/zone", "/keys", "/keys/switch", "/keys/x/retire"])
@pytest.mark.parametrize("domain", ["other.example", "localhost", "..", "%2e%2e", "example.org%00", "EXAMPLE.ORG"])
def test_another_s_domain_is_none(ada, hosting, path, domain):
    method = ada.post if "keys" in path else ada.get
    assert method(f"/admin/dns/{domain}{path}").status_code in (404, 405)


def test_the_zone_file_is_one(ada, key):
    import dns.zone

    answer = ada.get(f"{PAGE}/zone")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "example.org.zone" in answer.headers["Content-Disposition"]
    soa = "@ 3600 IN SOA ns.example.org. x.example.org. 1 2 3 4 5\n@ 3600 IN NS ns.example.org.\n"
    read = dns.zone.from_text(soa + answer.text, origin="example.org.", relativize=False, check_origin=False)
    texts = read.find_rdataset(f"{key.selector}._domainkey.example.org.", "TXT")
    assert b"".join(texts[0].strings).decode() == record_of(key)
    assert "in-addr.arpa" in answer.text


def test_hostile_records_are_text(ada, hosting, zone):
    hostile = "<script>alert(1)</script>\\000\\027"
    zone.records["example.org", "TXT"] = [f'"v=spf1 {hostile}"', f'"v=spf1 {"x" * 200}" "{"x" * 255}" "{"y" * 255}"']
    page = ada.get(PAGE).text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "\x00" not in page
    assert "y" * 200 not in page


def test_the_fragment_is_the_panel_alone(ada, hosting):
    fragment = ada.get(f"{PAGE}?fragment=1").text
    assert "<html" not in fragment
    assert "SPF" in fragment


def test_without_a_domain_it_says_where_to_name_one(ada, hosting):
    hosting(domains=())
    assert "No mail domain yet" in ada.get("/admin/dns").text
    hosting(domains=("intranet", "[192.0.2.1]"), test_mode=True)
    assert "No mail domain yet" in ada.get("/admin/dns").text


@pytest.mark.parametrize(("blocked", "words"), [(True, "block port 25"), (False, "could connect")])
def test_port_25_is_known_from_deliveries(ada, hosting, db, blocked, words):
    assert "Nothing was delivered" in ada.get(PAGE).text
    message = QueuedMessage(
        token="t",
        mailbox="m",
        sender="a@example.org",
        octets=1,
        is_eight_bit=False,
        needs_utf8=False,
        requires_tls=False,
        ret="",
        envid="",
        is_whole=True,
        has_octets=False,
        queued_at=START,
    )
    db.add(message)
    db.flush()
    db.add(
        DeliveryAttempt(
            message_id=message.id, domain="far.example", begun_at=START, port_25_blocked=blocked, transcript=""
        )
    )
    db.commit()
    page = ada.get(PAGE).text
    assert words in page
    assert "far.example" in page


POLICY = b"version: STSv1\nmode: enforce\nmx: mail.example.org\nmax_age: 604800\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (POLICY, "with a certificate that covers the name"),
        (POLICY.replace(b"enforce", b"testing"), "is not the policy"),
        (TlsFailed("the certificate is for example.org"), "the certificate is for example.org"),
        (ServerUnreachable("192.0.2.1, port 443"), "It cannot be fetched from mta-sts.example.org"),
        (b"<html>", "It cannot be fetched from mta-sts.example.org"),
    ],
)
def test_the_policy_is_fetched_as_senders_do(ada, hosting, policy_server, answer, words):
    policy_server["example.org"] = answer
    assert words in ada.get(PAGE).text


def test_the_certificate_must_stand_for_the_mail_host(ada, hosting):
    assert "Covers mail.example.org." in ada.get(PAGE).text


def test_a_key_whose_file_is_elsewhere_is_said(hosting, ada, config, clock):
    keys = SigningKeys(config, clock)
    made = keys.generate("example.org")
    words = "The key that signs mail is not on this machine"
    assert words not in ada.get(PAGE).text
    (config.work_directory / "security" / "dkim" / "example.org" / f"{made.selector}.pem").unlink()
    page = ada.get(PAGE).text
    assert words in page
    assert f"key {made.selector} is missing" in page
