"""Which column of which table a literal is compared with, as far as the query and the known schema tell."""

from collections.abc import Iterator

from sqlglot import exp

from feedback_pipeline.curation.sql import TEXT_OR_COLUMN, Columns

_KEEPS_VALUE = (exp.Paren, exp.Lower, exp.Upper, exp.Trim, exp.Cast, exp.TryCast, exp.Collate)
"""What may stand around a literal or a column while its values stay values of the column."""
_KEEPS_DOMAIN = (*_KEEPS_VALUE, exp.Max, exp.Min, exp.Coalesce)
_LISTS = (exp.In, exp.Between)
_DEEPEST = 16
"""So many queries within queries are followed; a recursive one has no end."""


def compared_column(literal: exp.Expr, columns: Columns | None) -> str | None:
    """Return ``table.column`` in lower case, ``column`` where the table cannot be told, None where there is no column.

    Args:
        literal: a node of a parsed query.
        columns: ``{table: {column: type}}`` where the schema is known.

    """
    column = _plain_column(_other_side(literal))
    select = column.find_ancestor(exp.Select) if column is not None else None
    if column is None or select is None:
        return None
    return _named(column, select, columns, _DEEPEST)


def _other_side(literal: exp.Expr) -> exp.Expr | None:
    side, parent = literal, literal.parent
    while parent is not None and (isinstance(parent, (*_KEEPS_VALUE, exp.Neg)) or _is_marked(parent)):
        side, parent = parent, parent.parent
    if isinstance(parent, exp.Binary) and isinstance(parent, exp.Predicate):
        return parent.expression if parent.this is side else parent.this
    if isinstance(parent, _LISTS):
        return parent.this if parent.this is not side else None
    if isinstance(parent, exp.If) and isinstance(parent.parent, exp.Case) and parent.this is side:
        return parent.parent.args.get("this")
    return None


def _is_marked(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name == TEXT_OR_COLUMN


def _plain_column(side: exp.Expr | None) -> exp.Column | None:
    while isinstance(side, _KEEPS_DOMAIN):
        side = side.this
    return side if isinstance(side, exp.Column) else None


def _named(column: exp.Column, select: exp.Select, columns: Columns | None, depth: int) -> str | None:
    """Return the name of a column of ``select`` or of a query around it."""
    scope: exp.Select | None = select
    while scope is not None and depth > 0:
        sources = list(_sources(scope))
        if column.table:
            sources = [source for source in sources if source.alias_or_name.lower() == column.table.lower()]
        elif computed := _computed(column, scope, sources, columns):
            return _of_expression(computed, scope, columns, depth)
        else:
            sources = _holding(column.name, sources, columns)
        if len(sources) == 1:
            return _in_source(column.name, sources[0], columns, depth)
        if sources:
            break
        scope = scope.find_ancestor(exp.Select)
    return column.name.lower()


def _sources(select: exp.Select) -> Iterator[exp.Expr]:
    opening = select.args.get("from_")
    for clause in (opening, *(select.args.get("joins") or ())):
        if clause is not None and isinstance(clause.this, exp.Table | exp.Subquery):
            yield clause.this


def _computed(
    column: exp.Column, select: exp.Select, sources: list[exp.Expr], columns: Columns | None
) -> exp.Expr | None:
    """Return what the select list calls by the column's name, unless a table has a column of this name."""
    named = (item for item in select.expressions if isinstance(item, exp.Alias))
    shown = next((item for item in named if item.alias.lower() == column.name.lower()), None)
    if shown is None or shown.find(exp.Column) is column:
        return None
    if columns is None:  # WHERE sees the tables, HAVING the select list
        return None if isinstance(column.find_ancestor(exp.Where, exp.Select), exp.Where) else shown.this
    return None if _holding(column.name, sources, columns) else shown.this


def _holding(name: str, sources: list[exp.Expr], columns: Columns | None) -> list[exp.Expr]:
    """Return the sources that have, or may have, a column of this name."""
    if columns is None:
        return sources
    return [source for source in sources if _may_hold(name.lower(), source, columns)]


def _may_hold(name: str, source: exp.Expr, columns: Columns) -> bool:
    query = _query_of(source)
    if query is not None:
        return any(item.is_star or item.alias_or_name.lower() == name for item in query.selects)
    wanted = source.name.lower()
    known = next((names for table, names in columns.items() if table.lower() == wanted), None)
    return known is None or any(column.lower() == name for column in known)


def _query_of(source: exp.Expr) -> exp.Query | None:
    """Return the query behind a source, None for a table of the database."""
    if isinstance(source, exp.Subquery):
        return source.this if isinstance(source.this, exp.Query) else None
    cte = None if source.text("db") else _cte(source)
    return cte.this if cte is not None and isinstance(cte.this, exp.Query) else None


def _cte(table: exp.Expr) -> exp.CTE | None:
    wanted, query = table.name.lower(), table.find_ancestor(exp.Query)
    while query is not None:
        for cte in query.ctes:
            if cte.alias.lower() == wanted:
                return cte
        query = query.find_ancestor(exp.Query)
    return None


def _in_source(name: str, source: exp.Expr, columns: Columns | None, depth: int) -> str | None:
    query = _query_of(source)
    if query is None:
        return f"{source.name}.{name}".lower() if isinstance(source, exp.Table) and source.name else name.lower()
    select = query.find(exp.Select)
    shown = _shown(name.lower(), source, query)
    if select is None or shown is None:
        return name.lower()
    if shown.is_star:
        inner = list(_sources(select))
        return _in_source(name, inner[0], columns, depth - 1) if len(inner) == 1 and depth > 0 else name.lower()
    return _of_expression(shown.unalias(), select, columns, depth)


def _shown(name: str, source: exp.Expr, query: exp.Query) -> exp.Expr | None:
    """Return the item of a query's select list that is known by ``name`` outside."""
    listed = source if isinstance(source, exp.Subquery) else _cte(source)
    names = [column.name.lower() for column in listed.args["alias"].columns] if listed and listed.args["alias"] else []
    items = query.selects
    if name in names and names.index(name) < len(items):
        return items[names.index(name)]
    known = (item for item in items if item.alias_or_name.lower() == name)
    return next(known, next((item for item in items if item.is_star), None))


def _of_expression(shown: exp.Expr, select: exp.Select, columns: Columns | None, depth: int) -> str | None:
    """Return the column that an item of a select list shows, None where it computes something."""
    column = _plain_column(shown)
    if column is None:
        return None
    return _named(column, select, columns, depth - 1) if depth > 0 else column.name.lower()
