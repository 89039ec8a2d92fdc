"""What a listener's process loads before its first connection (P4)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGES = (
    "flask",
    "werkzeug",
    "jinja2",
    "flask_login",
    "dns",
    "cryptography",
    "publicsuffixlist",
    "psycopg",
    "urllib3",
    "nh3",
    "alembic",
    "app.application",
)
LOOK = f"import sys, mailsite_ext.listeners.run; print(*[name for name in {PAGES!r} if name in sys.modules])"


def test_a_listener_loads_nothing_of_the_web_application():
    root = Path(__file__).parents[3]
    found = subprocess.run([sys.executable, "-c", LOOK], cwd=root, check=True, capture_output=True, text=True)
    assert found.stdout.split() == []


def test_every_name_of_the_extension_api_is_there_when_asked_for():
    from app import extension_api

    assert [name for name in extension_api.__all__ if not hasattr(extension_api, name)] == []
