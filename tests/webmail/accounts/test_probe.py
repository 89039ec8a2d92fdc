"""Both logins tried against real servers; each fault is named at its step (E2)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from app import runtime
from app.accounts.addresses import GuardPolicy
from app.accounts.door import CertificateFacts, Record, Service, Step
from app.accounts.endpoint import Credentials, Endpoint, Tls
from app.accounts.probe import Report, examine, steps_in_order
from app.errors import (
    ActionRefused,
    AddressRefused,
    ConnectionLost,
    ConnectionRefused,
    LoginRefused,
    MailError,
    NameNotFound,
    NotAMailServer,
    StarttlsNotOffered,
    TimedOut,
    TlsFailed,
)
from app.resolver import ZoneResolver
from tests.servers import smtp_sink as sink

HOME = GuardPolicy.of("127.0.0.1", "")
ZONE = ZoneResolver({("mail.example.org", "A"): ["127.0.0.1"], ("inner.example.org", "A"): ["10.0.0.1"]})


@pytest.fixture
def trusting(sqlite_config, clock, authority):
    """A runtime that trusts the test authority."""
    built = runtime.build(replace(sqlite_config, tls_ca_file=str(authority.ca)), clock=clock, resolver=ZONE)
    yield built
    built.dispose()


@pytest.fixture
def account(dovecot, mail_user, smtp_sink):
    """Endpoints and passwords of a mailbox that works."""
    smtp_sink.accounts[mail_user.name] = mail_user.password
    imap = Endpoint("localhost", dovecot.imaps_port, Tls.IMPLICIT)
    smtp = Endpoint("localhost", smtp_sink.port, Tls.STARTTLS)
    return imap, smtp, Credentials(mail_user.name, mail_user.name, mail_user.password, mail_user.password)


def look(parts, account, *, imap=None, smtp=None, given=None, policy=HOME, time_limit_s=15.0) -> Report:
    return examine(
        parts, policy, imap or account[0], smtp or account[1], given or account[2], time_limit_s=time_limit_s
    )


def failure(record) -> tuple[Step, type[MailError]]:
    assert record.failure is not None
    return record.failure.step, type(record.failure.error)


def words_of(record: Record) -> str:
    assert record.failure is not None
    assert record.failure.error is not None
    return record.failure.error.detail


def certificate_of(record: Record) -> CertificateFacts:
    assert record.failure is not None
    assert record.failure.certificate is not None
    return record.failure.certificate


@pytest.mark.servers
def test_a_good_account_passes_every_step(trusting, account):
    report = look(trusting, account)
    assert report.works, report.failure
    assert [step.step for step in report.imap.steps] == list(Step)
    assert [step.step for step in report.smtp.steps] == [
        Step.NAME, Step.CONNECTION, Step.GREETING, Step.ENCRYPTION, Step.LOGIN,
    ]  # fmt: skip
    certificate = next(step.certificate for step in report.imap.steps if step.certificate)
    assert "localhost" in certificate.names
    assert certificate.version.startswith("TLSv1")
    assert "IDLE" in report.imap.extensions


@pytest.mark.servers
def test_starttls_for_reading(trusting, account, dovecot):
    assert look(trusting, account, imap=Endpoint("localhost", dovecot.imap_port, Tls.STARTTLS)).works


@pytest.mark.servers
def test_a_wrong_password_keeps_the_servers_words(trusting, account, smtp_sink):
    smtp_sink.login_reply = "534 5.7.9 Application-specific password required"
    report = look(trusting, account, given=replace(account[2], imap_password="no", smtp_password="no"))
    assert failure(report.imap) == (Step.LOGIN, LoginRefused)
    assert failure(report.smtp) == (Step.LOGIN, LoginRefused)
    assert "Application-specific password required" in words_of(report.smtp)
    assert "Authentication failed" in words_of(report.imap)


@pytest.mark.servers
def test_reading_works_and_sending_is_refused(trusting, account):
    report = look(trusting, account, given=replace(account[2], smtp_password="other"))
    assert report.imap.failure is None
    assert report.failed is report.smtp
    assert failure(report.smtp) == (Step.LOGIN, LoginRefused)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("host", "policy", "step", "error"),
    [
        ("nowhere.example.org", HOME, Step.NAME, NameNotFound),
        ("inner.example.org", HOME, Step.NAME, AddressRefused),
        ("localhost", GuardPolicy(), Step.NAME, AddressRefused),
        ("2130706433", GuardPolicy(), Step.NAME, AddressRefused),
        ("mail.example.org", HOME, Step.ENCRYPTION, TlsFailed),  # the certificate is for localhost
    ],
)
def test_hosts_that_cannot_be_used(trusting, account, host, policy, step, error):
    report = look(trusting, account, imap=replace(account[0], host=host), policy=policy)
    assert failure(report.imap) == (step, error)


@pytest.mark.servers
def test_another_hosts_certificate_is_described(trusting, account):
    report = look(trusting, account, imap=replace(account[0], host="mail.example.org"))
    assert "another host" in words_of(report.imap)
    assert "localhost" in certificate_of(report.imap).names


@pytest.mark.servers
def test_ports_that_are_wrong(trusting, account, dovecot, smtp_sink, free_port):
    tls_to_plain = Endpoint("localhost", dovecot.imap_port, Tls.IMPLICIT)
    plain_to_tls = Endpoint("localhost", dovecot.imaps_port, Tls.STARTTLS)
    smtp_for_imap = Endpoint("localhost", smtp_sink.port, Tls.STARTTLS)
    for imap, step, error, words in (
        (tls_to_plain, Step.ENCRYPTION, TlsFailed, "does not speak TLS"),
        (plain_to_tls, Step.GREETING, NotAMailServer, "expects TLS from the start"),
        (smtp_for_imap, Step.GREETING, NotAMailServer, "an SMTP server answers"),
        (Endpoint("localhost", free_port()), Step.CONNECTION, ConnectionRefused, "127.0.0.1"),
    ):
        report = look(trusting, account, imap=imap)
        assert failure(report.imap) == (step, error)
        assert words in words_of(report.imap)
    imap_for_smtp = Endpoint("localhost", dovecot.imap_port, Tls.STARTTLS)
    assert failure(look(trusting, account, smtp=imap_for_smtp).smtp) == (Step.GREETING, NotAMailServer)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"expired": True}, "expired"),
        ({"self_signed": True}, "signed by itself"),
        ({"hosts": ("other.example.org",)}, "another host"),
    ],
)
@pytest.mark.parametrize("tls", [Tls.IMPLICIT, Tls.STARTTLS])
def test_faults_of_certificates(trusting, account, authority, fault, words, tls):
    certificate = authority.issue(*fault.get("hosts", ()), **{k: v for k, v in fault.items() if k != "hosts"})
    with sink.serve(certificate, tls=tls) as server:
        report = look(trusting, account, smtp=Endpoint("localhost", server.port, tls))
    assert failure(report.smtp) == (Step.ENCRYPTION, TlsFailed)
    assert words in words_of(report.smtp)
    if words == "expired":
        assert certificate_of(report.smtp).ends is not None
    assert server.logins == []


@pytest.mark.servers
def test_an_authority_nobody_knows(sqlite_config, clock, account):
    parts = runtime.build(sqlite_config, clock=clock, resolver=ZONE)
    report = look(parts, account)
    parts.dispose()
    assert failure(report.imap) == (Step.ENCRYPTION, TlsFailed)
    assert "authority" in words_of(report.imap)


@pytest.mark.servers
def test_starttls_not_offered(trusting, account):
    with sink.serve(tls=Tls.NONE) as server:
        report = look(trusting, account, smtp=Endpoint("localhost", server.port, Tls.STARTTLS))
    assert failure(report.smtp) == (Step.ENCRYPTION, StarttlsNotOffered)


@pytest.mark.servers
def test_cleartext_only_where_an_admin_allows_it(trusting, account, mail_user):
    with sink.serve(tls=Tls.NONE) as server:
        server.accounts[mail_user.name] = mail_user.password
        plain = Endpoint("localhost", server.port, Tls.NONE)
        assert failure(look(trusting, account, smtp=plain).smtp) == (Step.NAME, StarttlsNotOffered)
        assert server.connections == 0
        allowed = GuardPolicy.of("127.0.0.1", "localhost")
        assert look(trusting, account, smtp=plain, policy=allowed).works


@contextmanager
def talker(*lines: bytes) -> Iterator[int]:
    """A server that says its lines, one for each thing it hears, and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=speak, args=(link,), daemon=True).start()

        def speak(link: socket.socket) -> None:
            with link, suppress(OSError):
                for line in lines:
                    link.sendall(line)
                    if not link.recv(4096):
                        return
                stop.wait(10)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("lines", "step", "error"),
    [
        ((b"HTTP/1.1 400 Bad Request\r\n",), Step.GREETING, NotAMailServer),
        ((b"+OK POP3 ready\r\n",), Step.GREETING, NotAMailServer),
        ((b"* BYE too busy\r\n",), Step.GREETING, NotAMailServer),
        ((b"* OK ready\r\n", b"a BAD what\r\n"), Step.ENCRYPTION, StarttlsNotOffered),
        ((b"* OK ready\r\n", b"a NO not here\r\n"), Step.ENCRYPTION, StarttlsNotOffered),
        ((b"* OK ready\r\n", b"a OK begin\r\na OK injected\r\n"), Step.ENCRYPTION, TlsFailed),  # RFC 3207 §6
        ((b"* OK ready\r\n", b"a OK begin\r\n", b"not TLS at all, but text\r\n"), Step.ENCRYPTION, TlsFailed),
        ((), Step.GREETING, TimedOut),
    ],
)
def test_servers_that_say_something_else(trusting, account, lines, step, error):
    with talker(*lines) as port:
        report = look(trusting, account, imap=Endpoint("localhost", port, Tls.STARTTLS), time_limit_s=2)
    assert failure(report.imap) == (step, error)
    assert report.smtp.failure is None


@pytest.mark.servers
def test_a_server_that_hangs_up(trusting, account):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        closer = threading.Thread(target=_accept_and_close, args=(server, 4), daemon=True)
        closer.start()
        report = look(trusting, account, imap=Endpoint("localhost", port))
    assert failure(report.imap)[0] is Step.ENCRYPTION
    assert failure(report.imap)[1] in (ConnectionLost, TlsFailed)


def _accept_and_close(server: socket.socket, times: int) -> None:
    for _ in range(times):
        try:
            link, _ = server.accept()
        except OSError:
            return
        link.close()


@pytest.mark.servers
def test_an_inbox_that_does_not_open_is_a_missing_right(trusting, account):
    """A server whose login works and whose INBOX does not (ACL, a broken store)."""
    lines = (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", b"")
    replies = {"LOGIN": "OK [CAPABILITY IMAP4rev1] in", "LIST": "OK listed", "EXAMINE": "NO [NOPERM] not yours"}
    with scripted_imap(lines[0], replies) as port:
        allowed = GuardPolicy.of("127.0.0.1", "localhost")
        report = look(trusting, account, imap=Endpoint("localhost", port, Tls.NONE), policy=allowed)
    assert failure(report.imap) == (Step.FOLDERS, ActionRefused)
    assert "not yours" in words_of(report.imap)


@contextmanager
def scripted_imap(greeting: bytes, replies: dict[str, str]) -> Iterator[int]:
    """An IMAP server that answers each command by its first word."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                with link, link.makefile("rb") as heard:
                    link.sendall(greeting)
                    for line in heard:
                        tag, command = line.decode().split()[:2]
                        link.sendall(f"{tag} {replies.get(command.upper(), 'OK done')}\r\n".encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_steps_not_taken_are_told(trusting):
    """Nothing listens: the later steps are there, untried, in their order."""
    nothing = Endpoint("nowhere.example.org", 993, Tls.STARTTLS)
    report = examine(trusting, HOME, nothing, replace(nothing, port=587), Credentials("a", "a", "b", "b"))
    shown = steps_in_order(report.imap)
    assert shown[0] is report.imap.steps[0]
    assert list(shown[1:]) == [Step.CONNECTION, Step.GREETING, Step.ENCRYPTION, Step.LOGIN, Step.FOLDERS]
    assert report.smtp.service is Service.SMTP
