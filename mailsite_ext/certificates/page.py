"""http://<name>/.well-known/acme-challenge/<token>, for the names an order is under way for (RFC 8555 §8.3)."""

from __future__ import annotations

import re

from werkzeug.wrappers import Response

from app.extension_api import Runtime
from mailsite_ext.certificates.service import find_answer
from mailsite_ext.open_pages import Asked, answer

PATH = "/.well-known/acme-challenge/"
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")


def challenge_page(parts: Runtime, asked: Asked) -> Response | None:
    """At any name: which ones are verified, the order says, and the token is known to the authority alone."""
    token = asked.path[len(PATH) :]
    if asked.method not in ("GET", "HEAD") or not TOKEN.fullmatch(token):
        return None
    with parts.public.session() as db:
        text = find_answer(db, token, parts.clock.now())
    return answer(text, 200) if text else None
