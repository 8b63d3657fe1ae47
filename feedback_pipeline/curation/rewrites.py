"""What a correction does to the generated SQL, in words: evidence for the reviewer, and flags for what looks wrong."""

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from feedback_pipeline.curation.clause_changes import clause_text, differences, is_star, shortened
from feedback_pipeline.curation.constant_conditions import (
    ConstantCondition,
    chances,
    clocks,
    constant_conditions,
    gives_constants,
    reads_data,
)
from feedback_pipeline.curation.findings import FLAGS, Finding, Rewrite
from feedback_pipeline.curation.sql import Columns, canonical_tree, quoted_text_to_literals, referenced_tables, write
from feedback_pipeline.curation.truth import number_of, outcomes

_HUGE_OFFSET = 1_000_000
_READ_FROM = ("with_", "from_", "joins", "laterals")


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
    void = [*_void_filter(generated, corrected, dialect), *_whole_table(before, after)]
    void = void or [*_filter_removed(generated, after, dialect, columns)]
    return _rewrite([*alone, *void, *differences(before, after, dialect, columns)])


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
    yield from _of_row_limits(tree)
    yield from _of_chance_and_time(tree, dialect)
    if not tree.find(exp.Table, exp.Unnest, exp.Lateral, exp.TableFromRows) or not _reads(tree):
        yield Finding("constant_answer", "reads no table, so the answer does not depend on the data")
    elif gives_constants(tree):
        yield Finding("constant_answer", "shows no data: all values are written in the SQL")
    if isinstance(tree, exp.Select) and any(map(is_star, tree.expressions)):
        yield Finding("select_star", "shows all columns with *")


def _of_row_limits(tree: exp.Query) -> Iterator[Finding]:
    limits = [limit.args.get("expression") or limit.args.get("count") for limit in tree.find_all(exp.Limit, exp.Fetch)]
    if any(limit is not None and number_of(limit) == 0 for limit in limits):
        yield Finding("contradictory", "LIMIT 0 returns no rows")
    for offset in tree.find_all(exp.Offset):
        number = number_of(offset.expression)
        if number is not None and number >= _HUGE_OFFSET:
            yield Finding("huge_offset", f"OFFSET skips the first {number} rows: unless there are more, none is found")


def _of_chance_and_time(tree: exp.Query, dialect: str) -> Iterator[Finding]:
    for kind, found, effect in (
        ("non_deterministic", chances(tree), "depends on chance: the answer may be another each time"),
        ("depends_on_time", clocks(tree), "depends on when it is run"),
    ):
        for node in found:
            yield Finding(kind, f"{_quoted(node.sql(dialect, comments=False))} {effect}")


def _reads(tree: exp.Query) -> bool:
    functions = any(not isinstance(table.this, exp.Identifier) for table in tree.find_all(exp.Table))
    return functions or next(referenced_tables(tree), None) is not None


def _said_of(condition: ConstantCondition, dialect: str) -> Finding:
    clause = "JOIN … ON" if isinstance(condition.clause, exp.Join) else condition.clause.key.upper()
    nested = " of a subquery" if condition.clause.parent and condition.clause.parent.parent else ""
    cause = _quoted(condition.cause.sql(dialect, comments=False))
    if condition.true is None:
        return Finding("constant_condition", f"{cause} in {clause}{nested} reads no data: it is the same for all rows")
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
    if not isinstance(after, exp.Select) or not all(map(is_star, after.expressions)):
        return
    bare = {name for name, value in after.args.items() if value} <= {"expressions", "from_"}
    filtered = before.find(exp.Where, exp.Having)
    if bare and filtered and isinstance(after.args["from_"].this, exp.Table):
        yield Finding("whole_table", f"shows the whole table where the generated SQL has {filtered.key.upper()}")


def _filter_removed(generated: exp.Query, after: exp.Query, dialect: str, columns: Columns | None) -> Iterator[Finding]:
    """Find a filter that is dropped and put nowhere else: a join, a subquery, shown values, the first rows."""
    filters = [name for name in ("where", "having") if generated.args.get(name)]
    if not filters or not isinstance(after, exp.Select) or _filters_in_some_way(after):
        return
    # Aliases are canonical for the whole query: without its filters, for what is left.
    unfiltered = generated.copy()
    for name in filters:
        unfiltered.set(name, None)
    before = canonical_tree(unfiltered, dialect, columns)
    same = all(clause_text(before, name, dialect) == clause_text(after, name, dialect) for name in _READ_FROM)
    if same and _groups(before, dialect) == _groups(after, dialect):
        clauses = " and ".join(name.upper() for name in filters)
        yield Finding("filter_removed", f"drops {clauses} of the generated SQL, and filters by nothing")


def _groups(tree: exp.Query, dialect: str) -> list[str]:
    """Return what rows are grouped by; a constant, unless it is the number of a column, makes no groups."""
    grouped = tree.args["group"].expressions if tree.args.get("group") else []
    return [write(item, dialect) for item in grouped if item.is_int or reads_data(item)]


def _filters_in_some_way(tree: exp.Select) -> bool:
    grouped, limited = (any(tree.args.get(name) for name in names) for names in (("group",), ("limit", "fetch")))
    one_row = not grouped and any(item.find(exp.AggFunc) for item in tree.expressions)
    if tree.find(exp.Where, exp.Having, exp.Qualify) or (limited and tree.args.get("order") and not one_row):
        return True
    choices = (choice for item in tree.expressions for choice in item.find_all(exp.Case, exp.If, exp.Predicate))
    return any(map(reads_data, choices))


def _quoted(text: str) -> str:
    return f"“{shortened(text)}”"
