"""Opening sessions: protection, passwords and tokens, and every way it can fail, told apart."""

from __future__ import annotations

import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest

from app.accounts.endpoint import Credentials, Endpoint, Tls
from app.errors import (
    BadInput,
    ConnectionLost,
    ConnectionRefused,
    LoginRefused,
    NotAMailServer,
    ProtocolError,
    StarttlsNotOffered,
    TimedOut,
    TlsFailed,
    TooManyConnections,
)
from app.imap import session
from tests.servers.certificates import Authority
from tests.servers.dovecot import Dovecot, MailUser, serve
from tests.servers.scripted_imap import ScriptedServer, scripted
from tests.webmail.imap.sessions import connect, sign_in

USER = Credentials("ann@example.org", "ann@example.org", imap_password="s3cret")
GREETING = "S: * OK [CAPABILITY IMAP4rev1] hello\n"
STARTTLS = "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello\nC: STARTTLS\n"
PROTECTIONS = [Tls.IMPLICIT, Tls.STARTTLS, Tls.NONE]


@pytest.fixture(scope="module")
def context(authority: Authority) -> ssl.SSLContext:
    return authority.client_context()


def endpoint(server: Dovecot, tls: Tls, host: str = "localhost") -> Endpoint:
    return Endpoint(host, server.imaps_port if tls is Tls.IMPLICIT else server.imap_port, tls)


def open_scripted(
    server: ScriptedServer, context: ssl.SSLContext, tls: Tls = Tls.NONE, timeout_s: float = 10
) -> session.ImapSession:
    where = Endpoint("localhost", server.port, tls)
    return session.open_session(where, USER, connect=connect, ssl_context=context, timeout_s=timeout_s)


# A real server


@pytest.mark.servers
@pytest.mark.parametrize("tls", PROTECTIONS)
def test_sign_in(dovecot, mail_user, context, tls):
    with closing(sign_in(endpoint(dovecot, tls), mail_user, context)) as opened:
        assert opened.has("IDLE", "UIDPLUS")
        assert opened.enabled == {"QRESYNC"}
        assert isinstance(opened.wire.sock, ssl.SSLSocket) is (tls is not Tls.NONE)


@pytest.mark.servers
@pytest.mark.parametrize(
    "password", ['with "quotes" and \\', "gr\u00fcn \u65e5\u672c", " spaces ", "{5}", "(*%]", "x" * 300]
)
def test_odd_passwords(dovecot, context, password):
    user = dovecot.add_user(password=password)
    sign_in(endpoint(dovecot, Tls.STARTTLS), user, context).close()


@pytest.mark.servers
@pytest.mark.parametrize("tls", PROTECTIONS)
def test_a_wrong_password_is_refused_in_the_servers_words(dovecot, mail_user, context, tls):
    wrong = MailUser(mail_user.name, "wrong", mail_user.home)
    with pytest.raises(LoginRefused, match=r"Authentication failed"):
        sign_in(endpoint(dovecot, tls), wrong, context)


@pytest.mark.parametrize("text", ["a\r\nA2 LOGOUT", "a\0b", "a\nb", "\x7f", "x" * 20_000])
def test_what_would_break_the_protocol_is_never_sent(context, text):
    with scripted(GREETING) as server:
        for name, password in ((text, "x"), ("x", text)):
            credentials = Credentials(name, name, imap_password=password)
            where = Endpoint("localhost", server.port, Tls.NONE)
            with pytest.raises(BadInput):
                session.open_session(where, credentials, connect=connect, ssl_context=context, timeout_s=5)
        assert server.heard == []


@pytest.mark.servers
@pytest.mark.parametrize("tls", [Tls.IMPLICIT, Tls.STARTTLS])
@pytest.mark.parametrize(("certificate", "words"), [
    ({"expired": True}, "has expired"),
    ({"hosts": ("mail.elsewhere.example",)}, "another host"),
    ({"self_signed": True}, "signed by itself"),
])  # fmt: skip
def test_a_certificate_with_a_fault(authority, context, tls, certificate, words):
    certificate = dict(certificate)
    made = authority.issue(*certificate.pop("hosts", ()), **certificate)
    with serve(authority, certificate=made) as server, pytest.raises(TlsFailed, match=words):
        sign_in(endpoint(server, tls), server.add_user(), context)


@pytest.mark.servers
@pytest.mark.parametrize("tls", [Tls.IMPLICIT, Tls.STARTTLS])
def test_tls_verifies_the_name_as_typed(authority, context, tls):
    with serve(authority, certificate=authority.issue("localhost")) as server:
        user = server.add_user()
        sign_in(endpoint(server, tls), user, context).close()
        with pytest.raises(TlsFailed, match="another address"):
            sign_in(endpoint(server, tls, "127.0.0.1"), user, context)


@pytest.mark.servers
def test_tls_on_a_port_without_it(dovecot, mail_user, context):
    with pytest.raises(TlsFailed, match="does not speak TLS"):
        sign_in(Endpoint("localhost", dovecot.imap_port, Tls.IMPLICIT), mail_user, context)


@pytest.mark.servers
def test_too_many_connections_are_no_wrong_password(authority, context):
    with serve(authority, settings="mail_max_userip_connections = 2") as server, ExitStack() as stack:
        user = server.add_user()
        for _ in range(2):
            stack.enter_context(closing(sign_in(endpoint(server, Tls.NONE), user, context)))
        with pytest.raises(TooManyConnections, match="Maximum number of connections"):
            sign_in(endpoint(server, Tls.NONE), user, context)


@pytest.fixture(scope="module")
def token_service() -> Iterator[str]:
    """Says about each token whose it is: "token-of-NAME"; others are not active."""

    class Introspection(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = parse_qs(urlparse(self.path).query)["token"][0]
            name = token.removeprefix("token-of-")
            answer = json.dumps({"active": name != token, "email": name}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Introspection) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/introspect?token="
        server.shutdown()
        thread.join()


@pytest.mark.servers
def test_signing_in_with_a_token(authority, context, token_service):
    with serve(authority, introspection_url=token_service) as server:
        user = server.add_user()
        opened = sign_in(endpoint(server, Tls.IMPLICIT), user, context, token=f"token-of-{user.name}")
        assert opened.has("UIDPLUS")
        opened.close()
        with pytest.raises(LoginRefused):
            sign_in(endpoint(server, Tls.IMPLICIT), user, context, token="revoked")


# Servers that are none, or lie


def test_nobody_listens(context, free_port):
    with pytest.raises(ConnectionRefused):
        session.open_session(
            Endpoint("localhost", free_port(), Tls.NONE), USER, connect=connect, ssl_context=context, timeout_s=5
        )


@pytest.mark.parametrize(("script", "tls", "error"), [
    ("S: 220 mail.example.org ESMTP", Tls.NONE, NotAMailServer),
    ("S: SSH-2.0-OpenSSH_9.2", Tls.NONE, NotAMailServer),
    ("S: * PREAUTH [CAPABILITY IMAP4rev1] welcome", Tls.STARTTLS, NotAMailServer),
    ("S: <close>", Tls.NONE, ConnectionLost),
    ("S: * BYE Too many connections from your address", Tls.NONE, TooManyConnections),
    ("S: * BYE going down", Tls.NONE, ConnectionLost),
    (GREETING, Tls.STARTTLS, StarttlsNotOffered),
    (STARTTLS + "S: {tag} NO not now", Tls.STARTTLS, StarttlsNotOffered),
    (STARTTLS + "S: <raw {tag} OK go\\x0d\\x0a* CAPABILITY EVIL\\x0d\\x0a>", Tls.STARTTLS, TlsFailed),
    ("S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED] x", Tls.NONE, LoginRefused),
    (GREETING + "C: LOGIN …\nS: {tag} NO [ALERT] Too many simultaneous connections.", Tls.NONE, TooManyConnections),
    (GREETING + "C: LOGIN …\nS: * BYE bad day\nS: <close>", Tls.NONE, ConnectionLost),
    (GREETING + "C: LOGIN …\nS: Z9 OK in", Tls.NONE, ProtocolError),
    (GREETING + "C: LOGIN …\nS: <forever * OK still here>", Tls.NONE, ProtocolError),
    (GREETING + "C: LOGIN …\nS: <forever x>", Tls.NONE, ProtocolError),
    (GREETING + "C: LOGIN …\nS: * LIST {4000000000}\nS: <stall>", Tls.NONE, ProtocolError),
    ("S: <forever * OK>", Tls.NONE, ProtocolError),
])  # fmt: skip
def test_each_failure_has_its_own_error(context, script, tls, error):
    with scripted(script) as server, pytest.raises(error):
        open_scripted(server, context, tls)


@pytest.mark.parametrize("script", ["S: <stall>", GREETING + "C: LOGIN …\nS: <stall>"])
def test_silence_times_out(context, script):
    with scripted(script) as server, pytest.raises(TimedOut):
        open_scripted(server, context, timeout_s=0.2)


def test_a_line_without_end_is_cut_off(context):
    with scripted(GREETING + "C: LOGIN …\nS: <raw " + "x" * 3_000_000 + ">") as server, pytest.raises(ProtocolError):
        open_scripted(server, context)


BEARER = "S: * OK [CAPABILITY IMAP4rev1 AUTH=OAUTHBEARER] hello\nC: AUTHENTICATE OAUTHBEARER\nS: +\n"
TOKEN = Credentials("a,n=n@example.org", "a,n=n@example.org", access_token="ya29.token")
FIRST = b64encode(b"n,a=a=2Cn=3Dn@example.org,\x01auth=Bearer ya29.token\x01\x01").decode()
REFUSAL = b64encode(b'{"status":"invalid_token","scope":"mail"}').decode()


def open_with_token(server: ScriptedServer, context: ssl.SSLContext) -> session.ImapSession:
    where = Endpoint("localhost", server.port, Tls.NONE)
    return session.open_session(where, TOKEN, connect=connect, ssl_context=context, timeout_s=5)


def test_oauthbearer(context):
    """RFC 7628 §3.1, the user's name as RFC 5801 §4 writes it."""
    script = BEARER + f"L: {FIRST}\nS: {{tag}} OK [CAPABILITY IMAP4rev1 IDLE] in"
    with scripted(script) as server, closing(open_with_token(server, context)) as opened:
        assert opened.capabilities == {"IMAP4REV1", "IDLE"}


def test_oauthbearer_told_why_it_is_refused(context):
    """RFC 7628 §3.2.3: the client answers the refusal with one octet 1, then the command fails."""
    script = BEARER + f"L: {FIRST}\nS: + {REFUSAL}\nL: AQ==\nS: {{tag}} NO [AUTHENTICATIONFAILED] token expired"
    with scripted(script) as server, pytest.raises(LoginRefused, match="token expired"):
        open_with_token(server, context)


def test_a_server_that_never_stops_asking_for_tokens(context):
    script = BEARER + f"L: {FIRST}\nS: + eA==\nL: AQ==\nS: + eA==\nL: *\nS: {{tag}} BAD cancelled"
    with scripted(script) as server, pytest.raises(LoginRefused, match="cancelled"):
        open_with_token(server, context)


@pytest.mark.parametrize("offered", ["AUTH=XOAUTH2", "AUTH=XOAUTH2 AUTH=OAUTHBEARER", ""])
def test_xoauth2_is_preferred(context, offered):
    first = b64encode(b"user=a,n=n@example.org\x01auth=Bearer ya29.token\x01\x01").decode()
    script = (
        f"S: * OK [CAPABILITY IMAP4rev1 {offered}] hello\nC: AUTHENTICATE XOAUTH2\nS: +\nL: {first}\n"
        f"S: + {REFUSAL}\nL:\nS: {{tag}} NO [AUTHENTICATIONFAILED] no"
    )
    with scripted(script) as server, pytest.raises(LoginRefused):
        open_with_token(server, context)


def test_capabilities_told_with_the_login_are_not_asked_again(context):
    script = GREETING + "C: LOGIN …\nS: {tag} OK [CAPABILITY IMAP4rev1 IDLE MOVE] in"
    with scripted(script) as server, closing(open_scripted(server, context)) as opened:
        assert opened.capabilities == {"IMAP4REV1", "IDLE", "MOVE"}
        assert server.heard == ['LOGIN "ann@example.org" "s3cret"']


def test_capabilities_not_told_are_asked_for(context):
    script = (
        "S: * OK hello\nC: CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: {tag} OK done\n"
        "C: LOGIN …\nS: {tag} OK in\nC: CAPABILITY\nS: * CAPABILITY IMAP4rev1 IDLE\nS: {tag} OK done"
    )
    with scripted(script) as server, closing(open_scripted(server, context)) as opened:
        assert opened.capabilities == {"IMAP4REV1", "IDLE"}


def test_capabilities_from_before_tls_are_forgotten(authority, context):
    script = (
        "S: * OK [CAPABILITY IMAP4rev1 STARTTLS X-EVIL] x\nC: STARTTLS\nS: {tag} OK go\nS: <tls>\n"
        "C: CAPABILITY\nS: * CAPABILITY IMAP4rev1 AUTH=PLAIN\nS: {tag} OK done\nC: LOGIN …\nS: {tag} OK in\n"
        "C: CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: {tag} OK done"
    )
    with (
        scripted(script, authority.issue()) as server,
        closing(open_scripted(server, context, Tls.STARTTLS)) as opened,
    ):
        assert opened.capabilities == {"IMAP4REV1"}


def test_where_login_is_disabled_authenticate_is_used(context):
    script = (
        "S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN] x\nC: AUTHENTICATE PLAIN\nS: +\n"
        "L: AGFubkBleGFtcGxlLm9yZwBzM2NyZXQ=\nS: {tag} OK [CAPABILITY IMAP4rev1 IDLE] in"
    )
    with scripted(script) as server, closing(open_scripted(server, context)) as opened:
        assert opened.capabilities == {"IMAP4REV1", "IDLE"}


def test_a_literal_waits_for_consent_where_the_server_wants_that(context):
    user = Credentials("ann@example.org", "ann@example.org", imap_password="gr\u00fcn")
    script = GREETING + 'C: LOGIN "ann@example.org" {5}gr\u00fcn\nS: {tag} OK [CAPABILITY IMAP4rev1] in'
    with scripted(script) as server:
        where = Endpoint("localhost", server.port, Tls.NONE)
        session.open_session(where, user, connect=connect, ssl_context=context, timeout_s=5).close()


def test_secrets_do_not_show_in_errors_or_logs(context, caplog):
    caplog.set_level("DEBUG")
    with scripted(GREETING + "C: LOGIN …\nS: {tag} NO wrong") as server, pytest.raises(LoginRefused) as refused:
        open_scripted(server, context)
    assert "s3cret" not in caplog.text + repr(refused.value) + repr(USER)
