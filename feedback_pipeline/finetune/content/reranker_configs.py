"""The configs of a release of the reranker's dataset: the formats that the trainers of sentence-transformers read.

Those trainers take columns by their place: what they train on comes first, and where rows come from after it.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.finetune.content.configs import Asked, Config
from feedback_pipeline.schemas import RERANKER_QUERIES

RENDERING_VERSION = 1
"""Counts changes of what is rendered from the same rows."""

MOST_TRIPLETS = 20
"""Of one query."""

REPEATING = ("source", "cluster_id", "query", "anchor", "negative_origins")
"""Columns that Parquet's dictionaries make smaller."""

PROVENANCE = pa.schema(
    [RERANKER_QUERIES.field(name) for name in ("row_id", "interaction_ids", "source", "weight", "cluster_id")]
)
"""The columns that every config has: where a row comes from, and how much it says."""

_SIDES = (("positive", 1.0), ("negative", 0.0))
_LABELS = pa.list_(pa.float64())


def _training(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    columns = [pa.field(name, kind, nullable=False) for name, kind in fields]
    return pa.schema([*columns, *PROVENANCE])


def _default(asked: Asked) -> pa.Table:
    return asked.rows.select(DEFAULT.names).cast(DEFAULT)


def _triplet(asked: Asked) -> pa.Table:
    rows = asked.rows
    numbers, positive, negative, weights = _pairs(rows)
    found = rows.select(["query", "row_id", "source", "cluster_id"]).take(numbers)
    columns = {
        **_columns(found),
        "anchor": found["query"],
        "positive": _items(rows["positives"]).take(positive),
        "negative": _items(rows["negatives"]).take(negative),
        "weight": weights,
        "interaction_ids": _united(
            _items(rows["positive_interactions"]).take(positive), _items(rows["negative_interactions"]).take(negative)
        ),
    }
    return pa.table({name: columns[name] for name in TRIPLET.names}, schema=TRIPLET)


def _labeled_pair(asked: Asked) -> pa.Table:
    rows = asked.rows
    sides = [_side(rows, name, label) for name, label in _SIDES]
    pairs = pa.concat_tables(sides)
    # Stable: of one query what was helpful comes first, the heaviest first.
    pairs = pairs.take(pa.array(np.argsort(pairs["number"].to_numpy(), kind="stable")))
    found = rows.select(["query", "row_id", "source", "cluster_id"]).take(pairs["number"])
    columns = {**_columns(found), **_columns(pairs)}
    return pa.table({name: columns[name] for name in LABELED_PAIR.names}, schema=LABELED_PAIR)


def _listwise(asked: Asked) -> pa.Table:
    rows = asked.rows
    columns = {
        **_columns(rows),
        "passages": _joined(rows, "positives", "negatives"),
        "labels": _labels(rows),
        "ranks": _joined(rows, "positive_ranks", "negative_ranks"),
    }
    return pa.table({name: columns[name] for name in LISTWISE.names}, schema=LISTWISE)


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray | pa.Array]:
    return dict(zip(table.column_names, table.columns, strict=True))


def _items(lists: pa.ChunkedArray) -> pa.Array:
    """Return the items of a column of lists one after the other."""
    return lists.combine_chunks().flatten()


def _sizes(lists: pa.ChunkedArray) -> np.ndarray:
    return pc.list_value_length(lists).to_numpy()


def _pairs(rows: pa.Table) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
    """Return the triplets of all rows: the row, the places of both passages among all items, and the weight of each.

    A triplet weighs as much as the lighter of its passages. Of the heaviest passages of each side the heaviest triplets
    are taken; of equal ones first those in which all passages appear, and not one of them with all others.
    """
    sizes = [_sizes(rows[name]) for name in ("positive_weights", "negative_weights")]
    starts = [np.cumsum(size) - size for size in sizes]
    high, wide = (np.minimum(size, MOST_TRIPLETS) for size in sizes)
    counts = high * wide
    row = np.repeat(np.arange(rows.num_rows), counts)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    first, second = place // np.maximum(wide[row], 1), place % np.maximum(wide[row], 1)
    positive, negative = starts[0][row] + first, starts[1][row] + second
    weight = np.minimum(
        _items(rows["positive_weights"]).to_numpy()[positive], _items(rows["negative_weights"]).to_numpy()[negative]
    )
    turn = (second - first) % np.maximum(np.maximum(high, wide)[row], 1)
    order = np.lexsort((first, turn, -weight, row))
    # Rows stay together, so the place within a row is the same before and after.
    taken = order[place < MOST_TRIPLETS]
    return tuple(pa.array(one[taken]) for one in (row, positive, negative, weight))  # pyright: ignore[reportReturnType]


def _united(one: pa.Array, other: pa.Array) -> pa.Array:
    """Return for each row the ids of both lists, each once and sorted."""
    ids = pa.concat_arrays([one.flatten(), other.flatten()]).dictionary_encode()
    sorted_names = pc.sort_indices(ids.dictionary).to_numpy()
    rank = np.empty(len(sorted_names), np.int64)
    rank[sorted_names] = np.arange(len(sorted_names))
    rows = np.concatenate([pc.list_parent_indices(one).to_numpy(), pc.list_parent_indices(other).to_numpy()])
    codes = rank[ids.indices.to_numpy()] if len(rows) else np.zeros(0, np.int64)
    distinct = np.unique(rows.astype(np.int64) * max(len(rank), 1) + codes)
    sizes = np.bincount(distinct // max(len(rank), 1), minlength=len(one))
    names = ids.dictionary.take(pa.array(sorted_names[distinct % max(len(rank), 1)]))
    return _lists(sizes, names)


def _lists(sizes: np.ndarray, items: pa.Array) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), items)


def _side(rows: pa.Table, name: str, label: float) -> pa.Table:
    """Return the passages of one side with their label, each with the number of its row."""
    passages = _items(rows[f"{name}s"])
    columns = {
        "number": np.repeat(np.arange(rows.num_rows), _sizes(rows[f"{name}_weights"])),
        "passage": passages,
        "label": pa.repeat(label, len(passages)),
        "weight": _items(rows[f"{name}_weights"]),
        "interaction_ids": _items(rows[f"{name}_interactions"]),
    }
    return pa.table(columns)


def _order(rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return where the items of both sides stand, one row after the other, and how many of them each row has."""
    sizes = [_sizes(rows[f"{name}_weights"]) for name, _ in _SIDES]
    numbers = np.concatenate([np.repeat(np.arange(rows.num_rows), size) for size in sizes])
    return np.argsort(numbers, kind="stable"), sizes[0] + sizes[1]


def _joined(rows: pa.Table, *names: str) -> pa.Array:
    """Return the lists of two columns, those of the second after those of the first."""
    order, sizes = _order(rows)
    return _lists(sizes, pa.concat_arrays([_items(rows[name]) for name in names]).take(pa.array(order)))


def _labels(rows: pa.Table) -> pa.Array:
    order, sizes = _order(rows)
    labels = [np.full(_sizes(rows[f"{name}_weights"]).sum(), label) for name, label in _SIDES]
    return _lists(sizes, pa.array(np.concatenate(labels)[order]))


DEFAULT = RERANKER_QUERIES
TRIPLET = _training(("anchor", pa.string()), ("positive", pa.string()), ("negative", pa.string()))
LABELED_PAIR = _training(("query", pa.string()), ("passage", pa.string()), ("label", pa.float64()))
LISTWISE = _training(("query", pa.string()), ("passages", pa.list_(pa.string())), ("labels", _LABELS)).append(
    pa.field("ranks", _LABELS, nullable=False)
)

CONFIGS = (
    Config("default", DEFAULT, _default, "every query with all that ratings say of its passages"),
    Config(
        "triplet",
        TRIPLET,
        _triplet,
        f"a query, a helpful passage and one that was not, up to {MOST_TRIPLETS} of a query",
        needs=("positive_weights", "negative_weights"),
    ),
    Config("labeled_pair", LABELED_PAIR, _labeled_pair, "a query and a passage with a label: 1 helpful, 0 not"),
    Config("listwise", LISTWISE, _listwise, "a query and all its passages with their labels"),
)
"""In the order of the card; ``default`` comes first: the others are rendered from it."""
