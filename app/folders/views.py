"""The page of an account's folders: new ones, other names and places, deletion, subscriptions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Flask, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts.models import MailAccount
from app.accounts.pages import own_account
from app.errors import BadInput
from app.folders import paths, service
from app.folders.forms import FolderForm
from app.folders.models import FolderDeed
from app.folders.words import refused_words, waiting_words
from app.mirror.models import Folder
from app.mirror.queries import folder_tree
from app.mirror.tree import FolderRow
from app.runtime import runtime
from app.users.sessions import ask_to_sign_in
from app.users.settings_views import sections
from app.web.forms import choices, text_of

bp = Blueprint("folders", __name__, url_prefix="/mail/accounts/<int:account_id>/folders")


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.before_request
def require_sign_in() -> ResponseReturnValue | None:
    """Every page here is somebody's own."""
    return None if current_user.is_authenticated else ask_to_sign_in()


@bp.context_processor
def side() -> dict[str, Any]:
    return {"sections": sections(), "may_change": service.may_change}


@bp.route("", methods=["GET", "POST"])
def index(account_id: int) -> ResponseReturnValue:
    account, form = own_account(account_id), FolderForm()
    if request.args.get("fragment"):
        return render_template("folders/_folders.html", **_listed(account))
    _offer_parents(form, account)
    if form.validate_on_submit() and _take(form, lambda: _create(account, form)):
        return _back(account)
    return _page("folders/index.html", form, **_listed(account))


def _create(account: MailAccount, form: FolderForm) -> None:
    service.create(runtime(), g.db, account, text_of(form.name), form.parent.data or None)


@bp.route("/<int:folder_id>", methods=["GET", "POST"])
def edit(account_id: int, folder_id: int) -> ResponseReturnValue:
    account = own_account(account_id)
    folder, form = service.get_folder(g.db, account, folder_id), FolderForm()
    _offer_parents(form, account, without=folder)
    if not form.is_submitted():
        _fill(form, account, folder)
    elif form.validate() and _take(form, lambda: _rename(account, folder, form)):
        return _back(account)
    return _page("folders/edit.html", form, account=account, folder=folder)


def _fill(form: FolderForm, account: MailAccount, folder: Folder) -> None:
    parent = paths.parent_of(folder.name, folder.delimiter)
    above = [other.id for other in service.list_folders(g.db, account) if other.name == parent]
    form.name.data, form.parent.data = paths.leaf_of(folder.name, folder.delimiter), above[0] if above else 0


def _rename(account: MailAccount, folder: Folder, form: FolderForm) -> None:
    service.rename(runtime(), g.db, account, folder, text_of(form.name), form.parent.data or None)


@bp.route("/<int:folder_id>/delete", methods=["GET", "POST"])
def delete(account_id: int, folder_id: int) -> ResponseReturnValue:
    account = own_account(account_id)
    try:
        removal = service.plan_removal(g.db, account, service.get_folder(g.db, account, folder_id))
        if request.method == "GET":
            return render_template("folders/delete.html", account=account, removal=removal)
        service.remove(runtime(), g.db, account, removal)
    except BadInput as error:
        flash(error.detail, "bad")
    return _back(account)


@bp.post("/<int:folder_id>/subscribe")
def subscribe(account_id: int, folder_id: int) -> ResponseReturnValue:
    account = own_account(account_id)
    folder = service.get_folder(g.db, account, folder_id)
    try:
        service.subscribe(runtime(), g.db, account, folder, subscribed=request.form.get("subscribed") == "1")
    except BadInput as error:
        flash(error.detail, "bad")
    return _back(account)


@bp.post("/changes/<int:change_id>/dismiss")
def dismiss(account_id: int, change_id: int) -> ResponseReturnValue:
    account = own_account(account_id)
    service.dismiss(g.db, account, change_id)
    return _back(account)


def _take(form: FolderForm, deed: Callable[[], None]) -> bool:
    """Do what the form asks; what is wrong with it is said at its field."""
    try:
        deed()
    except BadInput as error:
        field = form.parent if error.field == "parent" else form.name
        field.errors = [error.detail]
        return False
    return True


def _offer_parents(form: FolderForm, account: MailAccount, *, without: Folder | None = None) -> None:
    """Folders that may hold others, indented as the tree shows them."""
    rows = [row for row in _tree_of(account) if row.delimiter and row.role not in ("inbox", "junk")]
    if without is not None:
        rows = [row for row in rows if row.id != without.id]
        rows = [row for row in rows if not paths.is_below(row.name, without.name, row.delimiter)]
    offered = ((str(row.id), "\N{NO-BREAK SPACE}" * 3 * row.depth + row.label) for row in rows)
    form.parent.choices = choices(("0", _("No other folder")), *offered)


def _tree_of(account: MailAccount) -> Sequence[FolderRow]:
    tree = folder_tree(g.db, current_user.id)
    return next((branch.folders for branch in tree if branch.account.id == account.id), ())


def _listed(account: MailAccount) -> dict[str, Any]:
    changes = service.list_changes(g.db, account)
    waiting = [change for change in changes if not change.refused]
    return {
        "account": account,
        "folders": _tree_of(account),
        "busy": {change.name: (change, waiting_words(change)) for change in waiting},
        "coming": [change for change in waiting if change.deed is FolderDeed.CREATE],
        "refused": [(change, refused_words(change)) for change in changes if change.refused],
    }


def _page(template: str, form: FolderForm, **shown: Any) -> ResponseReturnValue:
    return render_template(template, form=form, **shown), 422 if form.is_submitted() else 200


def _back(account: MailAccount) -> ResponseReturnValue:
    return redirect(url_for(".index", account_id=account.id), 303)
