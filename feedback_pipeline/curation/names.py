"""Names: whether the tables and columns of a query exist in a known schema."""

import json
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import OptimizeError, SchemaError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from feedback_pipeline.curation.sql import Columns, quoted_text_to_literals, referenced_tables

_BUILT_IN_TABLES = {"oracle": {"dual": {"dummy": "TEXT"}}, "mysql": {"dual": {"dummy": "TEXT"}}}
_CATALOGUES = {"information_schema", "pg_catalog", "sys", "mysql"}
_BUILT_IN_COLUMNS = {"sqlite": ("rowid", "oid", "_rowid_"), "postgres": ("ctid",)}


def unresolved_name(tree: exp.Query, dialect: str, schema_json: str, columns: Columns) -> str | None:
    """Return what the query refers to and the schema does not have, as a sentence, or None if all names resolve.

    Args:
        tree: a parsed query; left as it is.
        dialect: sqlglot's name of the dialect.
        schema_json: ``columns`` as canonical JSON: the key under which the prepared schema is remembered.
        columns: ``{table: {column: type}}``.

    """
    if _cannot_tell(tree):
        return None
    known_tables = {name.lower() for name in columns}.union(_BUILT_IN_TABLES.get(dialect, {}))
    missing = sorted({t.name for t in referenced_tables(tree) if t.name.lower() not in known_tables})
    if missing:
        return f"no table {_quoted(missing)}; the schema has {_quoted(sorted(columns)[:12])}"
    return _unresolved_column(tree.copy(), dialect, _prepared_schema(schema_json, dialect), columns)


def _cannot_tell(tree: exp.Query) -> bool:
    """Tell whether names may come from elsewhere: from a function in FROM, or the database's own catalogue."""
    if tree.find(exp.Unnest, exp.Lateral, exp.TableFromRows):
        return True
    return any(table.db.lower() in _CATALOGUES for table in tree.find_all(exp.Table))


def _unresolved_column(tree: exp.Query, dialect: str, schema: MappingSchema, columns: Columns) -> str | None:
    quoted_text_to_literals(tree, dialect, columns)
    for table in tree.find_all(exp.Table):
        table.set("db", None)
        table.set("catalog", None)
    # Case is no reason to refuse a name: which names fold, and how, depends on a server's settings.
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("this", identifier.name.lower())
        identifier.set("quoted", True)
    try:
        qualify(tree, schema=schema, dialect=dialect, quote_identifiers=False)
    except (OptimizeError, SchemaError) as error:
        return str(error).split(". Line:", 1)[0].split("\n", 1)[0]
    return None


@lru_cache(maxsize=1024)
def _prepared_schema(schema_json: str, dialect: str) -> MappingSchema:
    built_in = dict.fromkeys(_BUILT_IN_COLUMNS.get(dialect, ()), "BIGINT")
    lowered: dict[str, object] = {
        table.lower(): built_in | {column.lower(): kind or "TEXT" for column, kind in columns.items()}
        for table, columns in json.loads(schema_json).items()
    }
    lowered |= _BUILT_IN_TABLES.get(dialect, {})
    return MappingSchema(lowered, dialect=dialect, normalize=False)


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
