"""Ids of rows in addresses: what no row can have is not found, before a database is asked."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import IntegerConverter

MOST_DIGITS = 18  # every such number fits a database's 64 bits


class RowIdConverter(IntegerConverter):
    """`<int:…>` in routes."""

    regex = rf"\d{{1,{MOST_DIGITS}}}"


def init_app(app: Flask) -> None:
    app.url_map.converters["int"] = RowIdConverter


def row_id(text: str) -> int:
    """The id in an argument, for `request.args.get(name, 0, row_id)`.  Raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise ValueError("not the id of a row")
    return int(text)
