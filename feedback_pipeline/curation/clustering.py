"""Clusters: rows so alike that one must not test what was learned from the other.

Rows of one database that share a SQL skeleton, or whose questions are near-duplicates, get the same ``cluster_id``;
a dataset keeps each cluster in one split. Text and SQL decide, never float vectors, which differ between machines.
"""

from collections.abc import Iterator

import daft
import numpy as np
import pyarrow as pa

NEAR_DUPLICATE_JACCARD = 0.8
"""Estimated Jaccard similarity of two questions' word sets from which they count as near-duplicates."""

_HASHES = 64
_BANDS = 16
_ROWS_PER_BAND = _HASHES // _BANDS


def cluster_ids(rows: pa.Table) -> pa.Array:
    """Return the cluster of each row: the smallest ``example_id`` among its members.

    Args:
        rows: columns example_id, database_id, canonical_question, sql_skeleton; ordered by example_id.

    Candidates come from MinHash with banding (Broder 1997; Leskovec et al., Mining of Massive Datasets, chapter 3), so
    the time grows with the number of rows, not of pairs.

    """
    if rows.num_rows == 0:
        return pa.array([], pa.string())
    databases = _codes(rows["database_id"])
    edges = [_to_first_of_group(databases, _codes(rows["sql_skeleton"]))]
    edges += _near_duplicates(databases, _signatures(rows["canonical_question"]))
    return rows["example_id"].take(_first_of_component(rows.num_rows, edges)).combine_chunks()


def _codes(values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return a number for each value: distinct ones counted in order of appearance."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return whole.dictionary_encode().indices.to_numpy().astype(np.uint64)


def _to_first_of_group(*keys: np.ndarray) -> np.ndarray:
    """Return edges (2 x m) from each row that is not the first with its keys to the row that is."""
    group = _codes(pa.array(_mixed(keys)))
    firsts = np.flatnonzero(np.diff(np.maximum.accumulate(group.astype(np.int64)), prepend=-1))
    edges = np.stack([np.arange(len(group)), firsts[group]])
    return edges[:, edges[0] != edges[1]]


def _mixed(keys: tuple[np.ndarray, ...]) -> np.ndarray:
    """Fold several uint64 keys into one, FNV-1a style: 64 bits keep a million rows apart."""
    mixed = np.full(len(keys[0]), 0xCBF29CE484222325, dtype=np.uint64)
    for key in keys:
        mixed = (mixed ^ key) * np.uint64(0x100000001B3)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _signatures(questions: pa.ChunkedArray) -> np.ndarray:
    frame = daft.from_arrow(pa.table({"question": questions}))
    hashed = frame.select(daft.functions.minhash(daft.col("question"), num_hashes=_HASHES, ngram_size=1).alias("h"))
    flat = hashed.to_arrow()["h"].combine_chunks().flatten()
    return flat.to_numpy(zero_copy_only=False).reshape(-1, _HASHES).astype(np.uint64)


def _near_duplicates(databases: np.ndarray, signatures: np.ndarray) -> Iterator[np.ndarray]:
    for band in range(_BANDS):
        hashes = signatures[:, band * _ROWS_PER_BAND : (band + 1) * _ROWS_PER_BAND]
        edges = _to_first_of_group(databases, *hashes.T)
        alike = (signatures[edges[0]] == signatures[edges[1]]).mean(axis=1) >= NEAR_DUPLICATE_JACCARD
        yield edges[:, alike]


def _first_of_component(size: int, edges: list[np.ndarray]) -> np.ndarray:
    # Imported late: scipy is a tenth of what loading Dagster's definitions would cost.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sources, targets = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(len(sources), dtype=np.int8), (sources, targets)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    first = np.full(labels.max() + 1, size, dtype=np.int64)
    np.minimum.at(first, labels, np.arange(size))
    return first[labels]
