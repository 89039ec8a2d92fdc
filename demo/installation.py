"""A prepared installation, for the demo and the benchmarks: migrated, one person signed up, an account added."""

from __future__ import annotations

from dataclasses import dataclass

from app import create_app, extensions, migrate, runtime
from app.accounts import service as accounts
from app.accounts.endpoint import Credentials, Endpoint, Tls
from app.accounts.models import MailAccount
from app.config import Config
from app.mail_services.modes import Mode
from app.mail_services.service import save_settings
from app.runtime import Runtime
from app.users.models import User, UserRole
from app.users.service import create_user, find_user
from app.vault.keyring import ensure_keys

HOST = "localhost"


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in."""

    email: str
    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Server:
    """A mailbox on this machine: its IMAP server, and the submission server, which speaks in the clear."""

    imap_port: int
    smtp_port: int
    username: str
    password: str
    imap_tls: Tls = Tls.NONE


def prepare(config: Config) -> Runtime:
    """Migrate, and open the mode External Mail Accounts to servers on this machine; safe to repeat."""
    parts = runtime.build(config)
    with create_app(parts=parts).app_context():
        migrate.upgrade(parts.public, parts.private, branches=extensions.registry().branches)
    ensure_keys(parts.private, parts.clock)
    with parts.public.session() as db:
        save_settings(db, Mode.EXTERNAL, private_hosts=HOST, cleartext_hosts=HOST)
    return parts


def sign_up(parts: Runtime, person: Person) -> int:
    """The person's id; an admin, so that every page can be looked at."""
    with parts.public.session() as db:
        user = find_user(db, person.email)
        if user is None:
            user = create_user(db, person.email, person.name, person.password, parts.clock.now(), role=UserRole.ADMIN)
        return user.id


def add_account(parts: Runtime, owner_id: int, address: str, name: str, server: Server) -> int:
    """Add the account, or tell one that is there where the server listens now; its id.  Raises NotVerified."""
    settings = accounts.Settings(
        address=address,
        label=name,
        color="lagoon",
        imap=Endpoint(HOST, server.imap_port, server.imap_tls),
        smtp=Endpoint(HOST, server.smtp_port, Tls.NONE),
        imap_username=server.username,
        smtp_username=server.username,
    )
    given = Credentials(server.username, server.username, server.password, server.password)
    with parts.public.session() as db:
        known = next((a for a in accounts.list_accounts(db, owner_id) if a.address == address), None)
        if known is not None:
            accounts.change_account(parts, db, known, settings, given)
            return known.id
        owner = db.get_one(User, owner_id)
        account: MailAccount = accounts.add_account(parts, db, owner_id, settings, given, name=owner.name)
        return account.id
