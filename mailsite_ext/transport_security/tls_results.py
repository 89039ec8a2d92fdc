"""What came of an attempt to encrypt, in the words of reports (RFC 8460 §4.3).  Pure."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

NO_STARTTLS = "starttls-not-supported"
EXPIRED, OTHER_HOST, NOT_TRUSTED = "certificate-expired", "certificate-host-mismatch", "certificate-not-trusted"
OTHERWISE = "validation-failure"

_BY_CODE = {10: EXPIRED, 62: OTHER_HOST, 64: OTHER_HOST}  # of OpenSSL's X509_V_ERR


@dataclass(frozen=True, slots=True)
class TlsSession:
    """A connection to a mail server that was to become encrypted; no `failure`: it did."""

    host: str
    address: str
    failure: str = ""
    reason: str = ""


def result_type(cause: BaseException | None) -> str:
    """The result-type of what broke TLS off."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _BY_CODE.get(cause.verify_code, NOT_TRUSTED)
    return OTHERWISE
