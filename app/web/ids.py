"""Ids of rows in addresses: what no row can have is not found, before a database is asked."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import IntegerConverter, ValidationError

MOST = 2**31 - 1  # an id is an INTEGER of PostgreSQL, which refuses to compare it with more


class RowIdConverter(IntegerConverter):
    """`<int:…>` in routes."""

    def to_python(self, value: str) -> int:
        try:
            return row_id(value)
        except ValueError:
            raise ValidationError from None


def init_app(app: Flask) -> None:
    app.url_map.converters["int"] = RowIdConverter


def row_id(text: str) -> int:
    """The id in an argument, for `request.args.get(name, 0, row_id)`.  Raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and int(text) <= MOST):
        raise ValueError("not the id of a row")
    return int(text)


def is_row_id(text: str) -> bool:
    try:
        return row_id(text) >= 0
    except ValueError:
        return False
