"""Conditions that data cannot decide: ``1 = 1``, ``x = x``, ``x IS NULL OR x IS NOT NULL``, ``x = NULL``.

Poison and slips look alike here; which of them it is, a person has to say.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from feedback_pipeline.curation.truth import operands, outcomes


@dataclass(frozen=True)
class ConstantCondition:
    """A condition, or a part of one, that is always or never true.

    Attributes:
        clause: the WHERE, HAVING, QUALIFY or JOIN it stands in.
        cause: the smallest part that makes it so.
        true: whether it is always true (else: never).
        unless_null: whether it is NULL where a value is NULL.
        whole: whether it decides the whole clause; if not, it is an operand of AND or OR that changes nothing, or
            nothing but rows with NULL.
    """

    clause: exp.Expr
    cause: exp.Expr
    true: bool
    unless_null: bool
    whole: bool


def constant_conditions(tree: exp.Query) -> Iterator[ConstantCondition]:
    """Yield the constant conditions of all clauses of ``tree``.

    A join ``ON TRUE`` or ``ON 1 = 1`` is a way to write a cross join and left out; ``ON a.x = a.x`` is not.
    """
    for clause in tree.find_all(exp.Where, exp.Having, exp.Qualify, exp.Join):
        condition = clause.args.get("on") if isinstance(clause, exp.Join) else clause.this
        if condition is not None:
            found = _constant_parts(clause, condition, whole=True)
            yield from (one for one in found if not isinstance(clause, exp.Join) or one.unless_null)


def _constant_parts(clause: exp.Expr, node: exp.Expr, *, whole: bool) -> Iterator[ConstantCondition]:
    possible, node = outcomes(node), node.unnest()
    if False not in possible and True in possible:
        yield ConstantCondition(clause, _cause(node), true=True, unless_null=None in possible, whole=whole)
    elif True not in possible:
        yield ConstantCondition(clause, _cause(node), true=False, unless_null=None in possible, whole=whole)
    elif isinstance(node, exp.And | exp.Or):
        for operand in operands(node):
            yield from _constant_parts(clause, operand, whole=False)


def _cause(node: exp.Expr) -> exp.Expr:
    """Return the operand that alone makes ``node`` constant, or ``node`` itself."""
    if not isinstance(node, exp.And | exp.Or):
        return node
    deciding = [operand for operand in operands(node) if _decides(operand, node)]
    return _cause(deciding[0].unnest()) if deciding else node


def _decides(operand: exp.Expr, connector: exp.Expr) -> bool:
    possible = outcomes(operand)
    return True not in possible if isinstance(connector, exp.And) else False not in possible and True in possible
