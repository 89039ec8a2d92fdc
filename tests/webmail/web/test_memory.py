"""What a web process does not load before somebody needs it (P4)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HEAVY = ("alembic", "authlib", "requests", "psycopg", "lxml")


def test_a_web_process_starts_without_what_few_requests_need(sqlite_config):
    look = f"import sys, wsgi; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    environment = {**os.environ, "WORK_DIRECTORY": str(sqlite_config.work_directory), "EXTENSIONS": ""}
    root = Path(__file__).parents[3]
    found = subprocess.run(
        [sys.executable, "-c", look], cwd=root, env=environment, check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == []
