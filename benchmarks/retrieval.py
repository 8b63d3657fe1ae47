"""Question to examples: our retriever against the plain way, sentence-transformers and a filtered LanceDB query."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.corpus import corrections
from feedback_pipeline.curation.encoder import SentenceEncoder, load_model
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.encoder_export import export_encoder
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline.retrieval import Retriever

_EXAMPLES = 100_000
_QUESTIONS = 200
_DIMENSION = 384


def measure() -> None:
    """Print median and 95th percentile of both, in turns in one process, on the same index."""
    with tempfile.TemporaryDirectory() as root:
        encoder = SentenceEncoder()
        export_encoder(root, encoder)
        catalog = IndexCatalog(root)
        publish(catalog, _embedded(), encoder.fingerprint, vector_index_min_rows=10**9)
        retriever, table, model = Retriever(root), catalog.open_table(), load_model(encoder.name)

        def ours(question: str, database_id: str) -> object:
            return retriever.similar(question, database_id=database_id, k=3)

        def plain(question: str, database_id: str) -> object:
            vector = model.encode(question, normalize_embeddings=True)
            selected = (
                table.search(vector, vector_column_name="vector").where(f"database_id = '{database_id}'").limit(3)
            )
            return selected.select(["example_id", "natural_query", "sql", "_distance"]).to_list()

        _print(_in_turns({"Retriever": ours, "sentence-transformers + LanceDB": plain}))


def _in_turns(ways: dict[str, Callable[[str, str], object]]) -> dict[str, list[float]]:
    milliseconds: dict[str, list[float]] = {name: [] for name in ways}
    for question, database_id in _questions():
        for name, way in ways.items():
            start = time.perf_counter()
            way(question, database_id)
            milliseconds[name].append((time.perf_counter() - start) * 1000)
    return milliseconds


def _questions() -> Iterator[tuple[str, str]]:
    for row in corrections(_QUESTIONS, first=20_000_000):
        yield row["natural_query"], row["database_id"]


def _print(milliseconds: dict[str, list[float]]) -> None:
    title = f"question to examples, {_EXAMPLES:,} examples"
    table = Table("way", "median ms", "p95 ms", title=title, title_justify="left")
    for name, durations in milliseconds.items():
        p95 = statistics.quantiles(durations, n=20)[-1]
        table.add_row(name, f"{statistics.median(durations):.2f}", f"{p95:.2f}")
    console = Console()
    console.print(table)
    ours, plain = (statistics.median(durations) for durations in milliseconds.values())
    console.print(f"ratio of medians {ours / plain:.2f}\n")


def _embedded() -> pa.Table:
    """Random unit vectors serve as well as real ones: an exact search takes as long."""
    vectors = np.random.default_rng(7).normal(size=(_EXAMPLES, _DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = list(corrections(_EXAMPLES))
    return pa.table(
        {
            "example_id": [f"{number:016x}" for number in range(_EXAMPLES)],
            "database_id": [row["database_id"] for row in rows],
            "natural_query": [row["natural_query"] for row in rows],
            "sql": [row["corrected_sql"] for row in rows],
            "generated_sql": pa.nulls(_EXAMPLES, pa.string()),
            "weight": pa.array([1] * _EXAMPLES, pa.int32()),
            "feedback_ids": [[row["id"]] for row in rows],
            "source": ["bench"] * _EXAMPLES,
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), _DIMENSION),
        }
    )
