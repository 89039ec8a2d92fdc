"""The address `/`: where a visit begins."""

from __future__ import annotations

from flask import Blueprint, Flask, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.mail_services.gate import switches_of_request

bp = Blueprint("shell", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.get("/")
def home() -> ResponseReturnValue:
    """The mail, where the mode has mail; else the settings; the sign-in page to strangers."""
    if not current_user.is_authenticated:
        return redirect(url_for("users.sign_in"))
    return redirect(url_for("mailbox.index") if switches_of_request().mail else url_for("settings.preferences"))
