"""The vector is given: our search of one database beside a plain NumPy slice, FAISS and a filtered LanceDB query.

What is served compares two vectors an example, words and shape. Beside the others, which compare one, our search is
also measured where only words are known, as in an index of an earlier release.
"""

from collections.abc import Iterator
from typing import cast

import numpy as np
from lancedb.query import LanceVectorQueryBuilder

from benchmarks.retrieval.examples import DIMENSION
from benchmarks.retrieval.results import Durations, Goal, Result, in_turns, p50
from benchmarks.retrieval.world import World
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.retrieval.slices import DatabaseSlice

OURS, BOTH, NUMPY, LANCE = "ours, words", "ours, words and shape", "NumPy slice", "LanceDB, filtered"
_QUESTIONS = 300
_K = 3
_NEAR = 0.05
"""Noise per component on a stored vector: its question in other words, say."""


class _Ways:
    """The same rows held in every way; each method returns ids, best first."""

    def __init__(self, world: World):
        import faiss  # pyright: ignore[reportMissingImports]

        catalog = IndexCatalog(world.root)
        self.table = catalog.open_table()
        rows = {name: catalog.read_rows(self.table, name) for name in world.asked}
        self.both = {name: DatabaseSlice.from_table(table) for name, table in rows.items()}
        self.slices = {
            name: DatabaseSlice.from_table(table.drop_columns(["masked_vector"])) for name, table in rows.items()
        }
        self.ids = {name: held.rows["example_id"].to_pylist() for name, held in self.slices.items()}
        self.matrices = {name: held.vectors.copy() for name, held in self.slices.items()}
        self.flat = {name: faiss.IndexFlatIP(DIMENSION) for name in world.asked}
        for name, index in self.flat.items():
            index.add(self.matrices[name])

    def ours(self, vector: np.ndarray, database_id: str) -> list[str]:
        return [self.ids[database_id][row] for row, _ in self.slices[database_id].best(vector, vector, _K)]

    def ours_both(self, vector: np.ndarray, database_id: str) -> list[str]:
        return [self.ids[database_id][row] for row, _ in self.both[database_id].best(vector, vector, _K)]

    def numpy(self, vector: np.ndarray, database_id: str) -> list[str]:
        scores = self.matrices[database_id] @ vector
        best = np.argpartition(-scores, _K)[:_K]
        return [self.ids[database_id][row] for row in best[np.argsort(-scores[best])]]

    def faiss(self, vector: np.ndarray, database_id: str) -> list[str]:
        _, found = self.flat[database_id].search(vector[None, :], _K)
        return [self.ids[database_id][row] for row in found[0]]

    def lancedb(self, vector: np.ndarray, database_id: str) -> list[str]:
        query = cast("LanceVectorQueryBuilder", self.table.search(vector, vector_column_name="vector"))
        found = (
            query.distance_type("cosine")
            .where(f"database_id = '{database_id}'")
            .limit(_K)
            .select(["example_id", "_distance"])
        )
        return found.to_arrow()["example_id"].to_pylist()

    def exact(self, vector: np.ndarray, database_id: str) -> set[str]:
        scores = self.matrices[database_id].astype(np.float64) @ vector.astype(np.float64)
        return {self.ids[database_id][row] for row in np.argsort(-scores)[:_K]}


def measure(world: World) -> Result:
    """Return durations, ratios and recall at 3."""
    ways = _Ways(world)
    named = {OURS: ways.ours, BOTH: ways.ours_both, NUMPY: ways.numpy, "FAISS flat": ways.faiss, LANCE: ways.lancedb}
    in_turns(named, list(_vectors(ways, 20, seed=1)))
    asked = list(_vectors(ways, _QUESTIONS, seed=2))
    seconds = in_turns(named, asked)
    found = [len(set(ways.ours(*question)) & ways.exact(*question)) for question in asked]
    return Result("vector given, one database, top 3", seconds, _goals(seconds, sum(found) / (_K * len(found))))


def _goals(seconds: Durations, recall: float) -> list[Goal]:
    one, both = p50(seconds[OURS]), p50(seconds[BOTH])
    return [
        Goal(f"{OURS} / {NUMPY}", one / p50(seconds[NUMPY]), 1.3),
        Goal(f"{BOTH} / {NUMPY}", both / p50(seconds[NUMPY]), 1.3),
        Goal(f"{LANCE} / {BOTH}", p50(seconds[LANCE]) / both, 15, at_least=True),
        Goal("recall at 3", recall, 1.0, at_least=True),
    ]


def _vectors(ways: _Ways, count: int, seed: int) -> Iterator[tuple[np.ndarray, str]]:
    chance, names = np.random.default_rng(seed), list(ways.slices)
    for number in range(count):
        name = names[number % len(names)]
        held = ways.slices[name].vectors
        vector = held[chance.integers(len(held))] + chance.standard_normal(DIMENSION).astype(np.float32) * _NEAR
        yield vector / np.linalg.norm(vector), name
