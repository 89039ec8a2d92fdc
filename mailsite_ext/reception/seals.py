"""The seal on what we write on top of a message: it is ours, of this mailbox, and of this message.

Whoever puts a message into a mailbox by other ways (IMAP's APPEND, an import of mail from elsewhere) may bring along
any header, even one that another mailbox here was given.  Without our seal none of it is believed.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.extension_api import Runtime, Standing, server_secret
from mailsite_ext.delivery.header import Field, read_header
from mailsite_ext.errors import BareLineEnding

SEAL = "x-satchel-seal"
MAC_OCTETS = 18
_BOUND = frozenset({"from", "sender", "subject", "date", "message-id"})
_STANDINGS = {standing.encode(): standing for standing in Standing}
_WRITTEN = re.compile(rb"author=([a-z]+); b=([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class Seals:
    """`key` is a secret of this installation."""

    key: bytes

    @classmethod
    def of(cls, parts: Runtime) -> Seals:
        return cls(server_secret(parts.private, "seals"))

    def field(self, head: bytes, fields: Sequence[Field], mailbox: str, standing: Standing) -> bytes:
        """The field that seals `head`, which has our Received and stands above `fields`; to be put into it."""
        mac = self._mac([*read_header(head, is_whole=True), *fields], mailbox, standing)
        return b"X-Satchel-Seal: author=%s; b=%s\r\n" % (standing.encode(), mac)

    def find_sealed(self, header: bytes, mailbox: str) -> tuple[Standing, Sequence[Field]] | None:
        """The standing and the fields of the head we wrote; None for a header without our seal."""
        try:
            fields = read_header(header, is_whole=True)
        except BareLineEnding:
            return None
        seals = [field for field in _head(fields) if field.name == SEAL]
        found = _WRITTEN.fullmatch(seals[0].value) if len(seals) == 1 else None
        standing = _STANDINGS.get(found[1]) if found else None
        if found is None or standing is None:
            return None
        others = [field for field in fields if field not in seals]
        if not hmac.compare_digest(found[2], self._mac(others, mailbox, standing)):
            return None
        return standing, list(_head(others))

    def _mac(self, fields: Sequence[Field], mailbox: str, standing: Standing) -> bytes:
        mac = hmac.new(self.key, f"{mailbox}\0{standing}\0".encode(), "sha256")
        head = list(_head(fields))
        for field in [*head, *(field for field in fields[len(head) :] if field.name in _BOUND)]:
            mac.update(f"{field.name}:{len(field.value)}:".encode() + field.value)
        return urlsafe_b64encode(mac.digest()[:MAC_OCTETS])


def _head(fields: Sequence[Field]) -> Iterator[Field]:
    """As far as the first Received: the hop is ours."""
    for field in fields:
        yield field
        if field.name == "received":
            return
