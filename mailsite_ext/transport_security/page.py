"""https://mta-sts.<domain>/.well-known/mta-sts.txt, for each domain hosted here (RFC 8461 §3.3, T1)."""

from __future__ import annotations

from werkzeug.wrappers import Response

from app.extension_api import SWITCHES, Runtime, current_mode
from mailsite_ext.open_pages import Asked, answer
from mailsite_ext.transport_security.mta_sts import policy_text
from mailsite_ext.transport_security.own_policy import find_own_policy

PREFIX = "mta-sts."


def policy_page(parts: Runtime, asked: Asked) -> Response:
    if asked.method not in ("GET", "HEAD"):
        return answer("", 405, Allow="GET, HEAD")
    text = _text(parts, asked.host_name)
    return answer(text, 200) if text else answer("There is no policy here.\r\n", 404)


def _text(parts: Runtime, host: str) -> str:
    """The policy; empty: none."""
    if not host.startswith(PREFIX):
        return ""
    with parts.public.session() as db:
        if not SWITCHES[current_mode(db)].hosting:
            return ""
        policy = find_own_policy(parts, db, host.removeprefix(PREFIX), remember=True)
    return policy_text(policy) if policy else ""
