"""The databases on which generated SQL is run: those registered, or a folder of SQLite files."""

from dataclasses import dataclass
from pathlib import Path

from feedback_pipeline.execution import Target
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Database, Store, databases_by_id
from feedback_pipeline.store.schema_reading import Schema, schema_from_url, url_of
from feedback_pipeline.value_samples import sample_values

_SUFFIXES = (".sqlite", ".sqlite3", ".db")


class DatabaseFolderError(ValueError):
    """The folder of databases cannot be used; the text says why."""


@dataclass(frozen=True)
class EvaluationDatabase:
    """A database to run SQL on. ``schema`` is {table: {column: type}}, None where it is not known."""

    target: Target
    schema: Schema | None = None

    @property
    def described(self) -> str:
        """The tables as CREATE TABLE statements, for a prompt; empty where the schema is not known."""
        return "\n".join(
            f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())});"
            for table, columns in sorted((self.schema or {}).items())
        )


def registered_databases(store: Store) -> dict[str, EvaluationDatabase]:
    """Return the databases registered in the store, by id."""
    return {
        one.database_id: EvaluationDatabase(Target(one.database_id, one.dialect, one.url), one.schema)
        for one in databases_by_id(store).values()
    }


def databases_in(folder: Path, database_ids: set[str]) -> dict[str, EvaluationDatabase]:
    """Return the SQLite databases of ``folder``: ``ID.sqlite`` or, as in Spider, ``ID/ID.sqlite``; missing ones not.

    Raises:
        DatabaseFolderError: there is no such folder, or none of the databases in it.
        DatabaseUnreachableError: a file is no SQLite database.

    """
    if not folder.is_dir():
        raise DatabaseFolderError(f"{folder} is no folder; --database-dir names one with DATABASE_ID.sqlite files")
    files = {database_id: _file(folder, database_id) for database_id in sorted(database_ids)}
    found = {database_id: _opened(database_id, path) for database_id, path in files.items() if path is not None}
    if not found:
        wanted = ", ".join(sorted(database_ids)[:5])
        raise DatabaseFolderError(f"{folder} holds none of the databases asked about: {wanted} (as DATABASE_ID.sqlite)")
    return found


def _file(folder: Path, database_id: str) -> Path | None:
    # An id is data: it must not lead out of the folder.
    if database_id != Path(database_id).name:
        return None
    places = (place / f"{database_id}{suffix}" for place in (folder, folder / database_id) for suffix in _SUFFIXES)
    return next((path for path in places if path.is_file()), None)


def _opened(database_id: str, path: Path) -> EvaluationDatabase:
    schema = schema_from_url(database_id, url_of(str(path)))
    return EvaluationDatabase(Target(database_id, "sqlite", str(path.resolve())), schema)


def sampled_values(database: EvaluationDatabase, settings: Settings) -> list[tuple[str, str]]:
    """Return (value, ``table.column``) to mask questions by, as for registered databases; none where it has no URL."""
    target = database.target
    if target.url is None or not settings.sampled_values_per_column:
        return []
    return sample_values(Database(target.database_id, target.dialect, target.url, database.schema), settings).values
