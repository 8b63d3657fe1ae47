"""The skeleton of a query: what is left without its values and headings. Near-identical queries share one.

Works on the canonical tree that ``sql.canonical_tree`` returns, and leaves it as it is.
"""

import re
from collections.abc import Callable

from sqlglot import exp

_NUMBERED = "__value_{}__"
_NUMBERED_PATTERN = re.compile(r"__value_(\d+)__")


def skeleton(tree: exp.Query) -> exp.Query:
    """Return ``tree`` with every value replaced by ``?``, a list of values by one, and unused headings dropped."""
    tree = tree.copy()
    _replace_values(tree, lambda _: exp.Placeholder())
    _drop_unused_headings(tree)
    return tree


def values_and_shape(tree: exp.Query, write: Callable[[exp.Expr], str]) -> tuple[list[str], str]:
    """Return the values of ``tree`` as written, in the order of the text, and the text with ``?`` in their places.

    Unlike the skeleton, the shape keeps headings: two queries of one shape differ in values only.
    """
    tree = tree.copy()
    written: list[str] = []

    def numbered(value: exp.Expr) -> exp.Expr:
        written.append(write(value))
        return exp.Var(this=_NUMBERED.format(len(written) - 1))

    _replace_values(tree, numbered)
    text = write(tree)
    order = [int(number) for number in _NUMBERED_PATTERN.findall(text)]
    return [written[number] for number in order if number < len(written)], _NUMBERED_PATTERN.sub("?", text)


def _replace_values(tree: exp.Expr, substitute: Callable[[exp.Expr], exp.Expr]) -> None:
    for values in list(tree.find_all(exp.In)):
        if values.expressions and all(_is_value(value) for value in values.expressions):
            listed = exp.Tuple(expressions=values.expressions)
            values.set("expressions", [substitute(listed)])
    for node in list(tree.find_all(exp.Neg, exp.Literal, exp.Boolean)):
        if _is_value(node) and not _is_value(node.parent):
            node.replace(substitute(node))


def _is_value(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal | exp.Boolean) or (isinstance(node, exp.Neg) and _is_value(node.this))


def _drop_unused_headings(tree: exp.Expr) -> None:
    """Drop the names given to shown columns: only those of the outermost SELECT, and only if nothing refers to them."""
    used = {column.name for column in tree.find_all(exp.Column)}
    for item in list(tree.expressions) if isinstance(tree, exp.Select) else ():
        if isinstance(item, exp.Alias) and item.alias not in used:
            item.replace(item.this)
        elif isinstance(item, exp.Subquery) and item.alias and item.alias not in used:
            item.set("alias", None)
