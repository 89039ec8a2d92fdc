"""The Mail activity: folder tree, list, and the message beside it."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Flask, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.actions.views import take_refusals
from app.errors import NoSuchMessage
from app.mailbox.listing import Asked, find_neighbours, find_place, load_listing
from app.mailbox.several import find_inboxes, load_several, print_several
from app.mailbox.side import Side, load_side
from app.messages.reading import mark_read, open_asked_conversation
from app.mirror.queries import find_first_inbox
from app.runtime import runtime
from app.sources import Role
from app.users.sessions import ask_to_sign_in
from app.web.filters import calendar
from app.web.ids import row_id

bp = Blueprint("mailbox", __name__, url_prefix="/mail")


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.add_template_global(side_of_request, "mail_side")


@bp.before_request
def require_sign_in() -> ResponseReturnValue | None:
    """Every page here is somebody's own."""
    return None if current_user.is_authenticated else ask_to_sign_in()


def side_of_request(folder_id: int = 0) -> Side:
    """The folder tree of whoever asks, for every page of the Mail activity; `folder_id` is the one it shows."""
    return load_side(g.db, current_user.id, runtime().clock.now(), calendar(), folder_id)


@bp.get("")
def index() -> ResponseReturnValue:
    """Where the Mail activity begins: the first inbox, or what to do when there is none yet."""
    inbox = find_first_inbox(g.db, current_user.id)
    if inbox is not None:
        return redirect(url_for(".folder", folder_id=inbox.id))
    return render_template("mailbox/empty.html", side=side_of_request())


@bp.get("/tree")
def tree() -> ResponseReturnValue:
    """The folder tree of an open page, and what servers refused meanwhile; `folder` is the one it shows."""
    side = side_of_request(request.args.get("folder", 0, row_id))
    return render_template("mailbox/_tree.html", side=side, refusals=take_refusals())


@bp.get("/keys")
def keys() -> ResponseReturnValue:
    """The sheet of keys, fetched when somebody asks for it."""
    return render_template("mailbox/_keys.html")


@bp.get("/folder/<int:folder_id>")
def folder(folder_id: int) -> ResponseReturnValue:
    """A folder's list: the whole page, or its rows alone with `fragment=rows`."""
    page = _with_rows(_place(folder_id))
    template = "mailbox/_rows.html" if request.args.get("fragment") == "rows" else "mailbox/mailbox.html"
    return render_template(template, view="list", **page)


@bp.get("/inboxes")
def inboxes() -> ResponseReturnValue:
    """The inboxes of all accounts as one list: the whole page, or its rows alone with `fragment=rows`."""
    side = side_of_request()
    asked = Asked.of(request.args, conversations=current_user.conversations)
    places = find_inboxes(side.tree)
    found = load_several(g.db, places, asked)
    rows = print_several(found.rows, found.where, lambda place, _row: place.account.account.label)
    query: dict[str, Any] = asked.address()
    here = url_for(".inboxes", **query)
    page = {"side": side, "asked": asked, "rows": rows, "older": found.older, "place": _("All inboxes"), "here": here}
    if request.args.get("fragment") == "rows":
        return render_template("mailbox/_inbox-rows.html", **page)
    unread = sum(place.folder.unread for place in places)
    folders = [place.folder.id for place in places]
    return render_template("mailbox/inboxes.html", view="list", role="inbox", folders=folders, unread=unread, **page)


@bp.get("/folder/<int:folder_id>/message/<int:message_id>")
def message(folder_id: int, message_id: int) -> ResponseReturnValue:
    """A message opened from a folder's list: the whole page, or its pane alone with `fragment=message`.

    The pane alone is also fetched ahead, so it marks nothing read: the page does once it was shown.
    """
    place = _place(folder_id)
    conversation = open_asked_conversation(message_id)
    opened = conversation.opened[message_id]
    if opened.message.account_id != place["account"].account.id:
        raise NoSuchMessage
    here = partial(url_for, ".message", folder_id=folder_id, **place["asked"].address())
    place |= {"open_conversation": conversation, "opened_id": message_id, "here": here}
    if request.args.get("fragment") == "message":
        return render_template("mailbox/_pane.html", **place)
    if current_user.mark_read_after_s == 0:
        mark_read(opened)
    return render_template("mailbox/mailbox.html", view="message", **_with_rows(place))


def _place(folder_id: int) -> dict[str, Any]:
    """The folder that is asked for, its account, and the tree around it.  Raises NoSuchFolder."""
    side = side_of_request(folder_id)
    account, folder = find_place(side.tree, folder_id)
    name = _("Inbox") if folder.role is Role.INBOX else folder.label
    return {
        "side": side,
        "account": account,
        "folder": folder,
        "folder_name": name,
        "place": f"{name}, {account.account.label}",
        "asked": Asked.of(request.args, conversations=current_user.conversations),
        "opened_id": 0,
        "neighbours": (0, 0),
    }


def _with_rows(place: dict[str, Any]) -> dict[str, Any]:
    opened_id = place["opened_id"]
    listing = load_listing(g.db, place["account"], place["folder"], place["asked"], calendar(), opened_id)
    return {**place, "listing": listing, "neighbours": find_neighbours(listing.rows, opened_id)}
