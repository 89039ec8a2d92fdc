"""A certificate authority of this test run: valid, expired and wrong-host certificates, each made once."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOCAL_HOST = "localhost"
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Certificate:
    """Files in PEM: the chain a server shows, and its private key."""

    chain: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


@dataclass
class Authority:
    """Issues certificates into `folder`; asking twice for the same one gives the same files."""

    folder: Path
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    _issued: dict[tuple[str, bool, bool], Certificate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        builder = _builder("Satchel test authority", "Satchel test authority", self._key, -YEAR, YEAR)
        self._root = builder.add_extension(constraints, critical=True).sign(self._key, hashes.SHA256())
        self.ca.write_bytes(self._root.public_bytes(serialization.Encoding.PEM))

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, *hosts: str, expired: bool = False, self_signed: bool = False) -> Certificate:
        """A certificate for `hosts` (names or addresses; none: this machine), perhaps with a fault."""
        names = hosts or (LOCAL_HOST, "127.0.0.1", "::1")
        wanted = (" ".join(names), expired, self_signed)
        if wanted not in self._issued:
            self._issued[wanted] = self._issue(names, expired=expired, self_signed=self_signed)
        return self._issued[wanted]

    def _issue(self, hosts: tuple[str, ...], *, expired: bool, self_signed: bool) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        begins, ends = (-2 * YEAR, -YEAR) if expired else (timedelta(days=-1), YEAR)
        builder = _builder(hosts[0], hosts[0] if self_signed else "Satchel test authority", key, begins, ends)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), False)
        signed = builder.sign(key if self_signed else self._key, hashes.SHA256())
        stem = self.folder / f"server-{len(self._issued)}"
        made = Certificate(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        made.chain.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(_pem_of(key))
        return made

    def client_context(self) -> ssl.SSLContext:
        """What a client that trusts this authority, and no other, uses."""
        return ssl.create_default_context(cafile=str(self.ca))


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, begins: timedelta, ends: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    with TemporaryDirectory(prefix="satchel-ca-") as folder:
        yield Authority(Path(folder))
