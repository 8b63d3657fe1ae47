"""The databases that questions are asked about: dialect, read-only URL and what is known of the schema."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from sqlalchemy import select
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store, lock
from feedback_pipeline.store.events import utc_now
from feedback_pipeline.store.models import DatabaseRow
from feedback_pipeline.store.schema_reading import (
    Schema,
    fingerprint,
    schema_from_ddl,
    schema_from_url,
    url_of,
)

OTHER_NAMES = {
    "postgresql": "postgres",
    "mssql": "tsql",
    "sqlserver": "tsql",
    "mariadb": "mysql",
    "sqlite3": "sqlite",
}


class UnknownDialectError(ValueError):
    """A SQL dialect nobody can parse; the text suggests what was meant."""


class UnknownDatabaseError(LookupError):
    """No database is registered under this id."""


@dataclass(frozen=True)
class Database:
    """A registered database. ``schema`` is {table: {column: type}}, None where it is not known.

    ``url`` may hold a password, so it is left out of the representation. ``schema_source`` tells whether the schema was
    read from the database itself (``url``) or given as ``ddl``; ``checks_epoch`` how often its feedback was to be
    checked again.
    """

    database_id: str
    dialect: str
    url: str | None = field(default=None, repr=False)
    schema: Schema | None = None
    schema_fingerprint: str | None = None
    schema_source: str | None = None
    checks_epoch: int = 0

    @property
    def is_followed(self) -> bool:
        """Tell whether its schema is looked up again: it has a URL, and nobody has given a schema as DDL instead."""
        return self.url is not None and self.schema_source != "ddl"


def register_database(
    store: Store, database_id: str, dialect: str, url: str | None = None, ddl: str | None = None
) -> Database:
    """Register a database or replace what is known of it; the same call again changes nothing.

    ``url`` is a SQLAlchemy URL or the path of a SQLite file. The schema comes from ``ddl`` (CREATE TABLE
    statements) where given, else from ``url``. Raises UnknownDialectError, InvalidDdlError or
    DatabaseUnreachableError; nothing is stored then.
    """
    dialect = known_dialect(dialect)
    url = None if url is None else url_of(url)
    schema = _schema(database_id, dialect, url, ddl)
    digest = None if schema is None else fingerprint(schema, dialect)
    source = None if schema is None else "ddl" if ddl is not None else "url"
    database = Database(database_id, dialect, url, schema, digest, source)
    with store.begin() as session:
        lock(session, "databases")
        return _upsert(session, database)


def check_again(store: Store, database_ids: Iterable[str]) -> list[Database]:
    """Let all feedback of some databases count as unchecked, because data, rights or limits have changed.

    Raises UnknownDatabaseError, and changes nothing, when one is not registered.
    """
    ids = sorted({get_database(store, database_id).database_id for database_id in database_ids})
    with store.begin() as session:
        lock(session, "databases")
        for database_id in ids:
            row = session.get_one(DatabaseRow, database_id)
            row.checks_epoch, row.updated_at = row.checks_epoch + 1, utc_now()
    return [get_database(store, database_id) for database_id in ids]


def current_fingerprint(database: Database) -> str:
    """Return the fingerprint of the schema that the database at ``database.url`` has now.

    Raises DatabaseUnreachableError, and ValueError for a database without URL.
    """
    if database.url is None:
        raise ValueError(f"database {database.database_id!r} has no URL to read a schema from")
    return fingerprint(schema_from_url(database.database_id, database.url), database.dialect)


def list_databases(store: Store) -> list[Database]:
    """Return all registered databases, ordered by id."""
    with store.read() as session:
        return [_database(row) for row in session.scalars(select(DatabaseRow).order_by(DatabaseRow.database_id))]


def databases_by_id(store: Store) -> dict[str, Database]:
    """Return all registered databases by their id."""
    return {database.database_id: database for database in list_databases(store)}


def get_database(store: Store, database_id: str) -> Database:
    """Return one registered database. Raises UnknownDatabaseError with close matches."""
    databases = databases_by_id(store)
    if database_id not in databases:
        hint = _did_you_mean(database_id, list(databases))
        raise UnknownDatabaseError(f"No database is registered as {database_id!r}.{hint} Register it first.")
    return databases[database_id]


def known_dialect(name: str) -> str:
    """Return ``name`` as sqlglot spells it. Raises UnknownDialectError with close matches."""
    from sqlglot.dialects.dialect import Dialects  # half of what importing the store would cost

    known = sorted(dialect.value for dialect in Dialects if dialect.value)
    spelled = name.strip().casefold()
    if spelled not in known:
        hint = _did_you_mean(OTHER_NAMES.get(spelled, spelled), known)
        raise UnknownDialectError(f"SQL dialect {name!r} is not known.{hint} Known are: {', '.join(known)}.")
    return spelled


def _did_you_mean(name: str, known: list[str]) -> str:
    matches = get_close_matches(name, known)
    return f" Did you mean {' or '.join(matches)}?" if matches else ""


def _schema(database_id: str, dialect: str, url: str | None, ddl: str | None) -> Schema | None:
    if ddl is not None:
        return schema_from_ddl(database_id, ddl, dialect)
    return None if url is None else schema_from_url(database_id, url)


def _upsert(session: Session, database: Database) -> Database:
    row = session.get(DatabaseRow, database.database_id) or DatabaseRow(
        database_id=database.database_id, checks_epoch=0
    )
    database = replace(database, checks_epoch=row.checks_epoch)
    if row.dialect is not None and _database(row) == database:
        return database
    row.dialect, row.url, row.schema = database.dialect, database.url, database.schema
    row.schema_fingerprint, row.schema_source = database.schema_fingerprint, database.schema_source
    row.updated_at = utc_now()
    session.add(row)
    return database


def _database(row: DatabaseRow) -> Database:
    known = row.dialect, row.url, row.schema, row.schema_fingerprint, row.schema_source, row.checks_epoch
    return Database(row.database_id, *known)
