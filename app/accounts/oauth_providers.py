"""Speaking OAuth 2.0 (RFC 6749, PKCE: RFC 7636) with the providers whose mail it opens.

Authlib and requests are imported where they are used: a web process is 15 MiB smaller until somebody signs in with a
provider.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.errors import GrantRevoked, ProtocolError, ServerUnreachable, TimedOut, TlsFailed

if TYPE_CHECKING:
    from authlib.integrations.requests_client import OAuth2Session

TIMEOUT_S = 10.0
MAX_TOKEN = 16_384
MAX_LIFETIME_S = 86_400
DEFAULT_LIFETIME_S = 3_600  # RFC 6749 §5.1 leaves `expires_in` out at will


@dataclass(frozen=True, slots=True)
class OAuthProvider:
    """Where a provider's consent page and tokens are; `extra` goes along to the consent page."""

    name: str
    authorize_url: str
    token_url: str
    scope: str
    userinfo_url: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


PROVIDERS: dict[str, OAuthProvider] = {
    "google": OAuthProvider(
        name="Google",
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",  # noqa: S106  an address, no secret
        userinfo_url="https://openidconnect.googleapis.com/v1/userinfo",
        scope="https://mail.google.com/ openid email",
        extra={"access_type": "offline", "prompt": "consent", "include_granted_scopes": "true"},
    ),
    "microsoft": OAuthProvider(
        name="Microsoft",
        authorize_url="https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        token_url="https://login.microsoftonline.com/common/oauth2/v2.0/token",  # noqa: S106  an address, no secret
        scope="https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send"
        " offline_access openid email profile",
        extra={"prompt": "select_account"},
    ),
}
"""The providers an admin can register Satchel with; tests put their own in."""


@dataclass(frozen=True, slots=True)
class Client:
    """What the admin registered with a provider, and how we reach it."""

    provider: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    ca_file: str = ""

    @property
    def endpoints(self) -> OAuthProvider:
        return PROVIDERS[self.provider]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a grant is worth now.  `address` is whose mail it opens, where the provider said so."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    lifetime_s: int
    address: str = ""


def consent_url(client: Client, *, state: str, verifier: str, login_hint: str) -> str:
    """Where the person says yes; `state` and `verifier` stay in their session."""
    provider = client.endpoints
    with _session(client) as session:
        url, _state = session.create_authorization_url(
            provider.authorize_url, state=state, code_verifier=verifier, login_hint=login_hint, **provider.extra
        )
    return str(url)


def exchange(client: Client, code: str, verifier: str) -> Tokens:
    """The tokens a consent's `code` stands for.  Raises GrantRevoked, ServerUnreachable or ProtocolError."""
    provider = client.endpoints
    with _session(client) as session, _named_faults(provider.name):
        answer = session.fetch_token(provider.token_url, code=code, code_verifier=verifier)
        tokens = _tokens(answer, "")
        address = _address_in(str(answer.get("id_token", ""))) or _ask_address(session, provider)
    if not tokens.refresh_token:
        raise ProtocolError(f"{provider.name} gave no lasting permission")
    return Tokens(tokens.access_token, tokens.refresh_token, tokens.lifetime_s, address)


def refresh(client: Client, refresh_token: str) -> Tokens:
    """Fresh tokens.  Raises GrantRevoked (consent again), ServerUnreachable or ProtocolError."""
    provider = client.endpoints
    with _session(client) as session, _named_faults(provider.name):
        return _tokens(session.refresh_token(provider.token_url, refresh_token=refresh_token), refresh_token)


def _session(client: Client) -> OAuth2Session:
    from authlib.integrations.requests_client import OAuth2Session

    session = OAuth2Session(
        client.client_id,
        client.client_secret or None,
        token_endpoint_auth_method="client_secret_post" if client.client_secret else "none",
        scope=client.endpoints.scope,
        redirect_uri=client.redirect_uri,
        code_challenge_method="S256",
        default_timeout=TIMEOUT_S,
    )
    session.trust_env = False  # neither proxies nor .netrc of whoever started us
    session.verify = client.ca_file or True
    session.max_redirects = 0
    return session


def _tokens(answer: Mapping[str, Any], old_refresh_token: str) -> Tokens:
    access_token = str(answer.get("access_token") or "")
    refresh_token = str(answer.get("refresh_token") or old_refresh_token)
    for token in (access_token, refresh_token):
        if len(token) > MAX_TOKEN or not token.isascii() or any(not "!" <= char <= "~" for char in token):
            raise ProtocolError("the provider sent a token that cannot be one")
    if not access_token:
        raise ProtocolError("the provider sent no token")
    return Tokens(access_token, refresh_token, _lifetime_s(answer.get("expires_in")))


def _lifetime_s(told: object) -> int:
    try:
        return min(max(int(str(told)), 0), MAX_LIFETIME_S)
    except ValueError:
        return DEFAULT_LIFETIME_S


def _address_in(id_token: str) -> str:
    """The address in an ID token.  Its signature need not be checked: it came straight from the token endpoint over
    TLS (OpenID Connect Core §3.1.3.7), and only the mail server decides whose mail the access token opens."""
    parts = id_token.split(".")
    if len(parts) != 3 or len(id_token) > MAX_TOKEN:
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return ""
    return _address_of(claims)


def _ask_address(session: OAuth2Session, provider: OAuthProvider) -> str:
    if not provider.userinfo_url:
        return ""
    answer = session.get(provider.userinfo_url)
    return _address_of(answer.json()) if answer.ok else ""


def _address_of(claims: object) -> str:
    if not isinstance(claims, dict):
        return ""
    found = str(claims.get("email") or claims.get("preferred_username") or "")
    return found if "@" in found and len(found) <= 254 and found.isprintable() else ""


@contextmanager
def _named_faults(name: str) -> Iterator[None]:
    """What requests and Authlib raise, as errors of ours with the provider's own words."""
    import requests
    from authlib.integrations.base_client import OAuthError

    try:
        yield
    except OAuthError as error:
        words = f"{name}: {error.error} {error.description or ''}".strip()[:500]
        raise (GrantRevoked if error.error == "invalid_grant" else ServerUnreachable)(words) from None
    except requests.exceptions.SSLError:
        raise TlsFailed(f"the certificate of {name} is not valid") from None
    except requests.exceptions.Timeout:
        raise TimedOut(f"{name} did not answer in time") from None
    except requests.exceptions.JSONDecodeError:
        raise ProtocolError(f"{name} answered something else") from None
    except requests.exceptions.RequestException:
        raise ServerUnreachable(f"{name} cannot be reached") from None
    except ValueError:
        raise ProtocolError(f"{name} answered something else") from None
