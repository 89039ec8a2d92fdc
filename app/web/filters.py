"""Jinja filters: how dates, sizes and names read."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    app.add_template_filter(initials)
    app.add_template_filter(file_size)


def initials(name: str) -> str:
    """Up to two letters for an avatar: "Maren Holt" → "MH"."""
    words = [word for word in name.replace(".", " ").replace("@", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


def file_size(octets: int) -> str:
    """Octets in words: 48 KB, 3.2 MB."""
    size = float(octets)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
