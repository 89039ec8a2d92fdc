"""The address `/`: where a visit begins."""

from __future__ import annotations

from flask import Blueprint, Flask

bp = Blueprint("shell", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
