"""Mails about people's own sign-in, and what leads to them: run in the background, where time tells nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config import Config
from app.errors import MailError
from app.mail_services.models import NoticeTransport, RegistrationPolicy
from app.notices.notice import Notice
from app.notices.service import load_registration, send
from app.runtime import Runtime
from app.users import service
from app.users.models import LinkPurpose, User, UserRole, UserState
from app.web.babel import LANGUAGES

log = logging.getLogger(__name__)


def link_address(config: Config, purpose: LinkPurpose, token: str) -> str:
    """The whole address of a one-time link."""
    return f"{config.base_url}/{purpose}/{token}"


def sends_mail(db: Session) -> bool:
    """Can this site send mails of its own?"""
    return load_registration(db).transport != NoticeTransport.NONE


def mail_reset(parts: Runtime, email: str) -> None:
    """The way to a new password, to who has an account; nothing to anybody else."""
    with parts.public.session() as db:
        made = service.make_reset_link(db, email, parts.clock.now())
    if made is None:
        return
    user, token = made
    with force_locale(user.language or LANGUAGES[0]):
        notice = _reset_notice(user, link_address(parts.config, LinkPurpose.RESET, token))
    _send(parts, notice)


def register(parts: Runtime, policy: RegistrationPolicy, email: str, name: str, password: str) -> None:
    """Make the account, if the address has none, and send what the policy wants sent."""
    with parts.public.session() as db:
        made = service.register(db, policy, email, name, password, parts.clock.now())
        admins = db.scalars(select(User.email).where(User.role == UserRole.ADMIN, User.state == UserState.ACTIVE)).all()
        if not sends_mail(db):
            return
    with force_locale(LANGUAGES[0]):
        for notice in _register_notices(parts.config, policy, email, made, admins):
            _send(parts, notice)


def _register_notices(
    config: Config, policy: RegistrationPolicy, email: str, made: tuple[User, str] | None, admins: Sequence[str]
) -> list[Notice]:
    if made is None:
        return [_has_account_notice(config, email)]
    if policy == RegistrationPolicy.ACTIVATION:
        return [_activate_notice(made[0], link_address(config, LinkPurpose.ACTIVATE, made[1]))]
    if policy == RegistrationPolicy.APPROVAL:
        return [_waiting_notice(config, admin, made[0]) for admin in admins]
    return []


def mail_link(parts: Runtime, user: User, purpose: LinkPurpose, token: str) -> None:
    """An invitation or a reset made by an admin, to the person it is for."""
    address = link_address(parts.config, purpose, token)
    with force_locale(user.language or LANGUAGES[0]):
        notice = _reset_notice(user, address) if purpose == LinkPurpose.RESET else _invite_notice(user, address)
    _send(parts, notice)


def mail_approved(parts: Runtime, user: User) -> None:
    """An admin has let them in."""
    with force_locale(user.language or LANGUAGES[0]):
        subject = _("Your Satchel account is open")
        text = _("An admin has approved your account. Sign in at %(address)s", address=parts.config.base_url)
    _send(parts, Notice(user.email, subject, text))


def _send(parts: Runtime, notice: Notice) -> None:
    try:
        send(parts, notice)
    except MailError as error:
        log.warning("a notice was not sent: %s: %s", type(error).__name__, error.detail)


def _reset_notice(user: User, address: str) -> Notice:
    text = _(
        "Someone, probably you, asked for a new password for %(email)s.\n\nChoose it here within 24 hours; the link "
        "works once:\n\n%(address)s\n\nIf it was not you, nothing has changed, and you can delete this mail.",
        email=user.email,
        address=address,
    )
    return Notice(user.email, _("Choose a new password"), text)


def _invite_notice(user: User, address: str) -> Notice:
    text = _(
        "You are invited to Satchel, webmail for the mail you already have.\n\nChoose your password here within "
        "7 days; the link works once:\n\n%(address)s\n\nAfterwards sign in with %(email)s.",
        email=user.email,
        address=address,
    )
    return Notice(user.email, _("Your invitation to Satchel"), text)


def _activate_notice(user: User, address: str) -> Notice:
    text = _(
        "Someone, probably you, asked for an account for %(email)s.\n\nChoose your password here within 2 days; the "
        "link works once:\n\n%(address)s\n\nIf it was not you, no account is opened, and you can delete this mail.",
        email=user.email,
        address=address,
    )
    return Notice(user.email, _("Activate your Satchel account"), text)


def _has_account_notice(config: Config, email: str) -> Notice:
    text = _(
        "Someone, probably you, asked for an account for %(email)s. You have one already.\n\nSign in, or choose a new "
        "password, at %(address)s\n\nIf it was not you, nothing has changed, and you can delete this mail.",
        email=email,
        address=config.base_url,
    )
    return Notice(email, _("You already have a Satchel account"), text)


def _waiting_notice(config: Config, admin: str, user: User) -> Notice:
    text = _(
        "%(email)s asked for an account and waits for an admin.\n\nApprove or delete it at %(address)s",
        email=user.email,
        address=f"{config.base_url}/admin/users",
    )
    return Notice(admin, _("Someone asked for an account"), text)
