"""The outbox: what waits, what went wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Flask, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.bus import Bell, Topic
from app.compose import service as drafts
from app.compose.models import Draft
from app.errors import NotFound
from app.extensions import registry
from app.outbox import service
from app.outbox.models import Outgoing
from app.outbox.states import OutboxState
from app.outbox.words import notice_of
from app.runtime import runtime
from app.users.sessions import ask_to_sign_in
from app.users.views import safe_next
from app.web.filters import calendar

bp = Blueprint("outbox", __name__, url_prefix="/mail/outbox")


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.add_template_global(find_just_sent, "just_sent")


@bp.before_request
def require_sign_in() -> ResponseReturnValue | None:
    """Every page here is somebody's own."""
    return None if current_user.is_authenticated else ask_to_sign_in()


def find_just_sent(uuid: str) -> tuple[Outgoing, int] | None:
    """A message that can still be taken back, and for how many seconds: what the notice after Send shows."""
    if not current_user.is_authenticated:
        return None
    try:
        outgoing = service.get_outgoing(g.db, current_user.id, uuid)
    except NotFound:
        return None
    seconds = (outgoing.not_before - runtime().clock.now()).total_seconds()
    is_held = outgoing.state is OutboxState.HELD and outgoing.attempts == 0
    return (outgoing, max(0, round(seconds))) if is_held else None


@bp.get("")
def index() -> ResponseReturnValue:
    """Everything that is not simply sent, and the drafts that wait here."""
    rows = service.list_outbox(g.db, current_user.id)
    waiting = drafts.list_drafts(g.db, current_user.id)
    dates = calendar()
    return render_template(
        "outbox/outbox.html",
        rows=[(row, notice_of(row, dates)) for row in rows],
        drafts=waiting,
        drafts_of={draft.id: draft.uuid for draft in waiting},
        panels=[panel() for panel in registry().outbox_panels],
    )


@bp.post("/<uuid>/undo")
def undo(uuid: str) -> ResponseReturnValue:
    """Take a message back, or keep one of unknown fate as a draft: its composer opens."""
    outgoing = service.get_outgoing(g.db, current_user.id, uuid)
    draft_id = outgoing.draft_id
    if not service.cancel(g.db, outgoing):
        flash(_("Too late: it is already sent."), "bad")
        return redirect(url_for(".index"), 303)
    _ring(outgoing)
    draft = g.db.get(Draft, draft_id) if draft_id else None
    if draft is None:
        return redirect(url_for(".index"), 303)
    return redirect(url_for("compose.draft", uuid=draft.uuid, back=safe_next(request.form.get("back", "/"))), 303)


@bp.post("/<uuid>/again")
def again(uuid: str) -> ResponseReturnValue:
    """Send now: the person asks for it, also where it may have been sent before."""
    return _settle(uuid, lambda outgoing: service.send_again(g.db, outgoing, runtime().clock.now()))


@bp.post("/<uuid>/sent")
def was_sent(uuid: str) -> ResponseReturnValue:
    """The person knows that it was sent."""
    return _settle(uuid, lambda outgoing: service.call_sent(g.db, outgoing, runtime().clock.now()))


@bp.post("/<uuid>/dismiss")
def dismiss(uuid: str) -> ResponseReturnValue:
    """The person has read it."""
    service.dismiss(g.db, service.get_outgoing(g.db, current_user.id, uuid))
    return redirect(url_for(".index"), 303)


def _settle(uuid: str, decide: Callable[[Outgoing], bool]) -> ResponseReturnValue:
    outgoing = service.get_outgoing(g.db, current_user.id, uuid)
    if decide(outgoing):
        _ring(outgoing)
    else:
        flash(_("That is settled already."), "warn")
    return redirect(url_for(".index"), 303)


def _ring(outgoing: Outgoing) -> None:
    if outgoing.account_id is not None:
        runtime().bus.ring(Bell(Topic.OUTBOX, outgoing.account_id))
