"""Talking to a certificate authority by ACME (RFC 8555): one order, from the account to the chain.

The package acme and what it brings, 30 MiB, is loaded by the process that orders, when it does.
"""

from __future__ import annotations

import io
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from acme import challenges, crypto_util, errors, messages
from acme.client import ClientNetwork, ClientV2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from josepy.jwk import JWKRSA
from requests.adapters import HTTPAdapter

from app.extension_api import MailError

REQUEST_S = 20
ORDER_S = 300.0
POLLED_S = 120
MAX_OCTETS = 512 * 1024  # of one answer
LONGEST_WORDS = 1_000


class NotIssued(MailError):
    """There is no certificate; `detail` says why, in the authority's words.

    `refused`: names it could not verify.  `wait`: how long it asks to be left alone.
    """

    def __init__(self, detail: str, refused: Sequence[str] = (), wait: timedelta = timedelta(0)) -> None:
        super().__init__(detail[:LONGEST_WORDS])
        self.refused, self.wait = tuple(refused), wait


@dataclass(frozen=True, slots=True)
class Issued:
    """`chain` in PEM, our certificate first."""

    chain: bytes
    names: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """`account_key` in PEM.  `publish` makes the answer to a token known; it is asked for from then on."""

    directory: str
    contact: str
    account_key: bytes = field(repr=False)
    trust: ssl.SSLContext
    publish: Callable[[str, str], None]

    def order(self, names: Sequence[str], key: bytes) -> Issued:
        """A certificate of `names` for `key` (PEM).  Takes minutes at worst.  Raises NotIssued."""
        web = _Web(self.trust)
        with _faults(web):
            client = self._signed_in(web)
            ends = time.monotonic() + ORDER_S
            order = client.new_order(crypto_util.make_csr(key, list(names)))
            for authorization in order.authorizations:
                if time.monotonic() > ends:
                    raise NotIssued("The authority answers too slowly.")
                self._answer(client, authorization)
            deadline = datetime.now() + timedelta(seconds=POLLED_S)  # noqa: DTZ005  as the library counts
            return _issued(client.poll_and_finalize(order, deadline).fullchain_pem or "")

    def _signed_in(self, web: _Web) -> ClientV2:
        """With the account that belongs to the key: a new one, or the one that is there (RFC 8555 §7.3)."""
        key = load_pem_private_key(self.account_key, None)
        assert isinstance(key, RSAPrivateKey)
        network = ClientNetwork(JWKRSA(key=key), user_agent="Satchel", timeout=REQUEST_S)
        network.session.trust_env = False
        network.session.adapters.clear()
        network.session.mount("https://", web)
        client = ClientV2(ClientV2.get_directory(self.directory, network), network)
        wanted = messages.NewRegistration.from_data(email=self.contact or None, terms_of_service_agreed=True)
        try:
            client.new_account(wanted)
        except errors.ConflictError as known:
            network.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())
        return client

    def _answer(self, client: ClientV2, authorization: messages.AuthorizationResource) -> None:
        if authorization.body.status == messages.STATUS_VALID:  # from an earlier order
            return
        offered = [each for each in authorization.body.challenges if isinstance(each.chall, challenges.HTTP01)]
        if not offered:
            raise NotIssued("The authority does not offer to verify over HTTP.")
        response, text = offered[0].response_and_validation(client.net.key)
        self.publish(offered[0].chall.encode("token"), text)
        client.answer_challenge(offered[0], response)


class _Web(HTTPAdapter):
    """HTTPS that trusts `trust`, and answers of bounded length; remembers how long the last one asked to wait."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        self.wait = timedelta(0)
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, ssl_context=self._trust)

    def cert_verify(self, *_arguments: Any) -> None:
        """`trust` has the authorities: others are not added to what the whole process shares."""

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        answer = super().send(request, *arguments, **{**options, "stream": True})
        body = answer.raw.read(MAX_OCTETS + 1, decode_content=True)
        answer.raw.close()
        if len(body) > MAX_OCTETS:
            raise requests.RequestException("the answer is too large")
        answer.raw = io.BytesIO(body)
        self.wait = _seconds(answer.headers)
        return answer


def _seconds(headers: Mapping[str, str]) -> timedelta:
    text = headers.get("Retry-After", "")
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else timedelta(0)


@contextmanager
def _faults(web: _Web) -> Iterator[None]:
    """What goes wrong in a conversation, as NotIssued."""
    try:
        yield
    except errors.ValidationError as error:
        refused = {authorization.body.identifier.value: authorization for authorization in error.failed_authzrs}
        words = [f"{name}: {_why(authorization)}" for name, authorization in refused.items()]
        raise NotIssued(" ".join(words), tuple(refused)) from None
    except errors.TimeoutError:
        raise NotIssued("The authority did not come to a decision in time.") from None
    except messages.Error as error:
        raise NotIssued(_problem(error), _identifiers(error), web.wait) from None
    except NotIssued:
        raise
    except Exception as error:  # whatever three libraries make of odd answers
        raise NotIssued(f"No sensible answer from the authority: {type(error).__name__} {error}") from None


def _why(authorization: messages.AuthorizationResource) -> str:
    found = [challenge.error for challenge in authorization.body.challenges if challenge.error is not None]
    return _problem(found[0]) if found else "could not be verified."


def _problem(error: messages.Error) -> str:
    return str(error.detail or error.title or error.typ)


def _identifiers(error: messages.Error) -> Sequence[str]:
    """The names that the parts of a problem are about (RFC 8555 §6.7.1)."""
    parts = [error, *(error.subproblems or ())]
    return [part.identifier.value for part in parts if part.identifier is not None]


def _issued(chain: str) -> Issued:
    leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return Issued(
        chain.encode(),
        tuple(names.get_values_for_type(x509.DNSName)),
        leaf.not_valid_before_utc.astimezone(UTC),
        leaf.not_valid_after_utc.astimezone(UTC),
    )
