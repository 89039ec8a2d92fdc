"""The second factor: codes by time (RFC 6238), each good once.  Pure."""

from __future__ import annotations

import hmac
from datetime import datetime

import pyotp
import segno

STEP_S = 30
DRIFT_STEPS = 1  # one step early or late: clocks differ


def new_secret() -> str:
    """A random secret of 160 bits, in base32."""
    return pyotp.random_base32(32)


def matching_step(secret: str, code: str, at: datetime) -> int | None:
    """The time step whose code this is, or None.  The caller refuses a step used before."""
    typed = code.replace(" ", "")
    now = int(at.timestamp()) // STEP_S
    totp = pyotp.TOTP(secret)
    steps = range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1)
    matches = [step for step in steps if hmac.compare_digest(totp.at(step * STEP_S).encode(), typed.encode())]
    return matches[-1] if matches else None


def provisioning_uri(secret: str, email: str, site: str) -> str:
    """What an authenticator app reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=f"Satchel {site}")


def picture(uri: str) -> str:
    """`uri` as a QR code, a `data:` address for an <img>: dark on light, whatever the page's colours."""
    return str(segno.make(uri, error="m").svg_data_uri(scale=5, border=4, light="white"))


def in_groups(secret: str) -> str:
    """The secret for typing by hand, in fours."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
