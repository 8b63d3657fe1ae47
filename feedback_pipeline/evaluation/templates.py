"""The template of an SQL text: what two queries share that differ in values only."""

from functools import lru_cache

from feedback_pipeline.curation.sql import CanonicalSql, Columns, SqlError, canonical, parse_query

_KEPT = 65_536


@lru_cache(maxsize=_KEPT)
def canonical_of(sql: str, dialect: str) -> CanonicalSql:
    """Return the canonical form of ``sql``; of what cannot be read the text itself, blanks and case aside."""
    return _canonical(sql, dialect, None)


def template_of(sql: str, dialect: str, columns: Columns | None = None) -> str:
    """Return the SQL skeleton of ``sql``: equal for queries that differ in values and headings only.

    Args:
        sql: one query.
        dialect: sqlglot's name of the SQL dialect.
        columns: ``{table: {column: type}}`` where the schema is known.

    """
    return canonical_of(sql, dialect).skeleton if columns is None else _canonical(sql, dialect, columns).skeleton


def _canonical(sql: str, dialect: str, columns: Columns | None) -> CanonicalSql:
    try:
        return canonical(parse_query(sql, dialect), dialect, columns)
    except (SqlError, RecursionError):
        text = " ".join(sql.split()).casefold()
        return CanonicalSql(text, text)
