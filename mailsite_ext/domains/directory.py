"""Who gets mail for an address, and who may write from it: what the listeners, the queue and the submitter ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.orm import Session

from app.extension_api import Runtime, User, UserRole
from mailsite_ext.domains.models import EVERY_DOMAIN, Address, Mailbox, MailboxState
from mailsite_ext.domains.names import ALWAYS_TAKEN, EVERYTHING, TAKES_REPORTS, fold, is_reserved, split_detail
from mailsite_ext.errors import DomainNotAllowed, NoSuchMailbox, NotLocal
from mailsite_ext.forwarding.key import SrsKey
from mailsite_ext.forwarding.models import OutsideAlias
from mailsite_ext.forwarding.srs import is_rewritten, reverse
from mailsite_ext.protocol import smtp_address
from mailsite_ext.settings.mail_domains import is_full_domain
from mailsite_ext.settings.values import Settings

KEPT = 4_096  # recipients remembered at most
KEPT_S = 5.0

Reached: TypeAlias = "tuple[tuple[Hosted, ...], tuple[str, ...]]"
"""Mailboxes here, and addresses elsewhere."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """A mailbox that takes mail; `name` is what StorageEngine calls it."""

    id: int
    name: str
    user_id: int
    quota_octets: int | None = None
    hidden_capabilities: frozenset[str] = frozenset()  # of IMAP, in upper case
    opened_by: str = ""  # what signed in to it (Logins), a name that tells nothing
    forward_to: str = ""  # an address elsewhere its person has their mail forwarded to
    keeps_copy: bool = True  # of what is forwarded


NOBODY = Hosted(0, "", 0)
"""Whose verdict counts where an alias leads elsewhere alone."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where mail for an address goes: to one mailbox, to several of a shared alias, to the admins of postmaster."""

    address: smtp_address.Address
    mailboxes: tuple[Hosted, ...]  # at least one, unless it takes reports or leads elsewhere
    detail: str = ""  # the subaddress: shop of ada+shop (RFC 5233)
    takes_reports: bool = False  # a program reads what comes here, whoever else gets it
    outside: tuple[str, ...] = ()  # addresses elsewhere it leads to
    takes_bounces_alone: bool = False  # a sender we rewrote: its mail goes back to whom it stands for


class Directory:
    """The people and addresses of this installation.

    Settings are those it was made with: a listener's change with its restart (N1).  People and aliases are read from
    the database; who was found is remembered for KEPT_S, who was not is looked for each time, so that a new address
    takes mail at once.  Every method may wait for the database: asyncio calls them in a thread.
    """

    def __init__(self, parts: Runtime, settings: Settings) -> None:
        self._parts = parts
        self._settings = settings
        self._srs_key = SrsKey(parts.config)
        self._found: dict[tuple[str, str], tuple[float, Reached]] = {}

    @property
    def domains(self) -> tuple[str, ...]:
        """The hosted domains, the first one first."""
        return self._settings.hosted_domains

    def check_domain(self, domain: str) -> None:
        """Raises DomainNotAllowed for single labels and literals outside Test Mail Mode (O15)."""
        if not self._settings.test_mode and not is_full_domain(domain):
            raise DomainNotAllowed(domain)

    def is_local(self, address: smtp_address.Address) -> bool:
        """Is its domain hosted here?  <Postmaster> has none and always is (RFC 5321 §4.5.1)."""
        return not address.domain or address.domain in self.domains

    def find_recipient(self, address: smtp_address.Address) -> Recipient | None:
        """Whose address it is; None: nobody's.  Raises DomainNotAllowed, and NotLocal for a domain of others."""
        if address.domain:
            self.check_domain(address.domain)
        if not self.is_local(address):
            raise NotLocal(str(address))
        if not address.local.isprintable():  # PostgreSQL stores no NUL, so it has none to compare
            return None
        if is_rewritten(address.local):
            return self._find_returned(address)
        name, detail = split_detail(fold(address.local))
        mailboxes, outside = self._remembered(name, address.domain or self.domains[0])
        takes_reports = name in TAKES_REPORTS
        is_somebodys = mailboxes or outside or takes_reports
        return Recipient(address, mailboxes, detail, takes_reports, outside) if is_somebodys else None

    def _find_returned(self, address: smtp_address.Address) -> Recipient | None:
        """Of a sender we rewrote: whom it stands for.  None: forged, or too old."""
        try:
            original = reverse(address.local, self._srs_key.octets(), self._parts.clock.now())
        except NoSuchMailbox:
            return None
        return Recipient(address, (), outside=(str(original),), takes_bounces_alone=True)

    def remembers(self, address: smtp_address.Address) -> bool:
        """Does find_recipient answer without asking the database?  Then asyncio may call it where it stands."""
        name, _detail = split_detail(fold(address.local))
        return self._find_remembered(name, address.domain or self.domains[0]) is not None

    def may_send_as(self, mailbox: str, address: smtp_address.Address) -> bool:
        """May the person of `mailbox` write from `address`?  From each whose mail reaches them.

        Raises DomainNotAllowed.
        """
        if not self.is_local(address):
            return False
        recipient = self.find_recipient(address)
        return recipient is not None and any(hosted.name == mailbox for hosted in recipient.mailboxes)

    def addresses_of(self, mailbox: str) -> Sequence[str]:
        """The addresses of a mailbox, its own at the first domain first; a catch-all is none."""
        with self._parts.public.session() as db:
            return addresses_of(db, mailbox, self.domains)

    def _find_remembered(self, name: str, domain: str) -> Reached | None:
        known = self._found.get((name, domain))
        is_fresh = known is not None and self._parts.clock.monotonic_s() - known[0] < KEPT_S
        return known[1] if known is not None and is_fresh else None

    def _remembered(self, name: str, domain: str) -> Reached:
        known = self._find_remembered(name, domain)
        if known is not None:
            return known
        from mailsite_ext.domains import service  # it asks this module whose an address is

        now = self._parts.clock.monotonic_s()
        with self._parts.public.session() as db:
            found = find_reached(db, name, domain)
            if name in ALWAYS_TAKEN and not any(found):
                service.ensure_admin_mailbox(self._parts, db)
                found = find_reached(db, name, domain)
        if len(self._found) >= KEPT:
            self._found.clear()
        if any(found):
            self._found[name, domain] = now, found
        else:
            self._found.pop((name, domain), None)
        return found


def find_reached(db: Session, name: str, domain: str) -> Reached:
    """The mailboxes and the addresses elsewhere that a folded `name` at `domain` leads to."""
    same = OutsideAlias.local_part == name, OutsideAlias.domain.in_([domain, EVERY_DOMAIN])
    outside = tuple(db.scalars(select(OutsideAlias.target).where(*same).distinct().order_by(OutsideAlias.target)))
    return (find_named if outside else find_mailboxes)(db, name, domain), outside


def find_mailboxes(db: Session, name: str, domain: str) -> tuple[Hosted, ...]:
    """The mailboxes that mail for a folded `name` at `domain` reaches.

    What the address names comes before what stands for all: a mailbox's name and aliases, then for reserved names the
    admins, then the domain's catch-all, then that of every domain.  A closed mailbox takes none; reports are nobody's
    mail unless an alias says so.
    """
    named = find_named(db, name, domain)
    if named or name in TAKES_REPORTS:
        return named
    catch_all = _aliases(db, EVERYTHING, domain)
    if name in ALWAYS_TAKEN or (catch_all and is_reserved(name)):  # somebody's catch-all gets no admin's mail
        return tuple(_mailboxes(db, User.role == UserRole.ADMIN))
    own = [hosted for hosted, at in catch_all if at != EVERY_DOMAIN]
    return tuple(own or [hosted for hosted, _at in catch_all])


def find_named(db: Session, name: str, domain: str) -> tuple[Hosted, ...]:
    """The mailboxes that a folded `name` at `domain` names, by their own name or an alias."""
    found = [*_mailboxes(db, Mailbox.name == name), *(hosted for hosted, _at in _aliases(db, name, domain))]
    return tuple(dict.fromkeys(found))


def find_by_name(db: Session, name: str) -> Hosted | None:
    """The open mailbox of this folded name."""
    return next(iter(_mailboxes(db, Mailbox.name == name)), None)


def find_by_user(db: Session, user_id: int) -> Hosted | None:
    """The open mailbox of a person."""
    return next(iter(_mailboxes(db, Mailbox.user_id == user_id)), None)


def addresses_of(db: Session, mailbox: str, domains: Sequence[str]) -> Sequence[str]:
    """The addresses of a mailbox at the hosted `domains`, its own at the first one first; a catch-all is none."""
    aliases = select(Address.local_part, Address.domain).join(Mailbox).where(Mailbox.name == mailbox)
    rows = db.execute(aliases.where(Address.local_part != EVERYTHING).order_by(Address.local_part)).all()
    own = [f"{mailbox}@{domain}" for domain in domains]
    further = [f"{local}@{name}" for local, at in rows for name in domains if at in (EVERY_DOMAIN, name)]
    return list(dict.fromkeys([*own, *further]))


def _mailboxes(db: Session, condition: ColumnElement[bool]) -> Sequence[Hosted]:
    return [_hosted(row) for row in db.execute(_OPEN.where(condition).order_by(Mailbox.id))]


def _aliases(db: Session, name: str, domain: str) -> Sequence[tuple[Hosted, str]]:
    """The mailboxes an alias leads to, each with the domain the alias stands at."""
    query = _OPEN.join(Address, Address.mailbox_id == Mailbox.id).add_columns(Address.domain)
    query = query.where(Address.local_part == name, Address.domain.in_([domain, EVERY_DOMAIN]))
    return [(_hosted(row), row.domain) for row in db.execute(query.order_by(Mailbox.id))]


def _hosted(row: Row[*tuple[Any, ...]]) -> Hosted:
    return Hosted(
        row.id,
        row.name,
        row.user_id,
        row.quota_octets,
        frozenset(row.hidden_capabilities.upper().split()),
        forward_to=row.forward_to if row.may_forward else "",
        keeps_copy=row.keeps_copy,
    )


_OPEN = (
    select(
        Mailbox.id,
        Mailbox.name,
        Mailbox.user_id,
        Mailbox.quota_octets,
        Mailbox.hidden_capabilities,
        Mailbox.may_forward,
        Mailbox.forward_to,
        Mailbox.keeps_copy,
    )
    .join(User, User.id == Mailbox.user_id)
    .where(Mailbox.state == MailboxState.OPEN)
)
