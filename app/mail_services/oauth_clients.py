"""The client ids and secrets an admin registered with providers that take only OAuth."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.mail_services.models import OAuthClient
from app.vault.secretbox import Vault


def load_clients(db: Session) -> Mapping[str, OAuthClient]:
    """The registered clients by provider."""
    return {client.provider: client for client in db.scalars(select(OAuthClient))}


def secret_seal(provider: str) -> str:
    """The name a client secret is sealed under (C1)."""
    return f"oauth_client.client_secret:{provider}"


def save_client(db: Session, vault: Vault, provider: str, client_id: str, secret: str) -> None:
    """Store a client; an empty secret keeps the one of the same client id, an empty id forgets the client."""
    if not client_id:
        db.execute(delete(OAuthClient).where(OAuthClient.provider == provider))
        db.commit()
        return
    row = db.get(OAuthClient, provider) or OAuthClient(provider=provider, client_id=client_id)
    if row.client_id != client_id:
        row.client_id, row.sealed_client_secret = client_id, None
    if secret:
        row.sealed_client_secret = vault.seal(secret_seal(provider), secret)
    db.add(row)
    db.commit()
