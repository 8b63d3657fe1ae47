"""Which clauses of two queries differ, and what can be said where only one does."""

import textwrap
from collections import Counter
from collections.abc import Iterator

from sqlglot import exp

from feedback_pipeline.curation.aliases import TABLE_PREFIX
from feedback_pipeline.curation.findings import Finding
from feedback_pipeline.curation.skeletons import values_and_shape
from feedback_pipeline.curation.sql import Columns, write

_MOST_LISTED = 5
CLAUSES = {"from_": "FROM", "joins": "FROM", "laterals": "FROM", "expressions": "SELECT", "with_": "WITH"}
CLAUSES |= {"group": "GROUP BY", "order": "ORDER BY", "offset": "LIMIT", "limit": "LIMIT"}


def differences(before: exp.Query, after: exp.Query, dialect: str, columns: Columns | None) -> Iterator[Finding]:
    """Yield what can be said of two canonical queries of which one corrects the other."""
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
    changed = [f"{shortened(one)} → {shortened(other)}" for one, other in pairs if one != other]
    more = f" and {len(changed) - _MOST_LISTED} more" if len(changed) > _MOST_LISTED else ""
    return f"only values differ: {', '.join(changed[:_MOST_LISTED])}{more}" if changed else "only values differ"


def _differing_clauses(before: exp.Select, after: exp.Select, dialect: str) -> set[str]:
    names = {*before.args, *after.args}
    return {
        CLAUSES.get(name, name.upper())
        for name in names
        if clause_text(before, name, dialect) != clause_text(after, name, dialect)
    }


def clause_text(tree: exp.Query, name: str, dialect: str) -> list[str]:
    """Return the parts of a clause as SQL, an empty list where the query has none; ``name`` is sqlglot's."""
    value = tree.args.get(name)
    parts = value if isinstance(value, list) else [value] if value else []
    return [write(part, dialect) if isinstance(part, exp.Expr) else str(part) for part in parts]


def _columns_changed(before: exp.Select, after: exp.Select, dialect: str, columns: Columns | None) -> Iterator[Finding]:
    old, new = ([_plain(item.unalias(), dialect) for item in tree.expressions] for tree in (before, after))
    exactly_old, exactly_new = (
        [write(item.unalias(), dialect) for item in tree.expressions] for tree in (before, after)
    )
    arrow = " → ".join(
        shortened(", ".join(_plain(item, dialect) for item in tree.expressions)) for tree in (before, after)
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
    starred = [any(map(is_star, tree.expressions)) for tree in (before, after)]
    return starred == [False, True] or (starred == [True, False] and _spells_out(after, before, columns))


def _spells_out(plain: exp.Select, starred: exp.Select, columns: Columns | None) -> bool:
    """Tell whether ``plain`` lists just the columns that * stands for; certain for a single known table only."""
    tables = list(plain.find_all(exp.Table))
    if columns is None or len(tables) != 1 or len(starred.expressions) != 1:
        return False
    known = next((names for table, names in columns.items() if table.lower() == tables[0].name.lower()), {})
    shown = [item.name.lower() if isinstance(item, exp.Column) else None for item in plain.expressions]
    return bool(known) and shown == [name.lower() for name in known]


def is_star(item: exp.Expr) -> bool:
    """Tell whether an item of a select list is ``*`` or ``t.*``."""
    return item.is_star and isinstance(item, exp.Star | exp.Column)


def _listed(texts: list[str]) -> str:
    more = f" and {len(texts) - _MOST_LISTED} more" if len(texts) > _MOST_LISTED else ""
    return ", ".join(map(shortened, texts[:_MOST_LISTED])) + more


def shortened(text: str) -> str:
    """Return SQL cut to what fits into a sentence."""
    return textwrap.shorten(text[:400], 80, placeholder=" …")
