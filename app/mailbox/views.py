"""The Mail activity: folder tree, list, and the message beside it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_required

from app.engine.queries import engine_is_alive
from app.errors import NoSuchMessage
from app.mailbox import notes
from app.mailbox.listing import Asked, find_place, load_listing
from app.mirror.queries import find_first_inbox, folder_tree, get_message
from app.runtime import runtime
from app.sources import Role
from app.web.filters import calendar

bp = Blueprint("mailbox", __name__, url_prefix="/mail")

FOLDER_ICONS = {
    None: "folder",
    Role.INBOX: "inbox",
    Role.DRAFTS: "draft",
    Role.SENT: "send",
    Role.ARCHIVE: "archive",
    Role.JUNK: "junk",
    Role.TRASH: "trash",
    Role.ALL: "all",
    Role.FLAGGED: "star",
    Role.IMPORTANT: "tag",
}


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.get("")
@login_required
def index() -> ResponseReturnValue:
    """Where the Mail activity begins: the first inbox, or what to do when there is none yet."""
    inbox = find_first_inbox(g.db, current_user.id)
    if inbox is not None:
        return redirect(url_for(".folder", folder_id=inbox.id))
    return render_template("mailbox/empty.html", **_side())


@bp.get("/tree")
@login_required
def tree() -> ResponseReturnValue:
    """The folder tree alone, for a page that is open; `folder` is the one it shows."""
    return render_template("mailbox/_tree.html", **_side(request.args.get("folder", 0, int)))


@bp.get("/folder/<int:folder_id>")
@login_required
def folder(folder_id: int) -> ResponseReturnValue:
    """A folder's list: the whole page, or its rows alone with `fragment=rows`."""
    page = _list_page(folder_id)
    if request.args.get("fragment") == "rows":
        return render_template("mailbox/_rows.html", **page)
    return render_template("mailbox/mailbox.html", view="list", **page)


@bp.get("/folder/<int:folder_id>/message/<int:message_id>")
@login_required
def message(folder_id: int, message_id: int) -> ResponseReturnValue:
    """A message opened from a folder's list: the whole page, or its pane alone with `fragment=message`."""
    ...


def _side(folder_id: int = 0) -> dict[str, Any]:
    """What the folder tree needs."""
    now = runtime().clock.now()
    dates = calendar()
    accounts = folder_tree(g.db, current_user.id)
    return {
        "tree": accounts,
        "folder_id": folder_id,
        "icons": FOLDER_ICONS,
        "notes": {tree.account.id: notes.find_note(tree.account, dates) for tree in accounts},
        "progress": {tree.account.id: notes.find_progress(tree.account) for tree in accounts},
        "engine_alive": engine_is_alive(g.db, now),
    }


def _list_page(folder_id: int, opened_id: int = 0) -> dict[str, Any]:
    """What the list needs, and the tree beside it.  Raises NoSuchFolder."""
    side = _side(folder_id)
    account, folder = find_place(side["tree"], folder_id)
    asked = Asked.of(request.args, conversations=current_user.conversations)
    listing = load_listing(g.db, account, folder, asked, calendar())
    name = _("Inbox") if folder.role is Role.INBOX else folder.label
    return {
        **side,
        "account": account,
        "folder": folder,
        "folder_name": name,
        "place": f"{name}, {account.account.label}",
        "listing": listing,
        "asked": asked,
        "opened_id": opened_id,
    }
