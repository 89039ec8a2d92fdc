"""A person's pages: which of their accounts to import from, which folders, and how far it is."""

from __future__ import annotations

from collections.abc import Collection

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.extension_api import BadInput, Entry, MailAccount, NotFound, require_sign_in, runtime, settings_side
from mailsite_ext.domains.service import find_mailbox
from mailsite_ext.importing import service
from mailsite_ext.importing.queries import allows_import, find_progress, get_account, list_accounts, list_offered

MOST_FOLDERS = 10_000  # a form may name

bp = Blueprint("importing", __name__, url_prefix="/settings/import")


def require_both() -> None:
    if not allows_import(g.db):
        abort(404)


bp.before_request(require_both)
bp.before_request(require_sign_in)
bp.context_processor(settings_side)


def entry() -> Entry | None:
    """The page in the side navigation of Settings."""
    return Entry(url_for("importing.index"), _("Import mail"), "download") if allows_import(g.db) else None


@bp.get("")
def index() -> ResponseReturnValue:
    """The accounts mail can be imported from."""
    if find_mailbox(g.db, current_user.id) is None:
        return redirect(url_for("mailsite.mailbox"))
    return render_template("mailsite/import.html", accounts=list_accounts(g.db, current_user.id))


@bp.get("/<int:account_id>")
def account(account_id: int) -> ResponseReturnValue:
    """Folders to choose, or how far the import is; with ?fragment that alone, for the script that renews it."""
    return _page(_account(account_id), is_fragment="fragment" in request.args)


@bp.post("/<int:account_id>")
def start(account_id: int) -> ResponseReturnValue:
    found = _account(account_id)
    chosen = frozenset(request.form.getlist("folder")[:MOST_FOLDERS])
    is_apart = request.form.get("place") == "apart"
    try:
        service.start(runtime(), g.db, found, chosen, is_apart=is_apart)
    except BadInput:
        return _page(found, chosen, is_apart=is_apart, error=_("Choose at least one folder.")), 422
    return redirect(url_for(".account", account_id=account_id), 303)


@bp.post("/<int:account_id>/<any(pause, resume, stop):deed>")
def change_state(account_id: int, deed: str) -> ResponseReturnValue:
    service.change_state(runtime(), g.db, _account(account_id), deed)
    if deed == "stop":
        flash(_("Stopped. What was imported stays in your mailbox."), "ok")
    return redirect(url_for(".account", account_id=account_id), 303)


@bp.post("/<int:account_id>/try-again")
def try_again(account_id: int) -> ResponseReturnValue:
    """What could not be imported."""
    service.try_again(runtime(), g.db, _account(account_id))
    return redirect(url_for(".account", account_id=account_id), 303)


def _account(account_id: int) -> MailAccount:
    """Raises NotFound also for whoever has no mailbox to import into."""
    if find_mailbox(g.db, current_user.id) is None:
        raise NotFound
    return get_account(g.db, current_user.id, account_id)


def _page(
    account: MailAccount,
    chosen: Collection[str] | None = None,
    *,
    is_apart: bool | None = None,
    error: str = "",
    is_fragment: bool = False,
) -> str:
    """`chosen` None: those of the import before, or those usually wanted."""
    progress = find_progress(g.db, account.id)
    folders = list_offered(g.db, account)
    if chosen is None and progress is not None:
        chosen = {folder.name for folder in progress.folders}
    if chosen is None:
        chosen = {folder.name for folder in folders if folder.is_chosen}
    if is_apart is None:
        is_apart = progress is not None and progress.imported.is_apart
    return render_template(
        "mailsite/_import-account.html" if is_fragment else "mailsite/import-account.html",
        account=account,
        progress=progress,
        is_at_work=progress is not None and progress.imported.state in service.AT_WORK,
        can_retry=progress is not None and progress.imported.state in service.CAN_RETRY,
        folders=folders,
        chosen=chosen,
        is_apart=is_apart,
        error=error,
    )
