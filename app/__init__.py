"""Satchel: webmail for the mail you already have, and a mail host when you want one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Config
    from app.runtime import Runtime


def create_app(config: Config | None = None, *, parts: Runtime | None = None) -> Flask:
    """The whole web application; `parts` takes the place of the real adapters in tests."""
    from app import application  # 40 MiB, which listeners and the engine's processes do not need

    return application.create_app(config, parts=parts)
