"""What one query came to, and how its rows are collected without ever holding more than the limits allow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from feedback_pipeline.execution.contracts import Limits

Outcome = Literal["ok", "error", "timed_out", "refused", "too_large", "not_run"]

MAX_DEPTH = 64
"""How deep lists and structs may be nested in one value."""

_CELL_BYTES = 32
_TEXT_BYTES = 56
_ROW_BYTES = 64


@dataclass(frozen=True)
class Result:
    """What one query came to.

    Attributes:
        error: why it is not ``ok``, for people.
        columns: names as the database gives them.
        rows: all rows where the outcome is ``ok``, else none.
        seen: rows that came before it ended or was cut off; the result has at least so many.
        size: bytes of ``rows`` in memory, roughly.
    """

    outcome: Outcome
    error: str | None = None
    columns: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    seen: int = 0
    size: int = 0


class RowCollector:
    """Collects the rows of one result until a limit is reached; what was too much is not kept."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._rows: list[tuple[Any, ...]] = []
        self._excess: str | None = None
        self.columns: tuple[str, ...] = ()
        self.seen = 0
        self._size = 0

    def add(self, row: Sequence[Any]) -> bool:
        """Take one row; False means that a limit is reached and no more are wanted.

        Raises ValueError for a value nested more than MAX_DEPTH levels deep.
        """
        self.seen += 1
        self._size += _ROW_BYTES + sum(map(_bytes_of, row))
        if self.seen > self._limits.max_rows:
            self._excess = f"more than {self._limits.max_rows} rows"
        elif self._size > self._limits.max_bytes:
            self._excess = f"more than {self._limits.max_bytes} bytes"
        if self._excess:
            self._rows.clear()
            return False
        self._rows.append(tuple(row))
        return True

    def add_all(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take rows until they end or a limit is reached."""
        for row in rows:
            if not self.add(row):
                break

    def result(self) -> Result:
        """Return what was collected: ``ok``, or ``too_large`` when a limit was reached."""
        if self._excess:
            return Result("too_large", self._excess, self.columns, seen=self.seen)
        return Result("ok", None, self.columns, self._rows, self.seen, self._size)

    def ended(self, outcome: Outcome, error: str) -> Result:
        """Return the result of a query that did not come to its end."""
        return Result(outcome, error, self.columns, seen=self.seen)


def _bytes_of(cell: Any, depth: int = 0) -> int:
    if isinstance(cell, str | bytes):
        return _TEXT_BYTES + len(cell)
    if not isinstance(cell, list | tuple | dict):
        return _CELL_BYTES
    if depth >= MAX_DEPTH:
        raise ValueError(f"a value is nested more than {MAX_DEPTH} levels deep")
    parts = [*cell, *cell.values()] if isinstance(cell, dict) else cell
    return _TEXT_BYTES + sum(_bytes_of(part, depth + 1) for part in parts)
