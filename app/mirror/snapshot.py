"""A message row as JSON and back: what undoing a final deletion needs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

MOMENTS = ("received_at", "sent_at")
OCTETS = ("header", "bodystructure")


def take(message: sa.Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """`message`: all columns of the table."""
    row = dict(message._mapping)
    row |= {name: row[name].isoformat() for name in MOMENTS if row[name]}
    return row | {name: row[name].decode("latin-1") for name in OCTETS}


def restore(row: dict[str, Any]) -> dict[str, Any]:
    """The values of the row, as they were."""
    values = row | {name: datetime.fromisoformat(row[name]) for name in MOMENTS if row[name]}
    return values | {name: row[name].encode("latin-1") for name in OCTETS}
