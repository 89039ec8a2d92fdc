"""The proxy for remote images: the sender's server sees this site, never the reader, and nothing but images comes back.

Fetching goes through the guard (E4): a mail must not reach the network behind us.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.accounts import guard
from app.accounts.fetch import Bounds, guarded_get
from app.errors import ActionRefused
from app.messages.lru import Lru
from app.resolver import Resolver

SHOWN_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp")
"""Raster images only: SVG is a document, and browsers treat it as one."""
BOUNDS = Bounds(max_octets=5_000_000, timeout_s=10.0, types=SHOWN_TYPES, redirects=3)
KEPT_OCTETS = 32_000_000  # in each process

_fetched: Lru[Image] = Lru(KEPT_OCTETS, lambda image: len(image.octets) + 500)


@dataclass(frozen=True, slots=True)
class Image:
    content_type: str
    octets: bytes


def load_image(db: Session, resolver: Resolver, url: str, ssl_context: ssl.SSLContext) -> Image:
    """The image at `url`, fetched by us.  Raises BadInput, ServerUnreachable, ProtocolError or ActionRefused."""
    policy = guard.load_policy(db)
    db.close()  # the connection goes back to its pool: nothing of ours waits for a stranger's server

    def fetch() -> Image:
        found = guarded_get(policy, resolver, url, BOUNDS, ssl_context=ssl_context)
        if found.status != 200:
            raise ActionRefused(f"the server answered {found.status}")
        return Image(found.content_type, found.body)

    return _fetched.get_or_make((policy, url), fetch)
