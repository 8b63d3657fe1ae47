"""Cutting long lists into statements a database accepts."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")

IDS_PER_QUERY = 5_000
"""Well below the limits on bound values: 32,766 on SQLite, 65,535 on Postgres."""


def batches(items: Iterable[Item], size: int = IDS_PER_QUERY) -> Iterator[list[Item]]:
    """Yield lists of up to ``size`` items, in order."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
