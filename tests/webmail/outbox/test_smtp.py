"""Handing over to a real SMTP server on loopback."""

from __future__ import annotations

import socket

import pytest

from app.accounts.endpoint import Endpoint, Tls
from app.errors import (
    ConnectionLost,
    ConnectionRefused,
    FateUnknown,
    LoginRefused,
    MailError,
    StarttlsNotOffered,
    SubmissionDeferred,
    SubmissionRefused,
    TimedOut,
    TlsFailed,
)
from app.mail_services.models import MailServices
from app.outbox import service, smtp
from app.outbox.send import send_due
from app.outbox.smtp import Login, SmtpSubmitter
from app.outbox.states import OutboxState
from app.outbox.submitter import Envelope, Reply
from tests.servers.smtp_sink import HANG_UP, serve

LETTER = b"From: a@x.example\r\nSubject: dots\r\n\r\n.\r\n..two\r\nend\r\n"
ENVELOPE = Envelope("1", "alice@example.net", ("bob@example.org",))


def connect(host: str, port: int, timeout_s: float) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout_s)


@pytest.fixture
def submit(authority):
    def submit(sink, envelope=ENVELOPE, login=None, tls=Tls.STARTTLS, host="localhost", message=LETTER):
        login = login or Login("alice", "correct horse")
        submitter = SmtpSubmitter(
            Endpoint(host, sink.port, tls), login, connect=connect, tls=authority.client_context()
        )
        return submitter.submit(envelope, message)

    return submit


@pytest.fixture
def sink(smtp_sink):
    smtp_sink.accounts["alice"] = "correct horse"
    return smtp_sink


def test_accepted_octet_for_octet_after_a_login_under_tls(sink, submit):
    assert submit(sink) == {}
    (received,) = sink.messages
    assert (received.mail_from, received.recipients) == ("alice@example.net", ["bob@example.org"])
    assert received.content == LETTER
    assert sink.logins[0][1] == "alice"


def test_implicit_tls(authority, submit):
    with serve(authority.issue(), tls=Tls.IMPLICIT) as sink:
        sink.accounts["alice"] = "correct horse"
        assert submit(sink, tls=Tls.IMPLICIT) == {}


def test_an_access_token_by_xoauth2(sink, submit):
    sink.tokens["alice"] = "ya29.token"
    assert submit(sink, login=Login("alice", "ya29.token", "xoauth2")) == {}
    assert sink.logins == [("XOAUTH2", "alice")]


@pytest.mark.parametrize("login", [Login("alice", "wrong"), Login("alice", "stale", "xoauth2")])
def test_a_refused_login_says_so_in_the_servers_words(sink, submit, login):
    sink.login_reply = "535 5.7.8 Application-specific password required"
    with pytest.raises(LoginRefused, match="Application-specific password required"):
        submit(sink, login=login)
    assert sink.messages == []


def test_the_login_never_shows_its_secret():
    assert "correct horse" not in repr(Login("alice", "correct horse"))


@pytest.mark.parametrize("tls", [Tls.IMPLICIT, Tls.STARTTLS])
@pytest.mark.parametrize("fault", ["expired", "self_signed", "other host"])
def test_a_certificate_that_does_not_fit_the_typed_name_ends_it(authority, submit, tls, fault):
    wrong = authority.issue("elsewhere.example") if fault == "other host" else authority.issue(**{fault: True})
    with serve(wrong, tls=tls) as sink, pytest.raises(TlsFailed):
        submit(sink, tls=tls)
    assert sink.logins == []


def test_starttls_that_is_not_offered_sends_no_password(submit):
    with serve(None) as sink, pytest.raises(StarttlsNotOffered):
        submit(sink)
    assert sink.logins == []


def test_refused_recipients_are_told_one_by_one(sink, submit):
    sink.refused = {"eve@example.org": "550 5.1.1 No such user", "mel@example.org": "451 4.7.1 Greylisted"}
    everybody = Envelope("1", "alice@example.net", ("bob@example.org", "eve@example.org", "mel@example.org"))
    assert submit(sink, everybody) == {
        "eve@example.org": Reply(550, "5.1.1 No such user"),
        "mel@example.org": Reply(451, "4.7.1 Greylisted"),
    }
    assert sink.messages[0].recipients == ["bob@example.org"]


def test_nobody_accepted_sends_no_octet_of_the_message(sink, submit):
    sink.refused = {"bob@example.org": "550 5.1.1 No such user"}
    assert list(submit(sink)) == ["bob@example.org"]
    assert sink.messages == []


@pytest.mark.parametrize(
    ("setting", "value", "error", "words"),
    [
        ("refused_senders", {"alice@example.net": "553 5.7.1 Not yours"}, SubmissionRefused, "553 5.7.1 Not yours"),
        ("refused_senders", {"alice@example.net": "451 4.3.0 Later"}, SubmissionDeferred, "451 4.3.0 Later"),
        ("data_reply", "552 5.3.4 Too big", SubmissionRefused, "552 5.3.4 Too big"),
        ("data_reply", "452 4.2.2 Mailbox full", SubmissionDeferred, "452 4.2.2 Mailbox full"),
    ],
)
def test_refusals_come_with_the_servers_words(sink, submit, setting, value, error, words):
    setattr(sink, setting, value)
    with pytest.raises(error, match=words):
        submit(sink)


def test_no_reply_after_the_last_octet_is_an_unknown_fate(sink, submit):
    sink.data_reply = HANG_UP
    with pytest.raises(FateUnknown):
        submit(sink)
    assert len(sink.messages) == 1


def test_letters_outside_ascii_before_the_at(sink, submit):
    envelope = Envelope("1", "alice@example.net", ("jürgen@xn--mnchen-3ya.example",), needs_smtputf8=True)
    assert submit(sink, envelope) == {}
    assert sink.messages[0].recipients == ["jürgen@xn--mnchen-3ya.example"]


def test_commands_cannot_be_smuggled_into_an_address(sink, submit):
    evil = Envelope("1", "alice@example.net", ("bob@example.org>\r\nRCPT TO:<eve@example.org",))
    with pytest.raises(MailError):
        submit(sink, evil)
    assert sink.messages == []


class Silent:
    """A server that takes the connection and then behaves as told."""

    def __init__(self, *lines: bytes) -> None:
        self._lines = lines
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._listener.close()
        self.taken.close()

    def connect(self, _host, port, timeout_s):
        ours = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.taken, _address = self._listener.accept()
        for line in self._lines:
            self.taken.sendall(line)
        if not self._lines or self._lines[-1] != b"250 hello\r\n":
            self.taken.shutdown(socket.SHUT_WR)
        return ours


@pytest.mark.parametrize("lines", [(), (b"220 ready\r\n",), (b"HTTP/1.1 400 Bad Request\r\n",), (b"\xff\xfe\r\n" * 9,)])
def test_a_peer_that_is_no_mail_server_is_a_foreseen_fault(authority, lines):
    with Silent(*lines) as peer:
        endpoint = Endpoint("localhost", peer.port, Tls.NONE)
        submitter = SmtpSubmitter(endpoint, Login("", ""), connect=peer.connect, tls=authority.client_context())
        with pytest.raises(MailError) as fault:
            submitter.submit(ENVELOPE, LETTER)
    assert not isinstance(fault.value, (FateUnknown, SubmissionRefused))


def test_a_silent_peer_costs_a_time_out(authority, monkeypatch):
    monkeypatch.setattr(smtp, "REPLY_TIMEOUT_S", 0.2)
    with Silent(b"220 ready\r\n", b"250 hello\r\n") as peer:
        endpoint = Endpoint("localhost", peer.port, Tls.NONE)
        submitter = SmtpSubmitter(endpoint, Login("", ""), connect=peer.connect, tls=authority.client_context())
        with pytest.raises((TimedOut, ConnectionLost)):
            submitter.submit(ENVELOPE, LETTER)


def test_a_port_where_nobody_listens(db, parts, account, write, send, clock, free_port):
    db.add(MailServices(id=1, private_hosts="localhost"))
    account.smtp_host, account.smtp_port = "localhost", free_port()
    account.sealed_smtp_password = parts.vault.seal(f"mail_account.smtp_password:{account.uuid}", "correct horse")
    account.sealed_imap_password = parts.vault.seal(f"mail_account.imap_password:{account.uuid}", "correct horse")
    db.commit()
    outgoing = send(write())
    clock.advance(10)
    send_due(parts, account, outgoing)
    db.refresh(outgoing)
    assert outgoing.state is OutboxState.HELD
    assert outgoing.error.startswith(ConnectionRefused.__name__)


def test_through_guard_and_vault(db, parts, account, write, send, clock, sink, authority, monkeypatch):
    context = authority.client_context()
    monkeypatch.setattr("app.outbox.submitters.client_context", lambda _ca_file: context)
    outgoing = _sent_through(sink, db, parts, account, write, send, clock, allowed="localhost")
    assert outgoing.state is OutboxState.ACCEPTED
    assert b"Subject: Proofs" in sink.messages[0].content


def test_a_private_address_the_admin_has_not_listed_is_not_connected_to(db, parts, account, write, send, clock, sink):
    outgoing = _sent_through(sink, db, parts, account, write, send, clock, allowed="")
    assert (outgoing.state, sink.connections) == (OutboxState.HELD, 0)
    assert outgoing.error.startswith("AddressRefused")


def test_without_tls_nothing_goes_out_unless_the_admin_allows_it(db, parts, account, write, send, clock, sink):
    account.smtp_tls = Tls.NONE
    outgoing = _sent_through(sink, db, parts, account, write, send, clock, allowed="localhost", tls=Tls.NONE)
    assert (outgoing.error.split(":")[0], sink.connections) == ("StarttlsNotOffered", 0)


def _sent_through(sink, db, parts, account, write, send, clock, *, allowed, tls=Tls.STARTTLS):
    db.add(MailServices(id=1, private_hosts=allowed))
    account.smtp_host, account.smtp_port, account.smtp_tls = "localhost", sink.port, tls
    account.smtp_username = "alice"
    for field in ("imap", "smtp"):
        sealed = parts.vault.seal(f"mail_account.{field}_password:{account.uuid}", "correct horse")
        setattr(account, f"sealed_{field}_password", sealed)
    db.commit()
    outgoing = send(write())
    clock.advance(10)
    (due,) = service.due(db, account.id, clock.now())
    send_due(parts, account, due)
    db.refresh(outgoing)
    return outgoing
