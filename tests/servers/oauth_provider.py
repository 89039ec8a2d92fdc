"""An OAuth 2.0 provider on loopback: consent, tokens with PKCE and refresh, revocation, introspection, userinfo.

    with serve(authority.issue()) as provider:
        monkeypatch.setitem(PROVIDERS, "google", provider.endpoints("Google"))

Consent is given at once, for the address in `login_hint`, as if the person had pressed Yes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from app.accounts.oauth_providers import OAuthProvider
from tests.servers import http
from tests.servers.certificates import Certificate
from tests.servers.http import Reply, Request, WebServer


@dataclass
class Grant:
    """A person's yes: which address, which client; `live` until revoked."""

    address: str
    challenge: str = ""
    redirect_uri: str = ""
    live: bool = True


@dataclass
class FakeProvider:
    """A provider that runs.  Everything may be changed while it does."""

    client_id: str = "satchel"
    client_secret: str = "client secret"
    lifetime_s: int = 3_600
    refusal: str = ""  # the consent page sends the person back with this error
    sends_id_token: bool = True
    rotates: bool = True  # each refresh gives a new refresh token, and the old one is spent
    codes: dict[str, Grant] = field(default_factory=dict)
    refresh_tokens: dict[str, Grant] = field(default_factory=dict)
    access_tokens: dict[str, Grant] = field(default_factory=dict)
    refreshes: int = 0
    hold: threading.Event | None = None  # refreshes wait for it
    status: int = 200  # of the token endpoint; 503: it is down
    web: WebServer = field(default_factory=WebServer)

    def endpoints(self, name: str) -> OAuthProvider:
        return OAuthProvider(
            name=name,
            authorize_url=self.web.url("/authorize"),
            token_url=self.web.url("/token"),
            userinfo_url=self.web.url("/userinfo"),
            scope="mail openid email",
        )

    def consent(self, asked: dict[str, str]) -> str:
        """The person says yes at the consent page with this query: the address their browser comes back to."""
        reply = self._authorize(Request("GET", "/authorize", asked, {}))
        assert reply.status == 302, reply.body
        return reply.headers["Location"]

    def revoke(self, address: str) -> None:
        """The person takes their permission back."""
        for grants in (self.refresh_tokens, self.access_tokens):
            for grant in grants.values():
                if grant.address == address:
                    grant.live = False

    def issue(self, address: str) -> tuple[str, str]:
        """An access and a refresh token, without anybody asking."""
        answer = self._tokens(Grant(address))
        return answer["access_token"], answer["refresh_token"]

    def is_good(self, address: str, token: str) -> bool:
        grant = self.access_tokens.get(token)
        return grant is not None and grant.live and grant.address == address

    def answer(self, request: Request) -> Reply:
        return {
            "/authorize": self._authorize,
            "/token": self._token,
            "/userinfo": self._userinfo,
            "/introspect": self._introspect,
        }.get(request.path, lambda _request: Reply(404))(request)

    def _authorize(self, request: Request) -> Reply:
        asked = request.query
        if asked.get("client_id") != self.client_id or asked.get("code_challenge_method") != "S256":
            return Reply(400, b"no such client, or no PKCE")
        if self.refusal:
            answer = {"error": self.refusal, "state": asked["state"]}
        else:
            code = secrets.token_urlsafe(16)
            self.codes[code] = Grant(asked.get("login_hint", ""), asked["code_challenge"], asked["redirect_uri"])
            answer = {"code": code, "state": asked["state"]}
        return Reply(302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(answer)}"})

    def _token(self, request: Request) -> Reply:
        form = request.form
        if self.status != 200:
            return Reply(self.status, b"not now")
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return _json({"error": "invalid_client"}, 401)
        return self._refresh(form) if form.get("grant_type") == "refresh_token" else self._exchange(form)

    def _exchange(self, form: dict[str, str]) -> Reply:
        grant = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if grant is None or grant.challenge != challenge or grant.redirect_uri != form.get("redirect_uri"):
            return _json({"error": "invalid_grant"}, 400)
        answer = self._tokens(grant)
        if self.sends_id_token:
            claims = base64.urlsafe_b64encode(json.dumps({"email": grant.address}).encode()).rstrip(b"=").decode()
            answer["id_token"] = f"e30.{claims}.c2ln"
        return _json(answer)

    def _refresh(self, form: dict[str, str]) -> Reply:
        self.refreshes += 1
        if self.hold is not None:
            self.hold.wait(10)
        old = form.get("refresh_token", "")
        grant = self.refresh_tokens.get(old)
        if grant is None or not grant.live:
            return _json({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}, 400)
        if self.rotates:
            del self.refresh_tokens[old]
            return _json(self._tokens(grant))
        answer = self._tokens(grant)
        del self.refresh_tokens[answer.pop("refresh_token")]
        return _json(answer)

    def _tokens(self, grant: Grant) -> dict[str, str]:
        access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.access_tokens[access], self.refresh_tokens[refresh] = grant, grant
        return {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": str(self.lifetime_s),
        }

    def _userinfo(self, request: Request) -> Reply:
        grant = self.access_tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        return _json({"email": grant.address}) if grant and grant.live else Reply(401)

    def _introspect(self, request: Request) -> Reply:
        grant = self.access_tokens.get(request.query.get("token", ""))
        if grant is None or not grant.live:
            return _json({"active": "false"})
        return _json({"active": "true", "email": grant.address})


def _json(value: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


@contextmanager
def serve_introspection(provider: FakeProvider) -> Iterator[str]:
    """What Dovecot asks about tokens, which it appends: in the clear on loopback, for it knows no authority of ours."""
    with http.serve(answer=provider.answer) as web:
        yield web.url("/introspect?token=", "127.0.0.1")


@contextmanager
def serve(certificate: Certificate | None = None) -> Iterator[FakeProvider]:
    """Run a provider until the block is left; https with a certificate, as Authlib insists on."""
    provider = FakeProvider()
    with http.serve(certificate, answer=provider.answer) as web:
        provider.web = web
        yield provider
