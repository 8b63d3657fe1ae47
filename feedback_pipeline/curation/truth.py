"""What a condition may be for some row, as far as the SQL alone tells: true, false or NULL.

What cannot be told for certain may be anything: NULL, collations, and numbers compared with text are reckoned with.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal, DecimalException

from sqlglot import exp

Outcomes = frozenset[bool | None]
"""The truth values a condition may have; None is NULL."""

_ANYTHING: Outcomes = frozenset({True, False, None})
_NOT_NULL: Outcomes = frozenset({True, False})
_TRUE_UNLESS_NULL: Outcomes = frozenset({True, None})
_FALSE_UNLESS_NULL: Outcomes = frozenset({False, None})

_COMPARE: dict[type[exp.Expr], Callable[[Decimal, Decimal], bool]] = {
    exp.EQ: lambda a, b: a == b,
    exp.NEQ: lambda a, b: a != b,
    exp.LT: lambda a, b: a < b,
    exp.LTE: lambda a, b: a <= b,
    exp.GT: lambda a, b: a > b,
    exp.GTE: lambda a, b: a >= b,
}
_CALCULATE: dict[type[exp.Expr], Callable[[Decimal, Decimal], Decimal]] = {
    exp.Add: lambda a, b: a + b,
    exp.Sub: lambda a, b: a - b,
    exp.Mul: lambda a, b: a * b,
}
_CALCULATE_ONE: dict[type[exp.Expr], Callable[[Decimal], Decimal]] = {exp.Neg: lambda a: -a, exp.Abs: abs}
_HOLD_FOR_EQUALS = (exp.EQ, exp.LTE, exp.GTE)
_COMPLEMENT: dict[type[exp.Expr], type[exp.Expr]] = {exp.NEQ: exp.EQ, exp.GTE: exp.LT, exp.GT: exp.LTE}
_TWO_VALUED = (exp.Is, exp.Exists, exp.NullSafeEQ, exp.NullSafeNEQ)


def outcomes(node: exp.Expr) -> Outcomes:
    """Return what ``node`` may be as a condition."""
    node = node.unnest()
    if isinstance(node, exp.And | exp.Or):
        return _of_connector(node)
    if isinstance(node, exp.Not):
        return _negated(outcomes(node.this))
    possible = _of_leaf(node)
    return _negated(possible) if node.args.get("negate") else possible


def operands(connector: exp.Expr) -> list[exp.Expr]:
    """Return the operands of a chain of one connector, brackets around parts of the chain left out."""
    kind, found, waiting = type(connector), [], [connector]
    while waiting:
        node = waiting.pop()
        if isinstance(node.unnest(), kind):
            waiting += [node.unnest().args["expression"], node.unnest().args["this"]]
        else:
            found.append(node)
    return found


def _negated(possible: Outcomes) -> Outcomes:
    return frozenset(None if outcome is None else not outcome for outcome in possible)


def _of_connector(connector: exp.Expr) -> Outcomes:
    parts = operands(connector)
    is_and = isinstance(connector, exp.And)
    possible = _combined([outcomes(part) for part in parts], decider=not is_and)
    if _excluding_each_other(parts) or (is_and and _equal_to_different_values(parts)):
        possible &= frozenset({not is_and, None})
        if all(isinstance(_positive(part)[0], _TWO_VALUED) for part in parts):
            possible -= {None}
    return possible


def _combined(parts: Iterable[Outcomes], *, decider: bool) -> Outcomes:
    """Combine outcomes in three-valued logic; ``decider`` (false for AND, true for OR) is stronger than NULL."""
    result: Outcomes = frozenset({not decider})
    for part in parts:
        result = frozenset(_stronger(one, other, decider) for one in result for other in part)
    return result


def _stronger(one: bool | None, other: bool | None, decider: bool) -> bool | None:
    if decider in (one, other):
        return decider
    return None if None in (one, other) else not decider


def _excluding_each_other(parts: list[exp.Expr]) -> bool:
    """Tell whether one part is the exact opposite of another, such as ``x IS NULL`` and ``x IS NOT NULL``."""
    seen: set[tuple[exp.Expr, bool]] = set()
    for part in parts:
        positive, sign = _positive(part)
        if positive.find(exp.Func, exp.Query) is None:
            if (positive, not sign) in seen:
                return True
            seen.add((positive, sign))
    return False


def _positive(node: exp.Expr) -> tuple[exp.Expr, bool]:
    """Return ``node`` without negation, and whether it is meant so: ``x <> 1`` is ``x = 1``, negated."""
    node, sign = node.unnest(), True
    while isinstance(node, exp.Not):
        node, sign = node.this.unnest(), not sign
    if kind := _COMPLEMENT.get(type(node)):
        return kind(this=node.this.copy(), expression=node.expression.copy()), not sign
    if node.args.get("negate"):
        node = node.copy()
        node.set("negate", None)
        sign = not sign
    return node, sign


def _equal_to_different_values(parts: list[exp.Expr]) -> bool:
    """Tell whether one column is to equal two values that are different under any collation and affinity."""
    seen: dict[exp.Expr, exp.Literal] = {}
    for part in (part.unnest() for part in parts):
        if isinstance(part, exp.EQ):
            column, value = _column_and_value(part)
            if column is not None and value is not None and _differ(seen.setdefault(column, value), value):
                return True
    return False


def _column_and_value(equality: exp.EQ) -> tuple[exp.Column | None, exp.Literal | None]:
    sides = [equality.this.unnest(), equality.expression.unnest()]
    column = next((side for side in sides if isinstance(side, exp.Column)), None)
    return column, next((side for side in sides if isinstance(side, exp.Literal)), None)


def _differ(one: exp.Literal, other: exp.Literal) -> bool:
    if one.is_string and other.is_string:
        plain = one.name.isascii() and other.name.isascii()
        return plain and one.name.strip().lower() != other.name.strip().lower()
    first, second = number_of(one), number_of(other)
    return first is not None and second is not None and first != second


def _of_leaf(node: exp.Expr) -> Outcomes:
    number = number_of(node)
    if number is not None:
        return frozenset({number != 0})
    of_kind = next((rule for kind, rule in _LEAVES.items() if isinstance(node, kind)), None)
    return of_kind(node) if of_kind else _ANYTHING


def _of_membership(node: exp.In) -> Outcomes:
    return frozenset({True}) if _is_literal(node.this) and node.this in node.expressions else _ANYTHING


def _of_identity(node: exp.Expr) -> Outcomes:
    one, other = node.this.unnest(), node.args["expression"].unnest()
    if isinstance(other, exp.Null) and _never_null(one):
        return frozenset({False})
    if one == other and (_is_literal(one) or isinstance(one, exp.Column | exp.Null)):
        return frozenset({True})
    return _NOT_NULL


def _never_null(node: exp.Expr) -> bool:
    node = node.unnest()
    if isinstance(node, exp.Coalesce):
        return any(map(_never_null, [node.this, *node.expressions]))
    return _is_literal(node) or number_of(node) is not None


def _of_case(node: exp.Case | exp.If) -> Outcomes:
    """Combine the results of the branches that can be reached."""
    branches, default = (
        ([node], node.args.get("false")) if isinstance(node, exp.If) else (node.args["ifs"], node.args.get("default"))
    )
    possible: Outcomes = frozenset()
    for branch in branches:
        condition = branch.this if node is branch or node.this is None else _compared(exp.EQ, node.this, branch.this)
        reached = outcomes(condition)
        possible |= outcomes(branch.args["true"]) if True in reached else frozenset()
        if reached == {True}:
            return possible
    return possible | (frozenset({None}) if default is None else outcomes(default))


def _of_between(node: exp.Between) -> Outcomes:
    if node.args.get("symmetric"):
        return _ANYTHING
    bounds = [(exp.GTE, node.args["low"]), (exp.LTE, node.args["high"])]
    return _combined([outcomes(_compared(kind, node.this, bound)) for kind, bound in bounds], decider=False)


def _compared(kind: type[exp.Expr], one: exp.Expr, other: exp.Expr) -> exp.Expr:
    return kind(this=one.copy(), expression=other.copy())


def _of_exists(node: exp.Exists) -> Outcomes:
    query = node.this.unnest()
    without_rows = ("from_", "where", "having", "limit", "group", "joins", "laterals", "qualify")
    bare = isinstance(query, exp.Select) and not any(query.args.get(part) for part in without_rows)
    return frozenset({True}) if bare else _NOT_NULL


def _of_pattern(node: exp.Expr) -> Outcomes:
    text, pattern = node.this.unnest(), node.args["expression"]
    if isinstance(node.parent, exp.Escape) or not isinstance(pattern, exp.Literal):
        return _ANYTHING
    # A text matches itself as a pattern, unless it holds what is special in some database.
    if text == pattern and text.is_string and not set(text.name) & set("\\[]"):
        return frozenset({True})
    anything = "*" if isinstance(node, exp.Glob) else "%"
    return _TRUE_UNLESS_NULL if pattern.name and not pattern.name.strip(anything) else _ANYTHING


def _of_comparison(node: exp.Expr) -> Outcomes:
    one, other = node.this.unnest(), node.args["expression"].unnest()
    if isinstance(one, exp.Null) or isinstance(other, exp.Null):
        return frozenset({None})
    first, second = number_of(one), number_of(other)
    if first is not None and second is not None:
        return frozenset({_COMPARE[type(node)](first, second)})
    if _is_literal(one) and _is_literal(other):
        return _of_texts(node, one, other)
    if isinstance(one, exp.Column) and one == other:
        return _TRUE_UNLESS_NULL if isinstance(node, _HOLD_FOR_EQUALS) else _FALSE_UNLESS_NULL
    return _ANYTHING


def _of_texts(node: exp.Expr, one: exp.Expr, other: exp.Expr) -> Outcomes:
    if one == other:
        return frozenset({isinstance(node, _HOLD_FOR_EQUALS)})
    different = isinstance(one, exp.Literal) and isinstance(other, exp.Literal) and _differ(one, other)
    return frozenset({isinstance(node, exp.NEQ)}) if different and isinstance(node, exp.EQ | exp.NEQ) else _ANYTHING


def _is_literal(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal | exp.Boolean)


def number_of(node: exp.Expr) -> Decimal | None:
    """Return the value of a number or of a calculation with numbers, None for anything else."""
    node = node.unnest()
    try:
        if isinstance(node, exp.Literal) and not node.is_string:
            return Decimal(node.name)
        if isinstance(node, exp.Coalesce):
            return number_of(node.this)
        if of_one := _CALCULATE_ONE.get(type(node)):
            inner = number_of(node.this)
            return None if inner is None else of_one(inner)
        if calculate := _CALCULATE.get(type(node)):
            sides = number_of(node.this), number_of(node.args["expression"])
            return None if sides[0] is None or sides[1] is None else calculate(sides[0], sides[1])
    except DecimalException:
        return None
    return None


_LEAVES: dict[type[exp.Expr], Callable[..., Outcomes]] = {
    exp.Null: lambda _: frozenset({None}),
    exp.Boolean: lambda node: frozenset({bool(node.this)}),
    **dict.fromkeys((exp.Is, exp.NullSafeEQ), _of_identity),
    exp.Exists: _of_exists,
    **dict.fromkeys((exp.Like, exp.ILike, exp.Glob), _of_pattern),
    **dict.fromkeys((exp.Case, exp.If), _of_case),
    exp.Between: _of_between,
    exp.In: _of_membership,
    **dict.fromkeys(_COMPARE, _of_comparison),
}
