"""Learning a schema without changing the database: by inspection through a URL, or from CREATE TABLE."""

import hashlib
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, inspect, make_url
from sqlalchemy.engine import URL, Inspector
from sqlalchemy.exc import ArgumentError, CompileError, NoSuchModuleError, SQLAlchemyError

from feedback_pipeline.store.errors import readable_url
from feedback_pipeline.store.types import canonical_json

Schema = dict[str, dict[str, str]]
"""{table or view: {column: type as the database spells it}}."""

UNKNOWN_TYPE = "UNKNOWN"

DUCKDB = "duckdb:///"

_DUCKDB_COLUMNS = """
SELECT table_name, column_name, data_type FROM duckdb_columns()
WHERE database_name = 'source' AND schema_name = 'main' ORDER BY table_name, column_index
"""

logger = logging.getLogger(__name__)


class DatabaseUnreachableError(RuntimeError):
    """A registered database cannot be read; the text names it and the way out."""


class InvalidDdlError(ValueError):
    """The DDL text holds no CREATE TABLE statement, or cannot be parsed."""


def url_of(text: str) -> str:
    """Return ``text`` as a URL: a path becomes the URL of the SQLite file there."""
    return text if "://" in text else f"sqlite:///{Path(text).expanduser().resolve()}"


def schema_from_url(database_id: str, url: str) -> Schema:
    """Read tables and views of the default schema, creating nothing. Raises DatabaseUnreachableError."""
    if url.startswith(DUCKDB):
        return _duckdb_schema(database_id, Path(url.removeprefix(DUCKDB)))
    try:
        engine = _read_only_engine(make_url(url))
    except (ArgumentError, NoSuchModuleError) as error:
        raise _unreachable(database_id, "its URL is not one SQLAlchemy understands", str(error)) from error
    except ImportError as error:
        raise _unreachable(database_id, "its driver is not installed", str(error)) from error
    try:
        return _inspect(engine)
    except SQLAlchemyError as error:
        problem = str(getattr(error, "orig", None) or error).strip()
        raise _unreachable(database_id, f"{readable_url(make_url(url))} cannot be read", problem) from error
    finally:
        engine.dispose()


def schema_from_ddl(database_id: str, ddl: str, dialect: str) -> Schema:
    """Read the tables ``ddl`` creates. Raises InvalidDdlError when it creates none or cannot be parsed."""
    import sqlglot
    from sqlglot import errors, exp

    try:
        statements = sqlglot.parse(ddl, read=dialect)
    except errors.SqlglotError as error:
        raise InvalidDdlError(f"The DDL of {database_id} is not valid {dialect}: {error}") from error
    creates = [
        s for s in statements if isinstance(s, exp.Create) and s.kind == "TABLE" and isinstance(s.this, exp.Schema)
    ]
    schema = {create.this.this.name: _columns(create.this, dialect) for create in creates}
    views = [s for s in statements if isinstance(s, exp.Create) and s.kind == "VIEW"]
    schema |= {_created_name(view): _view_columns(view, schema) for view in views}
    if not schema:
        raise InvalidDdlError(
            f"The DDL of {database_id} holds no CREATE TABLE statement with columns: pass at least one."
        )
    return schema


def _created_name(create: Any) -> str:
    return (
        create.this.this.name if hasattr(create.this, "expressions") and create.this.expressions else create.this.name
    )


def _view_columns(view: Any, tables: Schema) -> dict[str, str]:
    """Name the columns of CREATE VIEW; a star brings in those of all tables in its FROM. Types are not known."""
    from sqlglot import exp

    if isinstance(view.this, exp.Schema):
        return {column.name: "TEXT" for column in view.this.expressions}
    names = [name for name in view.expression.named_selects if name != "*"]
    if view.expression.is_star:
        names += [column for table in view.expression.find_all(exp.Table) for column in tables.get(table.name, {})]
    return dict.fromkeys(names, "TEXT")


def fingerprint(schema: Schema, dialect: str) -> str:
    """Return the SHA-256, in hex, of ``schema`` in a form that does not depend on how the database spells it.

    Order and letter case do not count, nor whether a type is written ``INT`` or ``INTEGER``.
    """
    neutral = {
        table.casefold(): {column.casefold(): _neutral_type(name, dialect) for column, name in columns.items()}
        for table, columns in schema.items()
    }
    return hashlib.sha256(canonical_json(neutral).encode()).hexdigest()


def _columns(table: Any, dialect: str) -> dict[str, str]:
    from sqlglot import exp

    columns = (item for item in table.expressions if isinstance(item, exp.ColumnDef))
    return {column.name: column.kind.sql(dialect) if column.kind else UNKNOWN_TYPE for column in columns}


def _neutral_type(name: str, dialect: str) -> str:
    from sqlglot import errors, exp

    try:
        return exp.DataType.build(name, dialect=dialect).sql()
    except errors.SqlglotError:
        return name.upper()


def _read_only_engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite" or not url.database:
        return create_engine(url)
    # mode=ro: a path that does not exist is an error, not a new empty database.
    location = url.database if url.database.startswith("file:") else Path(url.database).resolve().as_uri()
    return create_engine(url.set(database=location, query={"mode": "ro", "uri": "true"}))


def _duckdb_schema(database_id: str, path: Path) -> Schema:
    """Read a DuckDB file with DuckDB's own package: SQLAlchemy's dialect for it does not know all types."""
    try:
        import duckdb
    except ImportError as error:
        why_out = "pip install 'feedback-pipeline[duckdb]'"
        raise _unreachable(database_id, "the package duckdb is not installed", why_out) from error
    # Attached to a database in memory: a file that this process has open elsewhere cannot be opened in another way.
    location = str(path.expanduser().resolve()).replace("'", "''")
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"ATTACH '{location}' AS source (READ_ONLY)")
            rows = connection.execute(_DUCKDB_COLUMNS).fetchall()
    except duckdb.Error as error:
        problem = str(error).strip().split("\n")[0]
        raise _unreachable(database_id, f"{DUCKDB}{path} cannot be read", problem) from error
    schema: Schema = {}
    for table, column, type_name in rows:
        schema.setdefault(table, {})[column] = type_name
    return schema


def _inspect(engine: Engine) -> Schema:
    inspector = inspect(engine)
    names = [*inspector.get_table_names(), *_view_names(inspector)]
    columns = {name: _readable_columns(inspector, name) for name in sorted(names)}
    return {
        name: {str(column["name"]): _type_name(column["type"], engine) for column in found}
        for name, found in columns.items()
        if found
    }


def _view_names(inspector: Inspector) -> list[str]:
    names = []
    for read in (inspector.get_view_names, inspector.get_materialized_view_names):
        # So SQLAlchemy says that a dialect knows no such views.
        with suppress(NotImplementedError):
            names += read()
    return names


def _readable_columns(inspector: Inspector, name: str) -> list[Any]:
    try:
        return list(inspector.get_columns(name))
    except SQLAlchemyError as error:
        # A view whose table is gone must not keep the rest of the schema from being read.
        logger.warning("Left out %s: its columns cannot be read (%s)", name, error)
        return []


def _type_name(column_type: Any, engine: Engine) -> str:
    try:
        return column_type.compile(dialect=engine.dialect)
    except CompileError:
        return UNKNOWN_TYPE


def _unreachable(database_id: str, what: str, problem: str) -> DatabaseUnreachableError:
    way_out = "Correct its URL, or register it with its DDL instead."
    return DatabaseUnreachableError(f"Database {database_id}: {what} ({problem.rstrip('.')}). {way_out}")
