"""The Administration activity: one blueprint, open to admins alone, to which each concern adds its pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.errors import NotAllowed
from app.extensions import registry
from app.users.models import UserRole
from app.users.sessions import ask_to_sign_in
from app.web.sections import Entry, Section

bp = Blueprint("admin", __name__, url_prefix="/admin")


@bp.before_request
def require_admin() -> ResponseReturnValue | None:
    """Strangers are asked to sign in, others are told who could."""
    if not current_user.is_authenticated:
        return ask_to_sign_in()
    if current_user.role is not UserRole.ADMIN:
        raise NotAllowed
    return None


@bp.get("")
def index() -> ResponseReturnValue:
    """Where the navigation leads: the first page of the activity."""
    return redirect(url_for("admin.mail_services"))


@bp.context_processor
def side() -> dict[str, Any]:
    return {"sections": sections()}


def sections() -> Sequence[Section]:
    """The side navigation of the Administration activity."""
    mail = [
        Entry(url_for("admin.mail_services"), _("Mail Services"), "mail"),
        Entry(url_for("admin.oauth"), _("Sign-in with providers"), "link"),
    ]
    people = [
        Entry(url_for("admin.users"), _("Users"), "users"),
        Entry(url_for("admin.registration"), _("Account Registration"), "user"),
        Entry(url_for("admin.failed_sign_ins"), _("Failed sign-ins"), "shield"),
        Entry(url_for("admin.credentials"), _("Stored credentials"), "key"),
    ]
    hosting = [found for entry in registry().admin_entries if (found := entry()) is not None]
    running = [Entry(url_for("admin.machines"), _("Manage Machines"), "server")]
    named = ((_("Mail"), mail), (_("Hosting"), hosting), (_("Running"), running), (_("People"), people))
    return [Section(title, entries) for title, entries in named if entries]
