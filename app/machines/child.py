"""What a service tells the agent that started it: that it is ready and where it listens, or why it cannot start.

A line of JSON each, into the pipe whose descriptor stands in the environment.  A service started by hand tells nobody.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress

STATUS_FD = "SATCHEL_STATUS_FD"
MAX_WORDS = 1_000  # characters


def tell_ready(addresses: Sequence[str] = ()) -> None:
    """The service does its work from here on; `addresses` are those it is bound to, such as 0.0.0.0:25 or [::]:25."""
    _tell({"ready": list(addresses)})


def tell_failure(words: str) -> None:
    """Why it cannot start or go on and what to do, in a sentence for the admin; then end with a status other than 0."""
    _tell({"error": words[:MAX_WORDS]})


def _tell(message: dict[str, object]) -> None:
    number = os.environ.get(STATUS_FD, "")
    if number.isdigit():
        with suppress(OSError):  # the agent is gone
            os.write(int(number), json.dumps(message).encode() + b"\n")
