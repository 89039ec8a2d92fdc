"""Account Registration (N3): the policy, the way mails leave, and a test that names the step that failed."""

import os
import socket
import threading
from contextlib import contextmanager

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from app.accounts.endpoint import Tls
from app.errors import MailError, ServerUnreachable
from app.mail_services.models import NoticeTransport, RegistrationPolicy
from app.notices import sendmail as sendmail_module
from app.notices import service
from app.notices.notice import Notice, as_message
from app.notices.views import failure_words
from tests.conftest import START

FORM = {
    "policy": "off",
    "transport": "smtp",
    "from_address": "site@example.org",
    "smtp_host": "127.0.0.1",
    "smtp_port": "25",
    "smtp_tls": "none",
    "smtp_username": "",
    "smtp_password": "",
}
PASSWORD = "the site's password"


@pytest.fixture
def config(sqlite_config):
    """The database does not matter here."""
    return sqlite_config


def save(ada, do="save", **form):
    return ada.post("/admin/registration", data={**FORM, **form, "do": do}, follow_redirects=True)


def stored(db):
    db.rollback()
    db.expire_all()
    return service.load_registration(db)


def test_settings_are_stored_and_the_password_sealed(ada, db, parts):
    page = save(ada, policy="approval", smtp_username="site", smtp_password=PASSWORD, smtp_tls="starttls").text
    row = stored(db)
    assert (row.policy, row.transport) == (RegistrationPolicy.APPROVAL, NoticeTransport.SMTP)
    assert (row.smtp_tls, row.smtp_port) == (Tls.STARTTLS, 25)
    assert parts.vault.open_text(service.password_seal(row), row.sealed_smtp_password) == PASSWORD
    assert PASSWORD not in page
    assert "One is stored" in page


def test_an_empty_password_keeps_the_stored_one(ada, db, parts):
    save(ada, smtp_username="site", smtp_password=PASSWORD)
    save(ada, smtp_username="site", smtp_port="587")
    row = stored(db)
    assert parts.vault.open_text(service.password_seal(row), row.sealed_smtp_password) == PASSWORD


@pytest.mark.parametrize("change", [{"smtp_host": "evil.example"}, {"smtp_username": "other"}])
def test_a_stored_password_goes_to_no_other_server_or_name(ada, db, change):
    save(ada, smtp_username="site", smtp_password=PASSWORD)
    save(ada, **{"smtp_username": "site", **change})
    assert stored(db).sealed_smtp_password is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"policy": "activation", "transport": "none"},
        {"from_address": "nobody"},
        {"from_address": "a@example.org\r\nBcc: all@example.org"},
        {"smtp_host": ""},
        {"smtp_host": "two hosts"},
        {"smtp_port": "0"},
        {"smtp_port": "70000"},
        {"smtp_port": "x"},
        {"smtp_tls": "maybe"},
        {"policy": "all"},
    ],
)
def test_what_cannot_be_is_refused_and_not_stored(ada, db, wrong):
    assert ada.post("/admin/registration", data={**FORM, **wrong}).status_code == 422
    assert stored(db).from_address == ""


def test_a_form_without_mail_needs_no_server(ada, db):
    assert save(ada, transport="none", from_address="", smtp_host="").status_code == 200
    assert stored(db).transport == NoticeTransport.NONE


class Handler:
    """Keeps what arrives; `refuses` names the step it says no at."""

    def __init__(self, refuses=""):
        self.refuses = refuses
        self.messages = []

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        envelope.mail_from = address
        return "550 5.7.1 not from you" if self.refuses == "sender" else "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        envelope.rcpt_tos.append(address)
        return "550 5.1.1 nobody of that name" if self.refuses == "recipient" else "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.messages.append(envelope)
        return "554 5.6.0 smells of spam" if self.refuses == "message" else "250 OK"


@contextmanager
def smtp_server(handler, port, **options):
    controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@contextmanager
def answering(port, greeting):
    """A server that says one thing and closes; or nothing, where there is nothing to say."""
    with socket.create_server(("127.0.0.1", port)) as server:

        def answer():
            link, _ = server.accept()
            link.sendall(greeting)
            link.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield port
        thread.join(5)


def test_the_test_mail_arrives(ada, free_port, admin):
    handler = Handler()
    with smtp_server(handler, free_port()) as port:
        page = save(ada, "test", smtp_port=str(port)).text
    (envelope,) = handler.messages
    assert (envelope.mail_from, envelope.rcpt_tos) == ("site@example.org", [admin.email])
    assert b"Auto-Submitted: auto-generated" in envelope.content
    assert "was accepted" in page


@pytest.mark.parametrize(
    ("refuses", "words"),
    [("sender", "not from you"), ("recipient", "nobody of that name"), ("message", "smells of spam")],
)
def test_a_refusal_is_shown_in_the_servers_words(ada, free_port, refuses, words):
    with smtp_server(Handler(refuses), free_port()) as port:
        page = save(ada, "test", smtp_port=str(port)).text
    assert "the server refused the mail" in page
    assert words in page


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_wrong_password_is_told_from_a_refused_mail(ada, free_port):
    login: dict[str, object] = {"auth_required": True, "auth_require_tls": False}
    login["authenticator"] = lambda *_: AuthResult(success=False, handled=False, message="535 5.7.8 who are you")
    with smtp_server(Handler(), free_port(), **login) as port:
        page = save(ada, "test", smtp_port=str(port), smtp_username="site", smtp_password=PASSWORD).text
    assert "refused the login" in page
    assert PASSWORD not in page


def test_no_starttls_is_named(ada, free_port):
    with smtp_server(Handler(), free_port()) as port:
        assert "does not offer STARTTLS" in save(ada, "test", smtp_port=str(port), smtp_tls="starttls").text


def test_a_certificate_nobody_vouches_for_is_named(ada, free_port, authority):
    context = authority.issue("127.0.0.1", self_signed=True).server_context()
    with smtp_server(Handler(), free_port(), ssl_context=context) as port:
        page = save(ada, "test", smtp_port=str(port), smtp_tls="implicit").text
    assert "the encrypted connection failed" in page
    assert "self-signed certificate" in page


def test_nobody_there_is_named(ada, free_port):
    assert "refuses connections on this port" in save(ada, "test", smtp_port=str(free_port())).text


def test_another_protocol_is_named(ada, free_port):
    with answering(free_port(), b"* OK IMAP4rev1 ready\r\n") as port:
        page = save(ada, "test", smtp_port=str(port)).text
    assert "does not speak SMTP" in page


def test_silence_ends_with_a_time_out(ada, free_port, monkeypatch):
    monkeypatch.setattr(service, "CHECK_LIMIT_S", 0.2)
    with socket.create_server(("127.0.0.1", free_port())) as server:
        page = save(ada, "test", smtp_port=str(server.getsockname()[1])).text
    assert "did not answer within 15 seconds" in page


def test_a_name_without_address_is_named(ada):
    assert "unknown to DNS" in save(ada, "test", smtp_host="nowhere.example").text


@pytest.fixture
def sendmail(tmp_path, monkeypatch):
    """A sendmail that keeps its arguments and input, and ends as told."""

    def sendmail(script='printf "%s\\n" "$@" > "$0.args"; cat > "$0.mail"'):
        program = tmp_path / "bin" / "sendmail"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        return program

    return sendmail


def test_sendmail_gets_the_mail_and_addresses_as_arguments(ada, admin, sendmail):
    program = sendmail()
    assert "was accepted" in save(ada, "test", transport="sendmail").text
    arguments = program.with_suffix(".args").read_text().split("\n")
    assert arguments[:-1] == ["-i", "-f", "site@example.org", "--", admin.email]
    assert b"Subject: Test mail from Satchel" in program.with_suffix(".mail").read_bytes()


def test_a_failing_sendmail_is_quoted(ada, sendmail):
    sendmail("echo 'queue is full' >&2; exit 75")
    assert "queue is full" in save(ada, "test", transport="sendmail").text


def test_a_missing_sendmail_is_named(ada, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sendmail_module, "USUAL_PLACES", str(tmp_path))
    assert "no sendmail program" in save(ada, "test", transport="sendmail").text


def test_every_fault_has_words(app):
    with app.test_request_context():
        for kind in ServerUnreachable.__subclasses__():
            fault: MailError = kind("x")
            assert failure_words(fault).startswith("Not sent")


@pytest.mark.parametrize("field", ["to", "subject"])
def test_no_header_can_be_injected(field):
    values = {"to": "a@example.org", "subject": "s", "text": "t", field: "x\r\nBcc: all@example.org"}
    with pytest.raises(ValueError):
        as_message(Notice(**values), "site@example.org", START)


def test_without_a_way_nothing_is_sent(parts):
    with pytest.raises(MailError):
        service.send(parts, Notice("a@example.org", "s", "t"))
