"""The Administration activity, put together from the pages of each concern."""

from __future__ import annotations

from flask import Flask

from app.machines import views as machines
from app.mail_services import views as mail_services
from app.notices import views as notices
from app.users import admin_views as users
from app.web.admin import bp

PAGES = (mail_services, machines, users, notices)
"""Importing them puts their pages on the blueprint."""


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
