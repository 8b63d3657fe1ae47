"""What a query is made of, and how hard it is: told from its skeleton, where no value can pose as a keyword."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CONSTRUCTS = {
    "aggregate": r"\b(COUNT|SUM|AVG|MIN|MAX)\(",
    "case": r"\bCASE\b",
    "cte": r"^WITH\b",
    "distinct": r"\bDISTINCT\b",
    "group_by": r"\bGROUP BY\b",
    "having": r"\bHAVING\b",
    "join": r"\bJOIN\b",
    "limit": r"\bLIMIT\b",
    "order_by": r"\bORDER BY\b",
    "set_operation": r"\b(UNION|INTERSECT|EXCEPT)\b",
    "subquery": r"\(\s*SELECT\b",
    "where": r"\bWHERE\b",
    "window": r"\bOVER\s*\(",
}
"""SQL constructs and how the canonical spelling shows them: keywords are in capitals there, names are not."""

DIFFICULTIES = ("easy", "medium", "hard", "extra")

_HARDER = {"cte": 3, "subquery": 3, "set_operation": 3, "window": 3, "having": 2, "case": 2}
_BOUNDS = (1, 3, 5)


def constructs(skeletons: pa.ChunkedArray | pa.Array) -> dict[str, np.ndarray]:
    """Return which skeletons show each of CONSTRUCTS: booleans of shape (rows,)."""
    distinct = _dictionary(skeletons)
    indices = distinct.indices.to_numpy(zero_copy_only=False)
    found = {name: pc.match_substring_regex(distinct.dictionary, pattern) for name, pattern in CONSTRUCTS.items()}
    return {name: shown.to_numpy(zero_copy_only=False)[indices] for name, shown in found.items()}


def difficulties(skeletons: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return how hard each query is (DIFFICULTIES), from the number of its constructs.

    The levels follow those of Spider's evaluation script (Yu et al. 2018) in spirit: plain filters are easy, one or two
    further clauses medium, more of them hard; whatever nests queries starts at hard.
    """
    distinct = _dictionary(skeletons)
    joins = pc.count_substring_regex(distinct.dictionary, CONSTRUCTS["join"]).to_numpy(zero_copy_only=False)
    points = joins.astype(np.int64)
    for name, shown in constructs(distinct.dictionary).items():
        if name not in ("where", "join"):
            points += shown * _HARDER.get(name, 1)
    levels = pa.array(np.searchsorted(_BOUNDS, points).astype(np.int32))
    return pa.array(DIFFICULTIES).take(levels).take(distinct.indices)


def _dictionary(skeletons: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    whole = skeletons.combine_chunks() if isinstance(skeletons, pa.ChunkedArray) else skeletons
    return whole.dictionary_encode()
