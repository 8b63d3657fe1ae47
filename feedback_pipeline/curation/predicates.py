"""Predicates in one canonical form, so that ``1 = 1 AND (b = 2) AND 1 = a`` and ``a = 1 AND b = 2`` are the same.

Only what no value can tell apart is rewritten: NULL, text that looks like a number and numbers used as truth included.
sqlglot's own ``simplify`` is not used: it folds ``ORDER BY 1 + 1`` into a column's position, ``- - a`` into ``a`` and
``'a' = 'A'`` into FALSE, and needs minutes for some thousand conditions.
"""

from collections.abc import Iterator

from sqlglot import exp

_MIRRORED: dict[type[exp.Expr], type[exp.Binary]] = {
    exp.EQ: exp.EQ,
    exp.NEQ: exp.NEQ,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
}
_TIGHTER_THAN_AND = (
    *_MIRRORED,
    exp.Is,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.In,
    exp.Like,
    exp.ILike,
    exp.Glob,
    exp.Exists,
    exp.Not,
)
_PRIMARY = (exp.Column, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.Anonymous, exp.AggFunc, exp.Subquery)
_CLAUSES = (exp.Where, exp.Having, exp.Qualify, exp.Join, exp.Select, exp.Alias, exp.Paren)


def canonical_predicates(tree: exp.Query, dialect: str) -> None:
    """Rewrite the predicates of ``tree`` in place."""
    # Innermost first: whether brackets are needed, and how operands sort, depends on what they hold.
    for node in reversed(list(tree.bfs())):
        if isinstance(node, exp.Paren):
            _unwrap(node)
        elif type(node) in _MIRRORED:
            _turn(node, dialect)
    for where in list(tree.find_all(exp.Where)):
        _drop_always_true(where)
    for node in reversed(list(tree.bfs())):
        if isinstance(node, exp.Connector) and not isinstance(node.parent, type(node)):
            _sort(node, dialect)


def _unwrap(paren: exp.Paren) -> None:
    if not paren.comments and (isinstance(paren.this, _PRIMARY) or _binds_looser(paren)):
        paren.replace(paren.this)


def _binds_looser(paren: exp.Paren) -> bool:
    """Tell whether what surrounds the brackets would not tear apart what is in them."""
    inner, outer = paren.this, paren.parent
    if isinstance(inner, exp.Query):
        return False
    if isinstance(outer, exp.And | exp.Or):
        return isinstance(inner, (*_TIGHTER_THAN_AND, exp.And, type(outer)))
    return isinstance(outer, _CLAUSES)


def _turn(comparison: exp.Expr, dialect: str) -> None:
    """Write ``3 < a`` as ``a > 3``, and two columns that are compared for equality in the order of their names."""
    left, right = comparison.args["this"], comparison.args["expression"]
    literal_first = isinstance(left, exp.Literal) and isinstance(right, exp.Column)
    columns = isinstance(left, exp.Column) and isinstance(right, exp.Column)
    unordered = columns and isinstance(comparison, exp.EQ | exp.NEQ) and _text(left, dialect) > _text(right, dialect)
    if literal_first or unordered:
        comparison.replace(_MIRRORED[type(comparison)](this=right, expression=left))


def _sort(connector: exp.Connector, dialect: str) -> None:
    kind = type(connector)
    if kind not in (exp.And, exp.Or):
        return
    in_order = sorted(_operands(connector, kind), key=lambda operand: _text(operand, dialect))
    merged = connector.replace(_chain(kind, _without_repeats(in_order)))
    if isinstance(merged.parent, exp.Paren):
        _unwrap(merged.parent)


def _without_repeats(ordered: list[exp.Expr]) -> list[exp.Expr]:
    """Drop a comparison that stands twice, unless a function in it may give another value the second time."""
    return [
        operand
        for number, operand in enumerate(ordered)
        if number == 0 or operand != ordered[number - 1] or not _always_the_same(operand)
    ]


def _always_the_same(operand: exp.Expr) -> bool:
    return type(operand) in _MIRRORED and operand.find(exp.Func) is None


def _text(node: exp.Expr, dialect: str) -> str:
    return node.sql(dialect, identify=True, comments=False)


def _operands(connector: exp.Expr, kind: type[exp.Expr]) -> Iterator[exp.Expr]:
    waiting = [connector]
    while waiting:
        node = waiting.pop()
        if isinstance(node, kind):
            waiting += [node.args["expression"], node.args["this"]]
        else:
            yield node


def _drop_always_true(where: exp.Where) -> None:
    """Drop ``1 = 1`` among the conditions of WHERE, where only their truth counts, not their value."""
    kept = [operand for operand in _operands(where.this, exp.And) if not _always_true(operand)]
    if not kept:
        where.pop()
        return
    where.set("this", _chain(exp.And, kept))
    if isinstance(where.this, exp.Paren):
        _unwrap(where.this)


def _chain(kind: type[exp.Expr], operands: list[exp.Expr]) -> exp.Expr:
    chain, *others = [operand.pop() for operand in operands]
    for operand in others:
        chain = kind(this=chain, expression=operand)
    return chain


def _always_true(node: exp.Expr) -> bool:
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    sides = node.args.get("this"), node.args.get("expression")
    same = isinstance(node, exp.EQ) and sides[0] == sides[1]
    return same and isinstance(sides[0], exp.Literal)
