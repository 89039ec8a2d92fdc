"""How long an account rests after a failure: pure."""

from __future__ import annotations

from app.errors import LoginRefused, MailError, TooManyConnections

FIRST_S = {
    LoginRefused: 300.0,  # a changed password heals only when the person acts; many tries lock accounts out
    TooManyConnections: 30.0,  # the server counts connections that died for a while
    MailError: 1.0,
}
LONGEST_S = {LoginRefused: 3_600.0, TooManyConnections: 600.0, MailError: 300.0}


def wait_s(error: MailError, failures: int) -> float:
    """Seconds to wait after `failures` failures in a row, the last being `error`: doubled each time, up to a bound.

    Raises ValueError if nothing has failed yet.
    """
    if failures < 1:
        raise ValueError("nothing has failed")
    kind = next(kind for kind in type(error).__mro__ if kind in FIRST_S)
    doublings = min(failures - 1, 20)
    return float(min(FIRST_S[kind] * 2**doublings, LONGEST_S[kind]))
