"""Whether two results hold the same rows. Pure: rows in, an answer out.

Column order is free and column names do not count, since questions seldom fix them; row order counts only where asked
for. As in the test-suite evaluation of Spider a permutation of columns is looked for, but among columns that could be
one another only: those that hold the same values, in rows that look the same.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from feedback_pipeline.execution.cells import comparable

Row = tuple[str, ...]
Rows = Sequence[Sequence[Any]]

MAX_ATTEMPTS = 500
"""Partial column permutations tried before it is left open whether two results are equal."""

_SAYS_NOTHING = {comparable(None), comparable(0)}


@dataclass(frozen=True)
class Comparison:
    """How two results relate.

    Attributes:
        equal: None where no permutation was found within MAX_ATTEMPTS; this takes dozens of columns alike.
        only_left, only_right: positions of the rows that only one side holds, in the order of their values.
        only_order: they hold the same rows in another order, and the order counts.
    """

    equal: bool | None
    only_left: list[int] = field(default_factory=list)
    only_right: list[int] = field(default_factory=list)
    only_order: bool = False


def compare(left: Rows, right: Rows, ordered: bool) -> Comparison:
    """Compare two complete results; with ``ordered`` the rows have to come in the same order."""
    a, b = _comparable_rows(left), _comparable_rows(right)
    if not _same_shape(a, b):
        return _difference(a, b)
    if a == b or (ordered and _same_columns(a, b)):
        return Comparison(equal=True)
    same_rows = _same_rows(a, b)
    if same_rows is False:
        return _difference(a, b)
    return Comparison(equal=False, only_order=bool(same_rows)) if ordered else Comparison(same_rows)


def result_digest(rows: Rows, ordered: bool) -> str | None:
    """Identify a complete result, whatever the order of its columns and, unless ``ordered``, of its rows.

    Equal results have the same digest. None where the rows say nothing: there are none, or one with only NULL and 0.
    """
    if not rows or (len(rows) == 1 and all(comparable(cell) in _SAYS_NOTHING for cell in rows[0])):
        return None
    texts = _comparable_rows(rows)
    if ordered:
        parts = sorted(_hash(column) for column in zip(*texts, strict=True))
    else:
        parts = sorted(_row_looks(texts, _column_looks(texts)))
    return hashlib.sha256("\n".join(["ordered" if ordered else "any order", *parts]).encode()).hexdigest()[:16]


def _comparable_rows(rows: Rows) -> list[Row]:
    return [tuple(map(comparable, row)) for row in rows]


def _same_shape(a: list[Row], b: list[Row]) -> bool:
    """Tell whether both have as many rows and columns; of no rows the columns do not matter."""
    return len(a) == len(b) and (not a or len(a[0]) == len(b[0]))


def _same_columns(a: list[Row], b: list[Row]) -> bool:
    """Tell whether the columns are the same, value by value: then rows are equal in their order."""
    return sorted(zip(*a, strict=True)) == sorted(zip(*b, strict=True))


def _same_rows(a: list[Row], b: list[Row]) -> bool | None:
    """Tell whether some order of columns makes both the same multiset of rows; None means not found in time."""
    if sorted(a) == sorted(b):
        return True
    looks_a, looks_b = _column_looks(a), _column_looks(b)
    if sorted(looks_a) != sorted(looks_b):
        return False
    search = _ColumnSearch(a, b, looks_a, looks_b)
    return True if search.extends([]) else (None if search.attempts > MAX_ATTEMPTS else False)


class _ColumnSearch:
    """Looks for the order of ``b``'s columns, one column after the other; what does not fit so far is not followed."""

    def __init__(self, a: list[Row], b: list[Row], looks_a: list[str], looks_b: list[str]):
        self._a, self._b = a, b
        self._looks_a, self._looks_b = looks_a, looks_b
        self._columns_b = [_hash(column) for column in zip(*b, strict=True)]
        self.attempts = 0

    def extends(self, order: list[int]) -> bool:
        """Tell whether ``order``, which fits the first columns of ``a``, can be completed."""
        if len(order) == len(self._looks_a):
            return True
        return any(self._fits([*order, c]) and self.extends([*order, c]) for c in self._candidates(order))

    def _candidates(self, order: list[int]) -> list[int]:
        look = self._looks_a[len(order)]
        free = (c for c, other in enumerate(self._looks_b) if other == look and c not in order)
        # Of columns that are the same value by value one is enough.
        return list({self._columns_b[c]: c for c in free}.values())

    def _fits(self, order: list[int]) -> bool:
        self.attempts += 1
        if self.attempts > MAX_ATTEMPTS:
            return False
        return Counter(row[: len(order)] for row in self._a) == Counter(_taken(self._b, order))


def _taken(rows: list[Row], order: list[int]) -> Iterator[Row]:
    return (tuple(row[position] for position in order) for row in rows)


def _column_looks(rows: list[Row]) -> list[str]:
    """Describe each column by its values and, where columns look alike, by the rows these stand in.

    The description does not depend on the order of rows or columns.
    """
    columns = list(zip(*rows, strict=True))
    looks = [_hash(sorted(column)) for column in columns]
    distinct = len(set(looks))
    # Columns that are the same value by value need no telling apart.
    while distinct < len(set(columns)):
        row_looks = _row_looks(rows, looks)
        looks = [
            _hash([look, *sorted(map(str.__add__, row_looks, column))])
            for look, column in zip(looks, columns, strict=True)
        ]
        if len(set(looks)) == distinct:
            break
        distinct = len(set(looks))
    return looks


def _row_looks(rows: list[Row], column_looks: list[str]) -> list[str]:
    return [_hash(sorted(map(str.__add__, column_looks, row))) for row in rows]


def _hash(texts: Iterable[str]) -> str:
    """Return a hash of texts in their order; the length before each keeps them apart."""
    joined = "".join(f"{len(text)}:{text}" for text in texts)
    return hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _difference(a: list[Row], b: list[Row]) -> Comparison:
    """Return the rows that only one side holds, with the columns of ``b`` in the order that fits ``a`` best."""
    aligned = b
    if a and b and len(a[0]) == len(b[0]):
        aligned = list(_taken(b, _best_order(a, b)))
    return Comparison(False, _surplus(a, aligned), _surplus(aligned, a))


def _best_order(a: list[Row], b: list[Row]) -> list[int]:
    """Pair up the columns that hold the same values; the others keep their order."""
    values_b = [_hash(sorted(column)) for column in zip(*b, strict=True)]
    free = list(range(len(values_b)))
    order: list[int | None] = []
    for values in (_hash(sorted(column)) for column in zip(*a, strict=True)):
        match = next((position for position in free if values_b[position] == values), None)
        order.append(match)
        if match is not None:
            free.remove(match)
    rest = iter(free)
    return [next(rest) if match is None else match for match in order]


def _surplus(rows: list[Row], others: list[Row]) -> list[int]:
    """Return the positions of the rows beyond those that ``others`` hold as well, in the order of their values."""
    unmatched = Counter(others)
    surplus = []
    for position in sorted(range(len(rows)), key=rows.__getitem__):
        row = rows[position]
        if unmatched[row] > 0:
            unmatched[row] -= 1
        else:
            surplus.append(position)
    return surplus
