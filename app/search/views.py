"""The page of a search: what is found, newest first, and the searches a person keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Flask, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.errors import BadInput
from app.mailbox.listing import asked_rows
from app.mailbox.several import Place, print_several
from app.mailbox.side import Side
from app.mailbox.views import side_of_request
from app.mirror.queries import Cursor, ListRow
from app.runtime import runtime
from app.search import service
from app.search.models import SavedSearch
from app.search.query import MAX_CHARS, Query, clean, parse
from app.search.service import Found, Scope
from app.sources import Role
from app.users.sessions import ask_to_sign_in
from app.web.filters import calendar
from app.web.ids import is_row_id

bp = Blueprint("search", __name__, url_prefix="/mail/search")


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.before_request
def require_sign_in() -> ResponseReturnValue | None:
    """Everybody searches their own mail."""
    return None if current_user.is_authenticated else ask_to_sign_in()


@bp.get("")
def results() -> ResponseReturnValue:
    """`q` is what to look for, `scope` where; the whole page, or its rows alone with `fragment=rows`."""
    text, scope = clean(request.args.get("q", "")), Scope.of(request.args.get("scope", ""))
    query = parse(text, calendar().style.today)
    side = side_of_request()
    places = service.find_places(side.tree, scope, query)
    before = Cursor.decode(request.args.get("before", ""))
    limit = asked_rows(request.args.get("limit", ""))
    found = _find(text, query, scope, places, before, limit)
    here = url_for(".results", q=text or None, scope=scope.encode() or None)
    page = {"text": text, "scope": scope.encode(), "query": query, "found": found, "here": here, "is_empty": not text}
    page |= _shown(side, found, places)
    if request.args.get("fragment") == "rows":
        return render_template("search/_rows.html", **page)
    scopes = _scopes(side, scope)
    return render_template("search/search.html", view="list", scopes=scopes, saved=_saved(), **page)


def _find(text: str, query: Query, scope: Scope, places: Sequence[Place], before: Cursor | None, limit: int) -> Found:
    if query.is_empty:
        return Found((), None, (), (), 0)
    zone = calendar().style.zone
    return service.search(
        runtime(), g.db, current_user.id, text, query, scope, places, zone, before=before, limit=limit
    )


def _shown(side: Side, found: Found, places: Sequence[Place]) -> dict[str, Any]:
    where = {place.folder.id: place for place in places}
    rows = print_several(found.rows, where, _folder_label)
    return {"side": side, "rows": rows, "folders": list(where), "place": _("Search")}


def _folder_label(place: Place, row: ListRow) -> str:
    """The name of the folder, where it says something; on Gmail its labels."""
    return row.labels if place.folder.role in (Role.INBOX, Role.ALL) else place.folder.label


def _scopes(side: Side, scope: Scope) -> Sequence[tuple[str, str]]:
    """What may be chosen: encoded scopes and their names; the folder is the one the search began in."""
    offered = [("", _("All mail"))]
    shown = request.args.get("folder", "")
    folder_id = scope.id if scope.kind == "folder" else int(shown) if is_row_id(shown) else 0
    for branch in side.tree:
        folder = next((folder for folder in branch.folders if folder.id == folder_id), None)
        if len(side.tree) > 1 or (scope.kind, scope.id) == ("account", branch.account.id):
            offered.append((Scope("account", branch.account.id).encode(), branch.account.label))
        if folder is not None:
            name = _("Inbox") if folder.role is Role.INBOX else folder.label
            offered.append((Scope("folder", folder.id).encode(), name))
    return offered


def _saved() -> Sequence[SavedSearch]:
    return service.list_saved(g.db, current_user.id)


@bp.post("/saved")
def save() -> ResponseReturnValue:
    text, name = clean(request.form.get("q", "")), clean(request.form.get("name", ""))[:100]
    try:
        service.save(g.db, current_user.id, name or text[:100], text)
    except BadInput as error:
        flash(error.detail, "bad")
    return redirect(url_for(".results", q=text[:MAX_CHARS]), 303)


@bp.post("/saved/<int:search_id>/remove")
def remove(search_id: int) -> ResponseReturnValue:
    service.remove(g.db, current_user.id, search_id)
    return redirect(url_for(".results"), 303)
