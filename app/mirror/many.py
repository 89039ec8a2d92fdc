"""Many rows of one INSERT, handed to the driver at once.  For services only: nothing here commits.

SQLAlchemy's way with the parameters of each row costs as much as SQLite's insertion of it.  And SQLite's driver gives
the interpreter away at every row it steps over, which a thread that parses beside it gives back a millisecond later:
so many rows go into one statement, which is one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Dialect
from sqlalchemy.orm import Session

Row = TypeVar("Row")

MAX_PARAMETERS = 32_766  # of a statement, in SQLite


@dataclass(frozen=True, eq=False)
class Prepared:
    """The driver's SQL for one row; the places of its parameters by column (none: they go by name); conversions."""

    sql: str
    places: tuple[str, ...]
    converters: Sequence[tuple[str, Callable[[Any], Any]]]

    def named(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a row by name, as the driver takes them."""
        return {**row, **{name: convert(row[name]) for name, convert in self.converters}}

    def flat(self, rows: Iterable[Mapping[str, Any]]) -> list[Any]:
        """The values of all rows one behind the other."""
        pick = itemgetter(*self.places)
        converted = [(self.places.index(name), convert) for name, convert in self.converters]
        flat: list[Any] = []
        for row in rows:
            values = list(pick(row))
            for place, convert in converted:
                values[place] = convert(values[place])
            flat += values
        return flat


def insert_many(db: Session, statement: sa.Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`, which all have the same keys; `statement` is a module's own and always the same object."""
    if not rows:
        return
    connection = db.connection()
    prepared = _prepared(statement, tuple(rows[0]), connection.dialect)
    if not prepared.places:
        connection.exec_driver_sql(prepared.sql, list(map(prepared.named, rows)))
        return
    for chunk in _powers_of_two(rows, MAX_PARAMETERS // len(prepared.places)):
        connection.exec_driver_sql(_for_rows(prepared, len(chunk)), tuple(prepared.flat(chunk)))


def _powers_of_two(rows: Sequence[Row], most: int) -> Iterator[Sequence[Row]]:
    """All rows, in as few pieces as have such numbers: the driver keeps statements, and few numbers make few."""
    start = 0
    while number := min(len(rows) - start, most):
        size = 1 << (number.bit_length() - 1)
        yield rows[start : start + size]
        start += size


@lru_cache(64)
def _for_rows(prepared: Prepared, number: int) -> str:
    one = f"({', '.join('?' * len(prepared.places))})"
    return prepared.sql.replace(one, ", ".join([one] * number), 1)


@lru_cache(32)
def _prepared(statement: sa.Insert, keys: tuple[str, ...], dialect: Dialect) -> Prepared:
    """Drivers take bool as it is."""
    compiled = statement.compile(dialect=dialect, column_keys=list(keys))
    kinds = ((name, statement.table.c[name].type.dialect_impl(dialect)) for name in keys)
    found = ((name, kind.bind_processor(dialect)) for name, kind in kinds if not isinstance(kind, sa.Boolean))
    converters = [(name, convert) for name, convert in found if convert is not None]
    return Prepared(str(compiled), tuple(getattr(compiled, "positiontup", None) or ()), converters)
