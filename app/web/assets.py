"""Static files under an address that names their content, so that browsers keep them for good and never mix versions.

`url_for("static", …)` yields /static/v-<version>/…; scripts and sheets name each other relatively and stay under it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from flask import Flask, Response, send_from_directory

FOR_GOOD_S = 365 * 24 * 3600


def init_app(app: Flask) -> None:
    folder = Path(str(app.static_folder))
    current = fingerprint(folder)

    @app.get("/static/v-<version>/<path:filename>")
    def asset(version: str, filename: str) -> Response:
        """A static file; one asked for by another version's page is served too, but not kept."""
        response = send_from_directory(folder, filename, max_age=FOR_GOOD_S if version == current else None)
        response.cache_control.immutable = version == current
        return response

    @app.url_defaults
    def name_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["filename"] = f"v-{current}/{values['filename']}"


def fingerprint(folder: Path) -> str:
    """A short digest of every file's name and content."""
    digest = hashlib.blake2b(digest_size=6)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes())
    return digest.hexdigest()
