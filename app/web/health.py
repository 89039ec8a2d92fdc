"""Probes: `/healthz`, is the process alive; `/readyz`, can it serve.  They tell strangers states, never details."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Flask, current_app, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from app import migrate
from app.db import Database
from app.engine.queries import engine_is_alive
from app.mail_services.modes import SWITCHES
from app.mail_services.service import current_mode
from app.runtime import Runtime, runtime

bp = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    return "alive\n", {"Content-Type": "text/plain"}


@bp.get("/readyz")
def ready() -> ResponseReturnValue:
    """200 while everything answers `ok` or is not needed, else 503."""
    states = readiness(runtime())
    return jsonify(states), 200 if set(states.values()) <= {"ok", "not needed"} else 503


def readiness(parts: Runtime) -> Mapping[str, str]:
    """Each part's state: both databases answer and are migrated, the engine beats its heart where the mode needs it."""
    states = {
        "public database": _database_state(parts.public, "app"),
        "private database": _database_state(parts.private, "private"),
    }
    return {**states, "engine": _engine_state(parts) if states["public database"] == "ok" else "unknown"}


def _database_state(database: Database, branch: str) -> str:
    try:
        found, newest = migrate.revisions(database, branch)
    except SQLAlchemyError as error:
        current_app.logger.error("the %s database does not answer: %s", branch, type(error).__name__)
        return "no answer"
    return "ok" if found == newest else "not migrated"


def _engine_state(parts: Runtime) -> str:
    with parts.public.session() as db:
        if not SWITCHES[current_mode(db)].mail:
            return "not needed"
        return "ok" if engine_is_alive(db, parts.clock.now()) else "not running"
