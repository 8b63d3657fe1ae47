"""Table aliases in one canonical form, so that ``singer AS T1`` and plain ``singer`` are the same query.

An alias is dropped where its scope has a single source and nobody outside refers to it. Otherwise it is numbered:
tables of the enclosing queries first, then those of its own FROM. So numbers do not depend on the order of subqueries.
"""

from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.scope import Scope, traverse_scope

TABLE_PREFIX = "_t"
"""What a numbered alias begins with."""


@dataclass(frozen=True)
class _Renaming:
    source: exp.Table
    references: list[exp.Column]
    new_name: str | None


def canonical_aliases(tree: exp.Query) -> None:
    """Rename table aliases of ``tree`` in place; they are left alone where scopes cannot be told apart."""
    try:
        # All references are found before any is renamed: a new name may be an old name of another table.
        planned = [renaming for scope in traverse_scope(tree) for renaming in _plans(scope)]
    except OptimizeError:
        return
    for renaming in planned:
        _rename(renaming)


def _plans(scope: Scope) -> list[_Renaming]:
    first, outer = 1, scope.parent
    while outer is not None:
        first, outer = first + len(outer.tables), outer.parent
    named = enumerate(_tables(scope), start=first)
    return [_plan(scope, alias, source, f"{TABLE_PREFIX}{number}") for number, (alias, source) in named]


def _tables(scope: Scope) -> list[tuple[str, exp.Table]]:
    named = [(table.alias_or_name, table) for table in scope.tables if isinstance(table.this, exp.Identifier)]
    names = [name for name, _ in named]
    bare = {column.name for column in scope.columns if not column.table}
    # In Postgres ``SELECT x FROM t AS x`` is the whole row, so there the alias means something by itself.
    return [(name, table) for name, table in named if names.count(name) == 1 and table.alias not in bare]


def _plan(scope: Scope, alias: str, source: exp.Table, new_name: str) -> _Renaming:
    columns = [column for column in scope.columns if column.table == alias]
    stars = [star for star in scope.stars if isinstance(star, exp.Column) and star.table == alias]
    foreign = any(column.find_ancestor(exp.Query) is not scope.expression for column in columns)
    alone = len(scope.selected_sources) == 1 and not foreign and not _shadowed(scope, columns)
    references = {id(column): column for column in [*columns, *stars]}
    return _Renaming(source, list(references.values()), None if alone else new_name)


def _rename(renaming: _Renaming) -> None:
    name = renaming.new_name
    for column in renaming.references:
        column.set("table", exp.to_identifier(name) if name else None)
        column.set("db", None)
        column.set("catalog", None)
    renaming.source.set("alias", exp.TableAlias(this=exp.to_identifier(name)) if name else None)


def _shadowed(scope: Scope, columns: list[exp.Column]) -> bool:
    """Tell whether a bare column name would mean a projection's alias instead (``SELECT a AS b … ORDER BY t.b``)."""
    select = scope.expression
    aliases = {item.alias for item in getattr(select, "selects", []) if isinstance(item, exp.Alias)}
    return any(column.name in aliases for column in columns)
