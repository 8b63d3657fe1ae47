"""What a query is made of, and how hard it is: told from its skeleton, where no value can pose as a keyword."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CONSTRUCTS: dict[str, tuple[str, ...]] = {
    "aggregate": ("COUNT(", "SUM(", "AVG(", "MIN(", "MAX("),
    "case": ("CASE ",),
    "cte": ("WITH ",),
    "distinct": ("DISTINCT",),
    "group_by": (" GROUP BY ",),
    "having": (" HAVING ",),
    "join": (" JOIN ",),
    "limit": (" LIMIT ",),
    "order_by": (" ORDER BY ",),
    "set_operation": (" UNION ", " INTERSECT ", " EXCEPT "),
    "subquery": ("(SELECT ",),
    "where": (" WHERE ",),
    "window": (" OVER (",),
}
"""SQL constructs and how the canonical spelling shows them: keywords are in capitals there, blanks are single."""

DIFFICULTIES = ("easy", "medium", "hard", "extra")

_HARDER = {"cte": 3, "subquery": 3, "set_operation": 3, "window": 3, "having": 2, "case": 2, "where": 0, "join": 0}
_BOUNDS = (1, 3, 5)


def constructs(skeletons: pa.ChunkedArray | pa.Array) -> dict[str, np.ndarray]:
    """Return which skeletons show each of CONSTRUCTS: booleans of shape (rows,)."""
    with ThreadPoolExecutor() as pool:
        shown = pool.map(partial(_shows, skeletons), CONSTRUCTS.values())
        return dict(zip(CONSTRUCTS, shown, strict=True))


def _shows(skeletons: pa.ChunkedArray | pa.Array, signs: tuple[str, ...]) -> np.ndarray:
    shown = np.zeros(len(skeletons), bool)
    for sign in signs:
        shown |= pc.match_substring(skeletons, sign).to_numpy(zero_copy_only=False)
    return shown


def difficulties(skeletons: pa.ChunkedArray | pa.Array, shown: dict[str, np.ndarray] | None = None) -> pa.Array:
    """Return how hard each query is (DIFFICULTIES), from the number of its constructs.

    The levels follow those of Spider's evaluation script (Yu et al. 2018) in spirit: plain filters are easy, one or two
    further clauses medium, more of them hard; whatever nests queries starts at hard.

    Args:
        skeletons: canonical SQL without values.
        shown: ``constructs`` of the same skeletons, where they are known.
    """
    points = pc.count_substring(skeletons, CONSTRUCTS["join"][0]).to_numpy(zero_copy_only=False).astype(np.int64)
    for name, mask in (shown or constructs(skeletons)).items():
        points += mask * _HARDER.get(name, 1)
    return pa.array(DIFFICULTIES).take(pa.array(np.searchsorted(_BOUNDS, points).astype(np.int32)))
