"""Asking a database about long lists: cut into batches it accepts, in the form it answers quickly."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ARRAY, ColumnElement, bindparam, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

Item = TypeVar("Item")
Key = tuple[str, str]
"""(source, client_key): what makes a record the same as one sent before."""

IDS_PER_QUERY = 5_000
"""Well below the limit on bound values, 32,766 on SQLite."""


def batches(items: Iterable[Item], size: int = IDS_PER_QUERY) -> Iterator[list[Item]]:
    """Yield lists of up to ``size`` items, in order."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def among(session: Session, column: Any, values: list[Any]) -> ColumnElement[bool]:
    """Return the condition that ``column`` is one of ``values``, at most ``IDS_PER_QUERY``.

    On Postgres as one array: a prepared IN of a thousand parameters is compared one by one with every row of the table.
    """
    if session.get_bind().dialect.name == "postgresql":
        return column == literal(values, ARRAY(column.type)).any_()
    return column.in_(values)


def named(dialect: str, column: Any, parameter: str) -> ColumnElement[bool]:
    """Return the condition of ``among`` for values that are given by name when a query is executed."""
    if dialect == "postgresql":
        return column == bindparam(parameter, type_=ARRAY(column.type)).any_()
    return column.in_(bindparam(parameter, expanding=True))


def ids_by_key(session: Session, model: Any, id_column: Any, keys: Iterable[Key]) -> dict[Key, Any]:
    """Return the ids of those rows of ``model`` that ``keys`` name."""
    by_source: dict[str, list[str]] = {}
    for source, client_key in keys:
        by_source.setdefault(source, []).append(client_key)
    found: dict[Key, Any] = {}
    for source, client_keys in by_source.items():
        for chunk in batches(client_keys):
            wanted = model.source == source, among(session, model.client_key, chunk)
            rows = session.execute(select(model.client_key, id_column).where(*wanted))
            found.update(((source, client_key), identifier) for client_key, identifier in rows)
    return found


def insert_missing(session: Session, model: Any, rows: list[dict[str, Any]]) -> None:
    """Insert ``rows`` into the table of ``model``; those whose key is there already stay as they are."""
    if rows:
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        session.connection().execute(dialect.insert(model).on_conflict_do_nothing(), rows)
