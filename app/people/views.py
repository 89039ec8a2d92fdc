"""People: what the composer asks for while an address is typed."""

from __future__ import annotations

from flask import Blueprint, Flask, g, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.people.complete import complete
from app.users.sessions import ask_to_sign_in

bp = Blueprint("people", __name__, url_prefix="/mail/people")


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.before_request
def require_sign_in() -> ResponseReturnValue | None:
    """Everybody's people are their own."""
    return None if current_user.is_authenticated else ask_to_sign_in()


@bp.get("/complete")
def suggest() -> ResponseReturnValue:
    """`q` is what was typed so far of one recipient; the hits as JSON, `text` is what the field takes."""
    hits = complete(g.db, current_user.id, request.args.get("q", ""))
    told = [{"name": hit.name, "address": hit.address, "text": hit.text} for hit in hits]
    return {"hits": told}, {"Cache-Control": "no-store"}
