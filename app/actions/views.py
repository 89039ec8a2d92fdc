"""POST /mail/actions: what people do to messages, from forms and from script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flask import Blueprint, Flask, flash, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup

from app.actions import service
from app.actions.models import Action
from app.actions.words import done_words, refused_words
from app.errors import BadInput, MailError, NotFound, http_status
from app.mirror.flags import FLAGGED, SEEN
from app.mirror.queries import conversation_members
from app.runtime import runtime
from app.users.sessions import ask_to_sign_in
from app.users.views import safe_next
from app.web.ids import is_row_id

bp = Blueprint("actions", __name__, url_prefix="/mail/actions")

Deed = Callable[[Sequence[int], str], Action | None]


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
    messages are seen in.  Script gets JSON
    {words, undo}, a form a redirect to `next`.
    """
    return _answered(_act)


def _act() -> ResponseReturnValue:
    name, _colon, object_ = request.form.get("do", "").partition(":")
    deed = DEEDS.get(name)
    if deed is None:
        raise BadInput("do", _("This cannot be done to a message."))
    action = deed(_chosen(name), object_ or request.form.get("target", ""))
    if action is None:
        return _answer(_("Nothing to change."))
    words = done_words(g.db, action)
    return _answer(words, action_id=action.id)


@bp.post("/<int:action_id>/undo")
def undo(action_id: int) -> ResponseReturnValue:
    return _answered(lambda: _undo(action_id))


def _undo(action_id: int) -> ResponseReturnValue:
    parts = runtime()
    service.undo(g.db, current_user.id, action_id, parts.clock, parts.bus)
    return _answer(_("Undone."))


def take_refusals() -> list[str]:
    """What servers refused, in words, for a page that shows it: each refusal once."""
    if not current_user.is_authenticated:
        return []
    refused = service.refused_actions(g.db, current_user.id)
    words = [refused_words(g.db, action) for action in refused]
    if refused:
        service.mark_noticed(g.db, current_user.id, [action.id for action in refused])
    return words


def _chosen(deed: str) -> Sequence[int]:
    """The messages that are meant."""
    ids = [int(text) for text in request.values.getlist("message") if is_row_id(text)][: service.MAX_AT_ONCE + 1]
    if not ids:
        raise BadInput("message", _("Choose a message first."))
    if request.form.get("view") == "conversations" and deed not in ONE_BY_ONE:
        return conversation_members(g.db, current_user.id, ids, limit=service.MAX_AT_ONCE)
    return ids


def _flags(verb: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Deed:
    def flag(ids: Sequence[int], _object: str) -> Action | None:
        parts = runtime()
        return service.flag(g.db, current_user.id, ids, add, remove, parts.clock, parts.bus, deed=verb)

    return flag


def _plain(deed: Callable[..., Action | None]) -> Deed:
    def plain(ids: Sequence[int], _object: str) -> Action | None:
        parts = runtime()
        return deed(g.db, current_user.id, ids, parts.clock, parts.bus)

    return plain


def _move(ids: Sequence[int], target: str) -> Action | None:
    parts, seen_in = runtime(), request.form.get("folder", "")
    shown = int(seen_in) if is_row_id(seen_in) else None
    return service.move(g.db, current_user.id, ids, _target(target), parts.clock, parts.bus, seen_in=shown)


def _copy(ids: Sequence[int], target: str) -> Action | None:
    parts = runtime()
    return service.copy(g.db, current_user.id, ids, _target(target), parts.clock, parts.bus)


def _target(folder: str) -> int:
    if not is_row_id(folder):
        raise BadInput("target", _("Choose a folder."))
    return int(folder)


def _labels(*, adds: bool) -> Deed:
    def label(ids: Sequence[int], name: str) -> Action | None:
        if not name.strip():
            raise BadInput("label", _("Name a label."))
        parts = runtime()
        add, remove = ([name], []) if adds else ([], [name])
        return service.label(g.db, current_user.id, ids, add, remove, parts.clock, parts.bus)

    return label


DEEDS: Mapping[str, Deed] = {
    "read": _flags("read", add=[SEEN]),
    "unread": _flags("unread", remove=[SEEN]),
    "star": _flags("star", add=[FLAGGED]),
    "unstar": _flags("unstar", remove=[FLAGGED]),
    "archive": _plain(service.archive),
    "delete": _plain(service.delete),
    "junk": _plain(service.junk),
    "not-junk": _plain(service.not_junk),
    "move": _move,
    "copy": _copy,
    "label": _labels(adds=True),
    "unlabel": _labels(adds=False),
}
ONE_BY_ONE = frozenset({"star"})
"""Deeds that are done to the message itself where a conversation is listed."""


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


def _answer(words: str, action_id: int | None = None) -> ResponseReturnValue:
    undo_url = url_for(".undo", action_id=action_id) if action_id else None
    if _wants_json():
        return jsonify(words=words, undo=undo_url, action=action_id)
    notice = render_template("actions/done.html", words=words, undo_url=undo_url)
    flash(Markup(notice), "ok")  # noqa: S704  a template of ours, escaped by it
    return redirect(_next(), 303)


def _next() -> str:
    return safe_next(request.form.get("next", "/"))
