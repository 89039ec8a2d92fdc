"""Reading the certificate of the mail listeners: an edge, for the pages and the agent.

The package cryptography is imported where it is used: a web process is 8 MiB smaller without it.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app.extension_api import Config
from mailsite_ext.settings.posture import NO_CERTIFICATE, Certificate, CertificateState

if TYPE_CHECKING:
    from cryptography import x509


def ordered_certificate_file(config: Config) -> Path:
    """Where the one lies that was had by ACME, with its key before it."""
    return config.work_directory.absolute() / "security" / "acme" / "certificate.pem"


def certificate_files(config: Config) -> Sequence[Path]:
    """The files of the certificate that is used, the chain first: what TLS_CERTIFICATE_FILE names counts before one
    that was had by ACME.  Empty: there is none."""
    if config.tls_certificate_file:
        return [Path(name) for name in (config.tls_certificate_file, config.tls_key_file) if name]
    ordered = ordered_certificate_file(config)
    return [ordered] if ordered.exists() else []


def load_certificate(config: Config, now: datetime) -> Certificate:
    """What the certificate's files hold; a fault of theirs is said in `error`, never raised."""
    files = certificate_files(config)
    if not files:
        return NO_CERTIFICATE
    from cryptography import x509

    try:
        tls_context(files)
        leaf = x509.load_pem_x509_certificates(files[0].read_bytes())[0]
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        return Certificate(CertificateState.UNREADABLE, error=_words(error))
    expires_at = leaf.not_valid_after_utc
    state = CertificateState.VALID if now < expires_at else CertificateState.EXPIRED
    return Certificate(state, _names(leaf), expires_at)


def tls_context(files: Sequence[Path]) -> ssl.SSLContext:
    """A listener's context, of `certificate_files`.

    Raises OSError (ssl.SSLError is one) where certificate and key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    chain, *key = files
    context.load_cert_chain(chain, key[0] if key else None, password="")
    return context


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    """The DNS names of the certificate (RFC 9525 §2: the common name does not count)."""
    from cryptography import x509

    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(name.lower() for name in found.get_values_for_type(x509.DNSName))


def _words(error: Exception) -> str:
    """What is wrong, without the numbers of OpenSSL."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not a certificate and its key").replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return "not a certificate in PEM form"
