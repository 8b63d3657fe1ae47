"""Table aliases in one canonical form, so that ``singer AS T1`` and plain ``singer`` are the same query.

An alias is dropped where its scope has a single source and nobody outside refers to it, and numbered otherwise, in the
order of appearance.
"""

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.scope import Scope, traverse_scope

_PREFIX = "_t"


def canonical_aliases(tree: exp.Query) -> exp.Query:
    """Rename table aliases of ``tree`` in place and return it; left alone where scopes cannot be told apart."""
    try:
        scopes = traverse_scope(tree)
    except OptimizeError:
        return tree
    number = 0
    for scope in scopes:
        for alias, source in _tables(scope):
            number += 1
            _rename(scope, alias, source, f"{_PREFIX}{number}")
    return tree


def _tables(scope: Scope) -> list[tuple[str, exp.Table]]:
    named = [(table.alias_or_name, table) for table in scope.tables]
    counts = {name: sum(1 for other, _ in named if other == name) for name, _ in named}
    return [(name, table) for name, table in named if counts[name] == 1 and isinstance(table.this, exp.Identifier)]


def _rename(scope: Scope, alias: str, source: exp.Table, new_name: str) -> None:
    columns = [column for column in scope.columns if column.table == alias]
    stars = [star for star in scope.stars if isinstance(star, exp.Column) and star.table == alias]
    foreign = any(column.find_ancestor(exp.Query) is not scope.expression for column in columns)
    alone = len(scope.selected_sources) == 1 and not foreign and not _shadowed(scope, columns)
    for column in {id(column): column for column in [*columns, *stars]}.values():
        column.set("table", None if alone else exp.to_identifier(new_name))
    source.set("alias", None if alone else exp.TableAlias(this=exp.to_identifier(new_name)))


def _shadowed(scope: Scope, columns: list[exp.Column]) -> bool:
    """Tell whether a bare column name would mean a projection's alias instead (``SELECT a AS b … ORDER BY t.b``)."""
    select = scope.expression
    aliases = {item.alias for item in getattr(select, "selects", []) if isinstance(item, exp.Alias)}
    return any(column.name in aliases for column in columns)
