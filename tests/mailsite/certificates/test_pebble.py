"""Certificates from a real authority: the challenge fetched from our own web application, the chain put in place."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from app.mail_services.modes import Mode
from app.resolver import ZoneResolver
from mailsite_ext.certificates import service
from mailsite_ext.certificates.authority import NotIssued
from mailsite_ext.certificates.models import CertificateChallenge
from mailsite_ext.certificates.service import Wanted, find_order
from mailsite_ext.certificates.worker import Worker
from mailsite_ext.listeners.tls import CertificateFiles
from mailsite_ext.settings.certificate import certificate_files, load_certificate, tls_context
from mailsite_ext.settings.posture import CertificateState
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings
from tests.servers import name_server, pebble
from tests.servers.name_server import Zone

pytestmark = pytest.mark.servers
HOST, FURTHER = "mail.example.org", "mta-sts.example.org"
HERE = ["127.0.0.1"]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments):
        """Tests look at what is asked."""


@contextmanager
def web(app) -> Iterator[int]:
    """The application, for the authority to fetch from; its port."""
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def config(sqlite_config, authority):
    return replace(sqlite_config, public_url=f"https://{HOST}", tls_ca_file=str(authority.ca))


@pytest.fixture
def zone():
    """What the authority sees."""
    return Zone({(name, "A"): HERE for name in (HOST, FURTHER, "autoconfig.example.org", "autodiscover.example.org")})


@pytest.fixture
def ca(app, zone, authority, tmp_path):
    with (
        web(app) as port,
        name_server.serve(zone) as address,
        pebble.serve(authority, tmp_path, address, port, PEBBLE_WFE_NONCEREJECT="0") as found,
    ):
        yield found


@pytest.fixture
def order(parts, db, set_mode, clock, ca):
    """Saves what is wanted and takes a turn; `seen`: names that lead here, as we see it."""
    set_mode(Mode.MAILSITE)
    store_settings(db, Settings(domains=("example.org",)))
    clock.advance((datetime.now(UTC) - clock.now()).total_seconds())

    def order(*seen, **changes):
        wanted = Wanted(True, changes.get("directory", ca.directory), changes.get("contact", ""))
        service.save(db, wanted, clock.now())
        service.ask(db, clock.now())
        resolver = ZoneResolver({(name, "A"): HERE for name in seen})
        Worker(replace(parts, resolver=resolver), lambda: 0.0).round()
        db.expire_all()
        return find_order(db)

    return order


def test_a_certificate_is_had_and_used(order, parts, db, clock):
    done = order(HOST, FURTHER, contact="postmaster@example.org")
    assert done.words == ""
    assert done.left_out == "autoconfig.example.org,autodiscover.example.org"
    (file,) = certificate_files(parts.config)
    assert oct(file.stat().st_mode)[-3:] == "600"
    assert all(oct(path.stat().st_mode)[-3:] == "600" for path in file.parent.glob("*.pem"))
    used = load_certificate(parts.config, clock.now())
    assert used.state is CertificateState.VALID
    assert sorted(used.names) == [HOST, FURTHER]
    life = used.expires_at - clock.now()
    assert abs(done.renew_at - clock.now() - life * 2 / 3) < timedelta(hours=1)
    assert done.turn_until is None
    assert db.query(CertificateChallenge).count() == 2, "what has been answered goes within the hour"


def test_a_listener_takes_the_next_one_without_a_pause(order, parts, ca):
    order(HOST)
    files = certificate_files(parts.config)
    held = CertificateFiles(lambda: tls_context(files), files)
    before = subject_names(held())
    order(HOST, FURTHER)
    assert before != subject_names(held()), "a name came: another certificate"
    assert FURTHER in subject_names(held())
    assert ca.log.read_text().count("accounts in memory") == 1, "the same account orders again"


def subject_names(context):
    """What a client is shown by a listener with this context."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(back, there, server_hostname=HOST)
    answering = context.wrap_bio(there, back, server_side=True)
    for side in (asking, answering, asking, answering):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return str(asking.getpeercert(binary_form=True))


def test_nothing_is_ordered_twice(order, parts, ca):
    order(HOST)
    (file,) = certificate_files(parts.config)
    before = file.read_bytes()
    said = len(ca.log.read_text())
    order(HOST)
    assert file.read_bytes() == before
    assert len(ca.log.read_text()) == said, "nobody was asked"


def test_one_name_that_cannot_be_verified_does_not_cost_the_others_theirs(order, parts, zone, clock):
    """We see it lead here, the authority does not."""
    zone.records = {key: found for key, found in zone.records.items() if key[0] != FURTHER}
    done = order(HOST, FURTHER)
    assert done.words == ""
    assert FURTHER in done.left_out.split(",")
    assert load_certificate(parts.config, clock.now()).names == (HOST,)


def test_a_mail_host_that_cannot_be_verified_fails_the_order(order, parts, zone, clock):
    zone.records = {}
    done = order(HOST, FURTHER)
    assert HOST in done.words
    assert (done.failures, certificate_files(parts.config)) == (1, [])
    assert done.next_at == clock.now() + timedelta(hours=1)


def test_an_authority_that_is_not_trusted_is_told_nothing(order, ca, parts):
    config = replace(parts.config, tls_ca_file="")
    with pytest.raises(NotIssued, match="SSL"):
        Worker(replace(parts, config=config))._authority(order()).order([HOST], b"")
