"""Reading SQL: parse it twice, and write it in one canonical form.

Belongs here: what turns a text into a syntax tree and a tree into its canonical form. Does not: what stands around the
SQL (``tidying``), what a correction changes (``rewrites``), what a check means for a correction (``checks``).
The canonical form merges spellings of one query (case, blanks, alias names, quoting, trivially true predicates) and
never two different queries: literals keep their case, and nothing is reordered that could change a result.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import polyglot_sql
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from feedback_pipeline.curation.aliases import canonical_aliases
from feedback_pipeline.curation.equivalences import rewrite_equivalences
from feedback_pipeline.curation.predicates import canonical_predicates
from feedback_pipeline.curation.skeletons import skeleton

ANALYSIS_VERSION = 2
"""Raise it when the canonical form or a check changes: stored checks made by an older version are made again."""

_COMPARISONS = (exp.Binary, exp.In, exp.Between, exp.Like, exp.ILike)
_DOUBLE_QUOTE_IS_TEXT_TOO = {"sqlite"}
_UNKNOWN_TO_CONFIRMER = "generic"
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy, exp.DDL, exp.Command, exp.Into, exp.Lock)
TEXT_OR_COLUMN = "TEXT_OR_COLUMN"
"""The function that marks a quoted name of which nobody can tell whether it is a text or a column."""

_HASH_COMMENTS = {"mysql", "doris", "singlestore", "starrocks"}
_EXECUTED_COMMENT = re.compile(r"/\*M?!")
_ACTING_FUNCTIONS = {
    *("setval", "nextval", "set_config", "pg_sleep", "pg_sleep_for", "pg_sleep_until", "sleep", "benchmark"),
    *("pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_advisory_lock", "pg_advisory_xact_lock"),
    *("lo_import", "lo_export", "lo_unlink", "lo_create", "dblink", "dblink_exec", "pg_read_file", "pg_write_file"),
    *("load_file", "load_extension", "writefile", "xp_cmdshell"),
}
Columns = Mapping[str, Mapping[str, str]]

PARSER_FAULTS = (SqlglotError, ValueError, TypeError, AttributeError, LookupError)
"""What sqlglot raises: its own errors, and on some broken SQL whatever its code happens to stumble over."""

# sqlglot logs a warning for each statement it knows only by name; those are refused here with a reason of their own.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


class SqlError(ValueError):
    """SQL that cannot be used as one read-only query; ``kind`` is ``parses`` or ``read_only``, the check it fails."""

    def __init__(self, kind: str, detail: str):
        super().__init__(detail)
        self.kind = kind


@dataclass(frozen=True)
class CanonicalSql:
    """One query in canonical form.

    ``text`` is equal for spellings of the same query. ``skeleton`` is ``text`` with every literal replaced by ``?`` and
    without names of the shown columns that nothing refers to, so it is equal for queries that differ in values and
    headings only.
    """

    text: str
    skeleton: str


def parse_query(sql: str, dialect: str) -> exp.Query:
    """Parse exactly one read-only query.

    Two parsers must agree, because each accepts text the other, and most databases, refuse.

    Raises:
        SqlError: the text does not parse, holds several statements, or could write.

    """
    statements = _parse_all(sql, dialect)
    if len(statements) != 1:
        raise SqlError("read_only", f"holds {len(statements)} statements; exactly one query is allowed")
    tree = statements[0]
    if not isinstance(tree, exp.Query):
        raise SqlError("read_only", f"is a {tree.key.upper()} statement; only queries (SELECT) are allowed")
    if isinstance(tree, exp.Select) and not tree.expressions:
        raise SqlError("parses", "selects no columns")
    if writing := tree.find(*_WRITES):
        raise SqlError("read_only", f"contains {writing.key.upper()}, which can change or lock data")
    if acting := next(filter(None, map(_acts, tree.find_all(exp.Func, exp.Parameter))), None):
        raise SqlError("read_only", f"uses {acting}, which acts instead of reading")
    _confirm(sql, dialect)
    return tree


def _acts(node: exp.Expr) -> str | None:
    """Return the name of a function that changes, waits or reaches outside, or of an assigned variable."""
    if isinstance(node, exp.Parameter):
        return f"an assignment to @{node.name}" if isinstance(node.parent, exp.PropertyEQ) else None
    name = (node.name if isinstance(node, exp.Anonymous) else node.key).lower()
    return name if name in _ACTING_FUNCTIONS else None


def _parse_all(sql: str, dialect: str) -> list[exp.Expr]:
    if not sql.strip():
        raise SqlError("parses", "is empty")
    try:
        parsed = sqlglot.parse(sql, read=dialect)
    except PARSER_FAULTS as error:
        raise SqlError("parses", f"does not parse as {dialect}: {_first_line(error)}") from error
    except RecursionError as error:
        raise SqlError("parses", "is nested too deeply to parse") from error
    # A comment after the last semicolon is a node of its own, and no statement.
    statements = [tree for tree in parsed if tree is not None and not isinstance(tree, exp.Semicolon)]
    if not statements:
        raise SqlError("parses", "holds no statement, only comments")
    return statements


def _confirm(sql: str, dialect: str) -> None:
    if dialect in _HASH_COMMENTS:
        sql = _without_hash_comments(sql, dialect)
    try:
        statements = polyglot_sql.parse(sql, dialect=_confirmer_dialect(dialect))
    except (polyglot_sql.PolyglotError, ValueError) as error:
        raise SqlError("parses", f"a second parser refuses it as {dialect}: {_first_line(error)}") from error
    if len(statements) != 1:
        raise SqlError("read_only", f"a second parser sees {len(statements)} statements; exactly one is allowed")


def _without_hash_comments(sql: str, dialect: str) -> str:
    """Blank out ``# comments``, unknown to the second parser; refuse ``/*! … */``, which the server executes."""
    kept, end = [], 0
    for token in [*sqlglot.tokenize(sql, read=dialect), None]:
        start = token.start if token else len(sql)
        between = sql[end:start]
        if _EXECUTED_COMMENT.search(between):
            raise SqlError("read_only", "holds a comment /*! … */, which the server executes")
        kept.append(" " if "#" in between else between)
        if token:
            kept.append(sql[start : token.end + 1])
            end = token.end + 1
    return "".join(kept)


def _confirmer_dialect(dialect: str) -> str:
    return dialect if dialect in _confirmer_dialects() else _UNKNOWN_TO_CONFIRMER


@lru_cache(maxsize=1)
def _confirmer_dialects() -> frozenset[str]:
    return frozenset(polyglot_sql.dialects())


def _first_line(error: Exception) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    return " ".join(plain.split("\n", 1)[0].split())[:200]


def quoted_text_to_literals(tree: exp.Query, dialect: str, columns: Columns | None) -> None:
    """Turn ``"USA"`` into ``'USA'`` in place where the database itself would read it as text.

    SQLite takes a double-quoted name that is no column for a string (https://sqlite.org/quirks.html, section 8).
    Without a known schema it cannot be told: what stands to the right of a comparison keeps its case, as a value would,
    and is marked as something of its own, since it may be another column just as well.
    """
    if dialect not in _DOUBLE_QUOTE_IS_TEXT_TOO:
        return
    names = _known_names(tree, columns) if columns is not None else None
    for column in list(tree.find_all(exp.Column)):
        if _reads_as_text(column, names):
            literal = exp.Literal.string(column.name).update_positions(column.this)
            column.replace(exp.Anonymous(this=TEXT_OR_COLUMN, expressions=[literal]) if names is None else literal)


def _known_names(tree: exp.Query, columns: Columns) -> set[str]:
    known = {name.lower() for table in columns.values() for name in table}
    return known | {alias.alias.lower() for alias in tree.find_all(exp.Alias, exp.TableAlias, exp.CTE) if alias.alias}


def _reads_as_text(column: exp.Column, known_names: set[str] | None) -> bool:
    identifier = column.this
    if column.table or not isinstance(identifier, exp.Identifier) or not identifier.args.get("quoted"):
        return False
    if known_names is not None:
        return identifier.name.lower() not in known_names
    parent = column.parent
    return isinstance(parent, _COMPARISONS) and parent.this is not column


def canonical(tree: exp.Query, dialect: str, columns: Columns | None = None) -> CanonicalSql:
    """Return the canonical text and skeleton of a parsed query; ``tree`` is left as it is.

    Args:
        tree: what ``parse_query`` returned.
        dialect: sqlglot's name of the SQL dialect; decides which names ignore case.
        columns: ``{table: {column: type}}`` where the schema is known.

    """
    tree = canonical_tree(tree, dialect, columns)
    return CanonicalSql(write(tree, dialect), write(skeleton(tree), dialect))


def canonical_tree(tree: exp.Query, dialect: str, columns: Columns | None = None) -> exp.Query:
    """Return the tree that ``canonical`` writes; ``tree`` is left as it is."""
    tree = tree.copy()
    quoted_text_to_literals(tree, dialect, columns)
    normalize_identifiers(tree, dialect=dialect)
    canonical_aliases(tree)
    rewrite_equivalences(tree)
    _drop_optional_words(tree)
    _keep_numeric_casts(tree, dialect)
    canonical_predicates(tree, dialect)
    return tree


def _drop_optional_words(tree: exp.Query) -> None:
    """Drop ASC, INNER before JOIN, and OUTER after LEFT, RIGHT or FULL."""
    for ordered in tree.find_all(exp.Ordered):
        if not ordered.args.get("desc"):
            ordered.set("desc", None)
    for join in tree.find_all(exp.Join):
        if join.kind == "INNER" or (join.kind == "OUTER" and join.side):
            join.set("kind", None)


def _keep_numeric_casts(tree: exp.Query, dialect: str) -> None:
    """Write NUMERIC as such: sqlglot writes REAL or INTEGER for SQLite, which give other values (5.0 or 5 for 5)."""
    if dialect != "sqlite":
        return
    for kind in tree.find_all(exp.DataType):
        if kind.this in (exp.DType.DECIMAL, exp.DType.BOOLEAN):
            kind.replace(exp.DataType(this=exp.DType.USERDEFINED, kind="NUMERIC"))


def write(tree: exp.Expr, dialect: str) -> str:
    """Return a canonical tree, or a part of it, as text."""
    return tree.sql(dialect=dialect, identify=True, comments=False)


def referenced_tables(tree: exp.Query) -> Iterator[exp.Table]:
    """Yield every table reference of ``tree`` that is not a common table expression."""
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and (table.db or table.name.lower() not in ctes):
            yield table
