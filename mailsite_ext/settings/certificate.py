"""Reading the certificate of the mail listeners: an edge, for the pages and the agent.

The package cryptography is imported where it is used: a web process is 8 MiB smaller without it.
"""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app.extension_api import Config
from mailsite_ext.settings.posture import NO_CERTIFICATE, Certificate, CertificateState

if TYPE_CHECKING:
    from cryptography import x509


def load_certificate(config: Config, now: datetime) -> Certificate:
    """What TLS_CERTIFICATE_FILE and TLS_KEY_FILE hold; a fault of theirs is said in `error`, never raised."""
    if not config.tls_certificate_file:
        return NO_CERTIFICATE
    from cryptography import x509

    try:
        tls_context(config)
        leaf = x509.load_pem_x509_certificates(Path(config.tls_certificate_file).read_bytes())[0]
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        return Certificate(CertificateState.UNREADABLE, error=_words(error))
    expires_at = leaf.not_valid_after_utc
    state = CertificateState.VALID if now < expires_at else CertificateState.EXPIRED
    return Certificate(state, _names(leaf), expires_at)


def tls_context(config: Config) -> ssl.SSLContext:
    """A listener's context.  Raises OSError (ssl.SSLError is one) where certificate and key cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.tls_certificate_file, config.tls_key_file or None, password="")
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
