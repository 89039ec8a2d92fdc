"""The relays an admin set up, and which of them takes the mail for a destination.  Its functions commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.extension_api import (
    BadInput,
    MailError,
    NotFound,
    Runtime,
    Vault,
    find_allowed_addresses,
    load_guard_policy,
    row_count,
)
from mailsite_ext.delivery.models import RelayServer
from mailsite_ext.delivery.relay import Relay
from mailsite_ext.delivery.relay_tls import RelayTls
from mailsite_ext.delivery.route import Hop, NoRoute
from mailsite_ext.errors import BadDomain
from mailsite_ext.protocol.smtp_address import canonical_domain
from mailsite_ext.protocol.smtp_client_auth import Login

EVERYWHERE = ""
"""The domain of the relay that takes mail for all without one of their own."""
SEALED_FIELD = "mailsite_relay.password"
MOST_RELAYS = 200
LOOKUP_S = 5.0


@dataclass(frozen=True, slots=True)
class Typed:
    """What an admin typed; `domain` empty: for all destinations."""

    domain: str
    host: str
    port: int
    tls: RelayTls
    username: str
    password: str


def seal_name(uuid: str) -> str:
    """Whose the sealed password is."""
    return f"{SEALED_FIELD}:{uuid}"


def list_relays(db: Session) -> Sequence[RelayServer]:
    """The one for all first."""
    return db.scalars(select(RelayServer).order_by(RelayServer.domain).limit(MOST_RELAYS)).all()


def add(db: Session, vault: Vault, typed: Typed, now: datetime) -> RelayServer:
    """Raises BadInput on `domain`: no domain, or it has a relay; on `host`: no name of a host."""
    domain, host = _canonical("domain", typed.domain), _canonical("host", typed.host)
    if not host:
        raise BadInput("host", "")
    uuid = str(uuid4())
    sealed = vault.seal(seal_name(uuid), typed.password) if typed.username else None
    row = RelayServer(
        uuid=uuid, domain=domain, host=host, port=typed.port, tls=typed.tls, username=typed.username,
        sealed_password=sealed, created_at=now,
    )  # fmt: skip
    db.add(row)
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        raise BadInput("domain", typed.domain) from None
    return row


def _canonical(field: str, text: str) -> str:
    try:
        return canonical_domain(text) if text else ""
    except BadDomain:
        raise BadInput(field, text[:100]) from None


def get(db: Session, relay_id: int) -> RelayServer:
    """Raises NotFound."""
    found = db.get(RelayServer, relay_id)
    if found is None:
        raise NotFound
    return found


def remove(db: Session, relay_id: int) -> None:
    """Raises NotFound."""
    if row_count(db.execute(delete(RelayServer).where(RelayServer.id == relay_id))) != 1:
        raise NotFound
    db.commit()


def find_for(db: Session, domain: str) -> RelayServer | None:
    """A destination's own relay, or else the one for all."""
    both = select(RelayServer).where(RelayServer.domain.in_([domain, EVERYWHERE]))
    return db.scalars(both.order_by(RelayServer.domain.desc()).limit(1)).first()


@dataclass(frozen=True, slots=True)
class Relays:
    """What the delivery process asks; `host` is what we call ourselves."""

    parts: Runtime
    host: str

    def find(self, domain: str) -> Relay | None:
        """Raises NoRoute, for now: the relay cannot be found, is no host to connect to, or its password does not open.

        The guard is asked each time, and the connection goes to what it allowed (E4).
        """
        with self.parts.public.session() as db:
            row = find_for(db, domain)
            policy = load_guard_policy(db) if row is not None else None
        if row is None or policy is None:
            return None
        if row.host == self.host:
            raise NoRoute(451, "4.4.6 the relay for this destination is this server itself")
        try:
            found = find_allowed_addresses(policy, self.parts.resolver, row.host, LOOKUP_S)
            return Relay(Hop(row.host, tuple(map(str, found))), row.port, row.tls, self._login(row))
        except MailError as error:
            raise NoRoute(451, f"4.4.3 the relay {row.host}: {type(error).__name__}: {error.detail}") from error

    def _login(self, row: RelayServer) -> Login | None:
        if row.sealed_password is None:
            return None
        return Login(row.username, self.parts.vault.open_text(seal_name(row.uuid), row.sealed_password))
