"""What the index table holds and where, and what has to change in it; nothing here writes."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.example_index.digests import fixed_digests

if TYPE_CHECKING:
    from lancedb.table import Table

_FRAGMENT_BITS = 32
"""LanceDB numbers a row by its fragment in the upper half and its place there in the lower."""
_MAX_UNSORTED = 0.25
"""Share of rows outside the sorted fragments from which all are written anew."""
_MAX_DELETED = 0.1
"""Share of rows that are only marked as deleted from which all are written anew."""


@dataclass(frozen=True)
class StoredRows:
    """Identity and place of every row of a table, in any order.

    Attributes:
        example_ids: of shape (rows,).
        digests: bytes of shape (rows,), see ``digests.row_digests``.
        row_ids: LanceDB's row numbers, uint64 of shape (rows,).

    """

    example_ids: pa.ChunkedArray
    digests: np.ndarray
    row_ids: np.ndarray

    @property
    def fragments(self) -> np.ndarray:
        """Number of the fragment of each row."""
        return (self.row_ids >> _FRAGMENT_BITS).astype(np.int64)

    @property
    def offsets(self) -> np.ndarray:
        """Place of each row in its fragment, counted from 0."""
        return (self.row_ids & (2**_FRAGMENT_BITS - 1)).astype(np.int64)


@dataclass(frozen=True)
class Difference:
    """What tells wanted rows from stored ones.

    Attributes:
        fresh: places of the wanted rows that have to be written: new or changed.
        stale: places of the stored rows that have to go: changed or not wanted any more.
        place_of: for every stored row that stays the place of the wanted one that is equal, else -1.
        removed: how many examples are not wanted any more.
        repeated: how many wanted rows have the id of another one.

    """

    fresh: np.ndarray
    stale: np.ndarray
    place_of: np.ndarray
    removed: int
    repeated: int


def read_stored(table: Table) -> StoredRows:
    """Read identity and place of all rows; vectors and texts are left alone."""
    found = table.search().select(["example_id", "row_digest"]).with_row_id(True).limit(None).to_arrow()
    return StoredRows(found["example_id"], fixed_digests(found["row_digest"]), found["_rowid"].to_numpy())


def compare(wanted: pa.Table, stored: StoredRows) -> Difference:
    """Compare wanted index rows with stored ones by id and digest."""
    met = pc.index_in(wanted["example_id"], value_set=stored.example_ids)
    place = pc.fill_null(met, -1).to_numpy().astype(np.int64)
    known = place >= 0
    same = known.copy()
    same[known] = fixed_digests(wanted["row_digest"])[known] == stored.digests[place[known]]
    place_of = np.full(len(stored.digests), -1)
    place_of[place[same]] = np.flatnonzero(same)
    unknown = wanted["example_id"].filter(pa.array(~known))
    met_again = int(np.count_nonzero(np.bincount(place[known])))
    return Difference(
        fresh=np.flatnonzero(~same),
        stale=np.flatnonzero(place_of < 0),
        place_of=place_of,
        removed=len(place_of) - met_again,
        repeated=len(place) - met_again - pc.count_distinct(unknown).as_py(),
    )


def is_worth_rewriting(stored: StoredRows, difference: Difference) -> bool:
    """Tell whether the table would get so unsorted, or hold so many deleted rows, that reading slows down."""
    stay = difference.place_of >= 0
    fragments, fragment_of = np.unique(stored.fragments, return_inverse=True)
    sizes, ends = np.bincount(fragment_of, stay, len(fragments)), np.zeros(len(fragments))
    np.maximum.at(ends, fragment_of, stored.offsets + 1)
    wanted = stay.sum() + len(difference.fresh)
    unsorted = sizes[~_is_large(sizes)].sum() + len(difference.fresh)
    # A fragment without a row that stays goes as a whole.
    deleted = (ends - sizes)[sizes > 0].sum()
    return bool(unsorted > _MAX_UNSORTED * wanted or deleted > _MAX_DELETED * wanted)


def fragments_to_merge(stored: StoredRows, difference: Difference) -> list[int]:
    """Return the fragments to write again together with the fresh rows, so that few small ones are left.

    Going back from the newest, each that is at most twice as large as what has come together: a row is written again
    only as often as sizes double, and of n rows outside the sorted ones at most log2(n) fragments stay.
    """
    fragments, sizes = np.unique(stored.fragments[difference.place_of >= 0], return_counts=True)
    together, merged = len(difference.fresh), []
    for fragment, size, large in list(zip(fragments, sizes, _is_large(sizes), strict=True))[::-1]:
        if large or size > 2 * together:
            break
        together += size
        merged.append(int(fragment))
    return merged


def rows_of_fragment(fragment: int) -> tuple[int, int]:
    """Return the first row number of a fragment and the one after its last."""
    return fragment << _FRAGMENT_BITS, (fragment + 1) << _FRAGMENT_BITS


def _is_large(sizes: np.ndarray) -> np.ndarray:
    return 2 * sizes >= sizes.max(initial=1)
