"""Column types and SQL expressions that mean the same on SQLite and Postgres."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, Date, DateTime, Dialect, Integer, and_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
"""Integer key the database counts up; SQLite only does so for a column declared exactly ``INTEGER``."""

NULLABLE_JSON = JSON(none_as_null=True)
"""JSON where Python's None is SQL NULL and never the JSON text ``null``."""


class UtcDateTime(TypeDecorator[datetime]):
    """Moment in time: aware UTC datetimes in Python whatever the database keeps.

    Raises ValueError for a datetime without a time zone, because guessing one shifts records between days.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Bring ``value`` to UTC."""
        require_zone("a time", value=value)
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Mark ``value`` as UTC (SQLite) or bring it there (Postgres answers in the server's zone)."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def require_zone(record: str, **times: datetime | None) -> None:
    """Raise ValueError, naming ``record`` and field, for a datetime without a time zone."""
    for field, value in times.items():
        if value is not None and value.tzinfo is None:
            raise ValueError(
                f"{record}: {field} {value.isoformat()} has no time zone; write it like 2025-01-31T12:00:00+00:00."
            )


class UtcDay(FunctionElement[date]):
    """SQL expression: the UTC day a ``UtcDateTime`` column falls on."""

    type = Date()
    name = "utc_day"
    inherit_cache = True


@compiles(UtcDay, "sqlite")
def _utc_day_sqlite(element: UtcDay, compiler: SQLCompiler, **kw: Any) -> str:
    return f"substr({compiler.process(element.clauses, **kw)}, 1, 10)"


@compiles(UtcDay, "postgresql")
def _utc_day_postgresql(element: UtcDay, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST(timezone('UTC', {compiler.process(element.clauses, **kw)}) AS DATE)"


def on_day(column: Any, day: date) -> ColumnElement[bool]:
    """Return the condition that ``column`` falls on the UTC day ``day``: a range, so an index serves it."""
    start = datetime.combine(day, time(), UTC)
    return and_(column >= start, column < start + timedelta(days=1))


def canonical_json(value: object) -> str:
    """Return ``value`` as JSON with sorted keys, the one form the store writes.

    Raises ValueError for NaN and infinities, which are not JSON and which Postgres would refuse.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
