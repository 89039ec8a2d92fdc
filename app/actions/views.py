"""POST /mail/actions: what people do to messages, from forms and from script."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, Flask, flash, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup

from app.actions import bulk, refusals, service
from app.actions.deeds import ONE_BY_ONE, Doer, find_deed
from app.actions.models import BulkState
from app.actions.words import bulk_words, done_words, folder_words, refused_words
from app.errors import BadInput, MailError, NotFound, http_status
from app.mirror.queries import FILTERS, ListFilter, conversation_members, get_folder, split_by_folder
from app.runtime import runtime
from app.users.sessions import ask_to_sign_in
from app.users.views import safe_next
from app.web.ids import is_row_id

MAX_FOLDERS = 50
"""That one deed on found messages may touch."""

bp = Blueprint("actions", __name__, url_prefix="/mail/actions")


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.context_processor(lambda: {"take_refusals": take_refusals})


@bp.before_request
def require_sign_in() -> ResponseReturnValue | None:
    """Everybody acts on their own mail."""
    return None if current_user.is_authenticated else ask_to_sign_in()


@bp.post("")
def act() -> ResponseReturnValue:
    """Do `do` to the messages `message`; with `view=conversations`, to all of their conversations in the folder.

    `do` is a name of DEEDS; for move and copy with the folder's id, "move:12" or in `target`; `folder` is the one the
    messages are seen in.  With `all=1` it is done to everything in that folder that passes `filter`.  Script gets JSON
    {words, undo}, a form a redirect to `next`.
    """
    return _answered(_act)


def _act() -> ResponseReturnValue:
    name, _colon, object_ = request.form.get("do", "").partition(":")
    deed, object_ = find_deed(name), object_ or request.form.get("target", "")
    if request.form.get("all") == "1":
        return _act_on_all(name, object_)
    by_folder = split_by_folder(g.db, current_user.id, _chosen(name))
    done = [action for ids in by_folder if (action := deed(_doer(), ids, object_)) is not None]
    if not done:
        in_trash = _("In Trash already. Open Trash to delete it for good.")
        return _answer(in_trash if name == "delete" else _("Nothing to change."))
    first, *others = done
    undo_url = url_for(".undo", action_id=first.id, also=[action.id for action in others])
    return _answer(done_words(g.db, done), undo_url, first.id)


def _act_on_all(name: str, object_: str) -> ResponseReturnValue:
    """Do it to all messages of the folder that pass the list's filter."""
    folder = get_folder(g.db, current_user.id, _shown_folder())
    if name == "delete" and folder.role in service.FINAL_IN and request.form.get("confirmed") != "1":
        raise BadInput("do", _("Use “Empty” above the list: it deletes everything in this folder for good."))
    filter = FILTERS.get(request.form.get("filter", ""), ListFilter.ALL)
    by_conversation = request.form.get("view") == "conversations"
    started = bulk.start(_doer(), folder, name, object_, filter, conversations=by_conversation)
    return _answer(bulk_words(g.db, started), url_for(".undo_bulk", bulk_id=started.id))


def _shown_folder() -> int:
    """The folder the messages are seen in; 0, which none has, where the form does not say."""
    shown = request.form.get("folder", "")
    return int(shown) if is_row_id(shown) else 0


def _doer() -> Doer:
    parts = runtime()
    return Doer(g.db, current_user.id, parts.clock, parts.bus, _shown_folder() or None)


@bp.get("/empty/<int:folder_id>")
def empty(folder_id: int) -> ResponseReturnValue:
    """Asks before everything in Trash or Junk is deleted for good; the form it shows is one of `act`."""
    folder = get_folder(g.db, current_user.id, folder_id)
    if folder.role not in service.FINAL_IN:
        raise NotFound
    return render_template("actions/empty.html", folder=folder, place=folder_words(g.db, folder.id))


@bp.post("/bulk/<int:bulk_id>/undo")
def undo_bulk(bulk_id: int) -> ResponseReturnValue:
    return _answered(lambda: _undo_bulk(bulk_id))


def _undo_bulk(bulk_id: int) -> ResponseReturnValue:
    undone = bulk.undo(_doer(), bulk_id)
    return _answer(_("Undone.") if undone.state is BulkState.UNDONE else _("Being undone."))


@bp.post("/<int:action_id>/undo")
def undo(action_id: int) -> ResponseReturnValue:
    return _answered(lambda: _undo(action_id))


def _undo(action_id: int) -> ResponseReturnValue:
    """`also` names the other actions of one deed: found messages may be of several folders."""
    parts = runtime()
    also = [int(text) for text in request.args.getlist("also")[:MAX_FOLDERS] if is_row_id(text)]
    for each in (action_id, *also):
        service.undo(g.db, current_user.id, each, parts.clock, parts.bus)
    return _answer(_("Undone."))


def take_refusals() -> list[str]:
    """What servers refused, in words, for a page that shows it: each refusal once."""
    if not current_user.is_authenticated:
        return []
    refused = refusals.refused_actions(g.db, current_user.id)
    words = list(dict.fromkeys(refused_words(g.db, action) for action in refused))  # bulk deeds are many actions
    if refused:
        refusals.mark_noticed(g.db, current_user.id, [action.id for action in refused])
    return words


def _chosen(deed: str) -> Sequence[int]:
    """The messages that are meant."""
    ids = [int(text) for text in request.values.getlist("message") if is_row_id(text)][: service.MAX_AT_ONCE + 1]
    if not ids:
        raise BadInput("message", _("Choose a message first."))
    if request.form.get("view") == "conversations" and deed not in ONE_BY_ONE:
        return conversation_members(g.db, current_user.id, ids, limit=service.MAX_AT_ONCE)
    return ids


def _wants_json() -> bool:
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


def _answered(work: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
    """Faults in the form that was asked for: {error} for script, a notice on the page it came from for a form."""
    try:
        return work()
    except MailError as error:
        words = error.detail or _("These messages are no longer there.")
        if _wants_json():
            return jsonify(error=words), http_status(error)
        if isinstance(error, NotFound):
            raise
        flash(words, "bad")
        return redirect(_next(), 303)


def _answer(words: str, undo_url: str | None = None, action_id: int | None = None) -> ResponseReturnValue:
    if _wants_json():
        return jsonify(words=words, undo=undo_url, action=action_id)
    notice = render_template("actions/done.html", words=words, undo_url=undo_url)
    flash(Markup(notice), "ok")  # noqa: S704  a template of ours, escaped by it
    return redirect(_next(), 303)


def _next() -> str:
    return safe_next(request.form.get("next", "/"))
