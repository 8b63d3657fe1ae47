"""What a correction does to the generated SQL, in words: evidence for the reviewer, and flags for what looks wrong.

Only what is certain from the SQL alone is said; what is not said may still be so. A *flag* asks a person to look, a
*note* helps who looks. The sentences quote values and conditions of the SQL, so they are as personal as the SQL is.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from feedback_pipeline.curation.aliases import TABLE_PREFIX
from feedback_pipeline.curation.constant_conditions import ConstantCondition, constant_conditions
from feedback_pipeline.curation.skeletons import values_and_shape
from feedback_pipeline.curation.sql import Columns, canonical_tree, quoted_text_to_literals, referenced_tables, write
from feedback_pipeline.curation.truth import outcomes

FLAGS = {
    "tautological": "a condition is always true, so it filters nothing",
    "contradictory": "a condition is never true, or LIMIT is 0, so nothing is found",
    "constant_answer": "no table is read: the answer does not depend on the data",
    "select_star_only": "all that changes is that columns become *, or back to the same columns",
    "whole_table": "shows a whole table where the generated SQL filtered",
}
"""Kinds that ask a person to look, and what each means."""

NOTES = {
    "literal_only": "only values differ",
    "columns_only": "only the shown columns differ",
    "columns_reordered_only": "the same columns in another order",
    "headings_only": "only names of shown columns differ",
    "distinct_only": "only DISTINCT differs",
    "filter_only": "only the conditions (WHERE, HAVING) differ",
    "order_or_limit_only": "only ORDER BY, LIMIT or OFFSET differ",
    "idle_condition": "a part of a condition changes nothing",
    "select_star": "shows all columns with *",
}
"""Kinds that help a reviewer and raise no doubt, and what each means."""

_MOST_LISTED = 5
_CLAUSES = {"from_": "FROM", "joins": "FROM", "laterals": "FROM", "expressions": "SELECT", "with_": "WITH"}
_CLAUSES |= {"group": "GROUP BY", "order": "ORDER BY", "offset": "LIMIT", "limit": "LIMIT"}


@dataclass(frozen=True)
class Finding:
    """One thing that can be said of a correction: its kind (see FLAGS and NOTES) and a sentence that says it."""

    kind: str
    sentence: str


@dataclass(frozen=True)
class Rewrite:
    """What can be said of a correction, flags first."""

    findings: tuple[Finding, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds found, each once."""
        return tuple(dict.fromkeys(finding.kind for finding in self.findings))

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the kinds that ask a person to look."""
        return tuple(kind for kind in self.kinds if kind in FLAGS)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return what there is to say, for people."""
        return tuple(dict.fromkeys(finding.sentence for finding in self.findings))


def describe_rewrite(generated: exp.Query, corrected: exp.Query, dialect: str, columns: Columns | None) -> Rewrite:
    """Describe a correction beside the generated SQL; they are supposed to differ in canonical form.

    Args:
        generated: what ``parse_query`` returned; left as it is, as is ``corrected``.
        corrected: likewise.
        dialect: sqlglot's name of the SQL dialect.
        columns: ``{table: {column: type}}`` where the schema is known.

    """
    before, after = (canonical_tree(tree, dialect, columns) for tree in (generated, corrected))
    alone = [finding for finding in _of_answer(corrected, dialect, columns) if finding.kind != "select_star"]
    void = _void_filter(generated, corrected, dialect)
    return _rewrite([*alone, *void, *_whole_table(before, after), *_difference(before, after, dialect, columns)])


def describe_answer(tree: exp.Query, dialect: str, columns: Columns | None = None) -> Rewrite:
    """Describe an answer that stands alone, with no generated SQL beside it."""
    return _rewrite(_of_answer(tree, dialect, columns))


def _rewrite(findings: list[Finding] | Iterator[Finding]) -> Rewrite:
    return Rewrite(tuple(sorted(dict.fromkeys(findings), key=lambda finding: finding.kind not in FLAGS)))


def _of_answer(tree: exp.Query, dialect: str, columns: Columns | None) -> Iterator[Finding]:
    tree = tree.copy()
    quoted_text_to_literals(tree, dialect, columns)
    normalize_identifiers(tree, dialect=dialect)
    for condition in constant_conditions(tree):
        yield _said_of(condition, dialect)
    if any(_is_zero(limit.args.get("expression")) for limit in tree.find_all(exp.Limit)):
        yield Finding("contradictory", "LIMIT 0 returns no rows")
    if not tree.find(exp.Table, exp.Unnest, exp.Lateral, exp.TableFromRows) or not _reads(tree):
        yield Finding("constant_answer", "reads no table, so the answer does not depend on the data")
    if isinstance(tree, exp.Select) and any(map(_is_star, tree.expressions)):
        yield Finding("select_star", "shows all columns with *")


def _reads(tree: exp.Query) -> bool:
    functions = any(not isinstance(table.this, exp.Identifier) for table in tree.find_all(exp.Table))
    return functions or next(referenced_tables(tree), None) is not None


def _said_of(condition: ConstantCondition, dialect: str) -> Finding:
    clause = "JOIN … ON" if isinstance(condition.clause, exp.Join) else condition.clause.key.upper()
    nested = " of a subquery" if condition.clause.parent and condition.clause.parent.parent else ""
    cause = _quoted(condition.cause.sql(dialect, comments=False))
    how = ("always true" if condition.true else "never true") + (" (or NULL)" if condition.unless_null else "")
    if not condition.whole and (not condition.true or not condition.unless_null):
        return Finding("idle_condition", f"{cause} in {clause}{nested} is {how} and changes nothing")
    if condition.true:
        effect = "only drops rows with NULL" if condition.unless_null else "filters nothing"
        return Finding("tautological", f"{cause} in {clause}{nested} is {how}: it {effect}")
    return Finding("contradictory", f"{cause} in {clause}{nested} is {how}: no row can pass")


def _void_filter(generated: exp.Query, corrected: exp.Query, dialect: str) -> Iterator[Finding]:
    void, filtered = [_where_is_void(tree) for tree in (corrected, generated)]
    if void and filtered is False:
        condition = _quoted(generated.args["where"].this.sql(dialect, comments=False))
        yield Finding("tautological", f"the generated SQL filters by {condition}; the correction lets every row pass")


def _where_is_void(tree: exp.Query) -> bool | None:
    """Tell whether the outermost WHERE lets every row pass; None where there is no WHERE."""
    where = tree.args.get("where")
    return None if where is None else False not in outcomes(where.this) and True in outcomes(where.this)


def _whole_table(before: exp.Query, after: exp.Query) -> Iterator[Finding]:
    if not isinstance(after, exp.Select) or not all(map(_is_star, after.expressions)):
        return
    bare = {name for name, value in after.args.items() if value} <= {"expressions", "from_"}
    filtered = before.find(exp.Where, exp.Having)
    if bare and filtered and isinstance(after.args["from_"].this, exp.Table):
        yield Finding("whole_table", f"shows the whole table where the generated SQL has {filtered.key.upper()}")


def _difference(before: exp.Query, after: exp.Query, dialect: str, columns: Columns | None) -> Iterator[Finding]:
    (old_values, old_shape), (new_values, new_shape) = (
        values_and_shape(tree, lambda part: write(part, dialect)) for tree in (before, after)
    )
    if old_shape == new_shape:
        yield Finding("literal_only", _values_changed(old_values, new_values))
    elif isinstance(before, exp.Select) and isinstance(after, exp.Select):
        yield from _in_clauses(_differing_clauses(before, after, dialect), before, after, dialect, columns)


def _in_clauses(
    differing: set[str], before: exp.Select, after: exp.Select, dialect: str, columns: Columns | None
) -> Iterator[Finding]:
    if differing == {"SELECT"}:
        yield from _columns_changed(before, after, dialect, columns)
    elif differing == {"DISTINCT"}:
        yield Finding("distinct_only", f"only {'adds' if after.args.get('distinct') else 'drops'} DISTINCT")
    elif differing and differing <= {"WHERE", "HAVING"}:
        yield Finding("filter_only", f"differs only in {' and '.join(sorted(differing))}")
    elif differing and differing <= {"ORDER BY", "LIMIT"}:
        yield Finding("order_or_limit_only", f"differs only in {' and '.join(sorted(differing))}")


def _values_changed(old: list[str], new: list[str]) -> str:
    pairs = zip(old, new, strict=False) if len(old) == len(new) else ()
    changed = [f"{_short(one)} → {_short(other)}" for one, other in pairs if one != other]
    more = f" and {len(changed) - _MOST_LISTED} more" if len(changed) > _MOST_LISTED else ""
    return f"only values differ: {', '.join(changed[:_MOST_LISTED])}{more}" if changed else "only values differ"


def _differing_clauses(before: exp.Select, after: exp.Select, dialect: str) -> set[str]:
    names = {*before.args, *after.args}
    return {
        _CLAUSES.get(name, name.upper())
        for name in names
        if _clause_text(before, name, dialect) != _clause_text(after, name, dialect)
    }


def _clause_text(tree: exp.Select, name: str, dialect: str) -> list[str]:
    value = tree.args.get(name)
    parts = value if isinstance(value, list) else [value] if value else []
    return [write(part, dialect) if isinstance(part, exp.Expr) else str(part) for part in parts]


def _columns_changed(before: exp.Select, after: exp.Select, dialect: str, columns: Columns | None) -> Iterator[Finding]:
    old, new = ([_plain(item.unalias(), dialect) for item in tree.expressions] for tree in (before, after))
    exactly_old, exactly_new = (
        [write(item.unalias(), dialect) for item in tree.expressions] for tree in (before, after)
    )
    arrow = " → ".join(
        _short(", ".join(_plain(item, dialect) for item in tree.expressions)) for tree in (before, after)
    )
    if _star_against_columns(before, after, columns):
        yield Finding("select_star_only", f"only the shown columns differ: {arrow}")
    elif exactly_old == exactly_new:
        yield Finding("headings_only", f"only names of shown columns differ: {arrow}")
    elif sorted(exactly_old) == sorted(exactly_new):
        yield Finding("columns_reordered_only", f"the same columns in another order: {arrow}")
    elif Counter(old) != Counter(new):
        added, dropped = Counter(new) - Counter(old), Counter(old) - Counter(new)
        changes = [f"{word} {_listed(list(names))}" for word, names in (("adds", added), ("drops", dropped)) if names]
        yield Finding("columns_only", f"only the shown columns differ: {'; '.join(changes)}")


def _plain(item: exp.Expr, dialect: str) -> str:
    """Return an expression for people: without the numbers that the canonical form gives to tables."""
    item = item.copy()
    for column in item.find_all(exp.Column):
        if column.table.startswith(TABLE_PREFIX):
            column.set("table", None)
    return item.sql(dialect, comments=False)


def _star_against_columns(before: exp.Select, after: exp.Select, columns: Columns | None) -> bool:
    """Tell whether columns become *, or * becomes just the columns it stands for."""
    starred = [any(map(_is_star, tree.expressions)) for tree in (before, after)]
    return starred == [False, True] or (starred == [True, False] and _spells_out(after, before, columns))


def _spells_out(plain: exp.Select, starred: exp.Select, columns: Columns | None) -> bool:
    """Tell whether ``plain`` lists just the columns that * stands for; certain for a single known table only."""
    tables = list(plain.find_all(exp.Table))
    if columns is None or len(tables) != 1 or len(starred.expressions) != 1:
        return False
    known = next((names for table, names in columns.items() if table.lower() == tables[0].name.lower()), {})
    shown = [item.name.lower() if isinstance(item, exp.Column) else None for item in plain.expressions]
    return bool(known) and shown == [name.lower() for name in known]


def _is_star(item: exp.Expr) -> bool:
    return item.is_star and isinstance(item, exp.Star | exp.Column)


def _is_zero(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and node.name == "0"


def _listed(texts: list[str]) -> str:
    more = f" and {len(texts) - _MOST_LISTED} more" if len(texts) > _MOST_LISTED else ""
    return ", ".join(map(_short, texts[:_MOST_LISTED])) + more


def _short(text: str) -> str:
    return textwrap.shorten(text[:400], 80, placeholder=" …")


def _quoted(text: str) -> str:
    return f"“{_short(text)}”"
