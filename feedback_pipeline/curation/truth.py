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
    first, second = _number(one), _number(other)
    return first is not None and second is not None and first != second


def _of_leaf(node: exp.Expr) -> Outcomes:
    number = _number(node)
    if number is not None:
        return frozenset({number != 0})
    match node:
        case exp.Null():
            return frozenset({None})
        case exp.Boolean():
            return frozenset({bool(node.this)})
        case exp.Is() | exp.NullSafeEQ():
            return _of_identity(node)
        case exp.Exists():
            return _of_exists(node)
        case exp.Like() | exp.ILike() | exp.Glob():
            return _of_pattern(node)
        case exp.In():
            return frozenset({True}) if _is_literal(node.this) and node.this in node.expressions else _ANYTHING
        case _:
            return _of_comparison(node) if type(node) in _COMPARE else _ANYTHING


def _of_identity(node: exp.Expr) -> Outcomes:
    one, other = node.this.unnest(), node.args["expression"].unnest()
    if one == other and (_is_literal(one) or isinstance(one, exp.Column | exp.Null)):
        return frozenset({True})
    return frozenset({False}) if _is_literal(one) and isinstance(other, exp.Null) else _NOT_NULL


def _of_exists(node: exp.Exists) -> Outcomes:
    query = node.this.unnest()
    without_rows = ("from_", "where", "having", "limit", "group", "joins", "laterals", "qualify")
    bare = isinstance(query, exp.Select) and not any(query.args.get(part) for part in without_rows)
    return frozenset({True}) if bare else _NOT_NULL


def _of_pattern(node: exp.Expr) -> Outcomes:
    pattern, anything = node.args["expression"], "*" if isinstance(node, exp.Glob) else "%"
    matches_all = isinstance(pattern, exp.Literal) and pattern.name and not pattern.name.strip(anything)
    escaped = isinstance(node.parent, exp.Escape)
    return _TRUE_UNLESS_NULL if matches_all and not escaped else _ANYTHING


def _of_comparison(node: exp.Expr) -> Outcomes:
    one, other = node.this.unnest(), node.args["expression"].unnest()
    if isinstance(one, exp.Null) or isinstance(other, exp.Null):
        return frozenset({None})
    first, second = _number(one), _number(other)
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


def _number(node: exp.Expr) -> Decimal | None:
    """Return the value of a number or a sum of numbers, None for anything else."""
    node = node.unnest()
    try:
        if isinstance(node, exp.Literal) and not node.is_string:
            return Decimal(node.name)
        if isinstance(node, exp.Neg):
            inner = _number(node.this)
            return None if inner is None else -inner
        if calculate := _CALCULATE.get(type(node)):
            sides = _number(node.this), _number(node.args["expression"])
            return None if sides[0] is None or sides[1] is None else calculate(sides[0], sides[1])
    except DecimalException:
        return None
    return None
