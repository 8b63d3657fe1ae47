"""Rewrites of a query into an equivalent one with fewer forms: NOT, BETWEEN, IN, COUNT(1), ELSE NULL.

All hold in three-valued logic, for the value as well as for the truth of the expression. Brackets may be left over;
``predicates`` removes them.
"""

from collections.abc import Callable

from sqlglot import exp

_OPPOSITE: dict[type[exp.Expr], type[exp.Binary]] = {
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.LT: exp.GTE,
    exp.GTE: exp.LT,
    exp.GT: exp.LTE,
    exp.LTE: exp.GT,
}
_STANDS_ALONE = (exp.Where, exp.Having, exp.Join, exp.And, exp.Or, exp.Not, exp.Paren)
"""What may surround a rewritten predicate: beside another operator, parsers disagree about what belongs together."""

_TRUTH_VALUED = (*_OPPOSITE, exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Like, exp.Between, exp.Exists)


def rewrite_equivalences(tree: exp.Query) -> None:
    """Rewrite ``tree`` in place."""
    for kind, rewrite in _REWRITES:
        for node in list(tree.find_all(kind)):
            rewrite(node)


def _count_rows(count: exp.Count) -> None:
    if isinstance(count.this, exp.Literal):
        count.set("this", exp.Star())


def _drop_else_null(case: exp.Case) -> None:
    if isinstance(case.args.get("default"), exp.Null):
        case.set("default", None)


def _split_between(between: exp.Between) -> None:
    """``a BETWEEN 1 AND 5`` → ``a >= 1 AND a <= 5``, where ``a`` is a column and so the same both times."""
    low, high = between.args["low"], between.args["high"]
    column, symmetric = between.this.unnest(), between.args.get("symmetric")
    if isinstance(column, exp.Column) and isinstance(between.parent, _STANDS_ALONE) and not symmetric:
        both = exp.And(
            this=exp.GTE(this=column.copy(), expression=low), expression=exp.LTE(this=column, expression=high)
        )
        between.replace(exp.Paren(this=both))


def _push_down(negation: exp.Expr) -> None:
    """Replace NOT over a comparison by the opposite comparison; De Morgan over AND and OR; drop a double NOT."""
    inner = negation.this.unnest()
    kind = type(inner)
    if kind in _OPPOSITE:
        if isinstance(inner.this, exp.Predicate) or isinstance(inner.expression, exp.Predicate):
            # Of "a BETWEEN b AND c < d" SQLite and Postgres take other parts together; as it stands it means the same.
            return
        negation.replace(exp.Paren(this=_OPPOSITE[kind](this=inner.this, expression=inner.expression)))
    elif isinstance(inner, exp.And | exp.Or):
        sides = [exp.Not(this=exp.Paren(this=side)) for side in (inner.this, inner.expression)]
        dual = exp.Or if kind is exp.And else exp.And
        negation.replace(exp.Paren(this=dual(this=sides[0], expression=sides[1])))
        for side in sides:
            _push_down(side)
    elif isinstance(inner, exp.Not) and isinstance(inner.this.unnest(), _TRUTH_VALUED):
        positive = exp.Paren(this=inner.this)
        negation.replace(positive)


def _order_values(values: exp.In) -> None:
    """Sort and dedupe a list of literals; one literal alone is a comparison."""
    listed = values.expressions
    if not listed or not all(isinstance(value, exp.Literal) for value in listed):
        return
    ordered = sorted(set(listed), key=lambda literal: (literal.is_string, literal.name))
    column = values.this.unnest()
    if len(ordered) == 1 and isinstance(column, exp.Column) and isinstance(values.parent, _STANDS_ALONE):
        values.replace(exp.Paren(this=exp.EQ(this=column, expression=ordered[0])))
    else:
        values.set("expressions", ordered)


_REWRITES: tuple[tuple[type[exp.Expr], Callable[..., None]], ...] = (
    (exp.Between, _split_between),
    (exp.In, _order_values),
    (exp.Not, _push_down),
    (exp.Count, _count_rows),
    (exp.Case, _drop_else_null),
)
