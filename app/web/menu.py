"""The navigation: which activities a person sees."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    app.context_processor(dict)
