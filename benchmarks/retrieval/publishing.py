"""A thousand rows more into the index beside writing all of them, and a hundred small publications in a row."""

import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from benchmarks.retrieval.examples import database_name, examples, examples_of
from benchmarks.retrieval.results import Goal, Result, p50, timed
from benchmarks.retrieval.world import World
from feedback_pipeline.example_index.catalog import TABLE, IndexCatalog
from feedback_pipeline.example_index.publish import publish

_NEW_ROWS, _ROUNDS, _FULL_ROUNDS = 1_000, 3, 2
_SMALL_ROWS, _SMALL_PUBLICATIONS = 100, 100
_READS = 20
MORE, WHOLE = "1,000 rows more", "all rows, ours"
INDEXED, BARE = "all rows, ours, vectors indexed too", "all rows, LanceDB overwrite alone"


def measure(world: World) -> Result:
    """Time both kinds of publication in turns, then look at what many small ones do to reading."""
    seconds: dict[str, list[float]] = {MORE: [], WHOLE: [], INDEXED: [], BARE: []}
    catalog, embedded = IndexCatalog(world.root), world.embedded
    for number in range(_ROUNDS):
        embedded = _with_more(world, embedded, _NEW_ROWS, 30_000_000 + number * _NEW_ROWS)
        seconds[MORE].append(timed(publish, catalog, embedded, world.fingerprint))
        if number < _FULL_ROUNDS:
            _overwrite(world, embedded, seconds)
    before = _reading(catalog)
    small = []
    for number in range(_SMALL_PUBLICATIONS):
        embedded = _with_some_of_one_database(world, embedded, number)
        small.append(timed(publish, catalog, embedded, world.fingerprint))
    after = _reading(catalog)
    goals = [
        Goal(f"{MORE} / {INDEXED}", p50(seconds[MORE]) / p50(seconds[INDEXED]), 0.03),
        Goal(
            f"reading a database after {_SMALL_PUBLICATIONS} small publications / before", p50(after) / p50(before), 2
        ),
    ]
    seconds |= {"100 rows more": small, "reading a database, before": before, "… after": after}
    kept, disk = len(catalog.publications()), _bytes_below(world.root)
    notes = [
        *(f"{MORE} / {way}: {p50(seconds[MORE]) / p50(seconds[way]):.3f}" for way in (WHOLE, BARE)),
        f"{kept} publications kept in {disk / 1e9:.2f} GB; the rows alone are {embedded.nbytes / 1e9:.2f} GB",
        f"last 10 of the small publications / first 10: {p50(small[-10:]) / p50(small[:10]):.2f}",
    ]
    return Result("publishing", seconds, goals, notes)


def _with_more(world: World, embedded: pa.Table, rows: int, first: int) -> pa.Table:
    return pa.concat_tables([embedded, examples(rows, world.databases, first=first)])


def _overwrite(world: World, embedded: pa.Table, seconds: dict[str, list[float]]) -> None:
    with TemporaryDirectory(dir=Path(world.root).parent) as elsewhere:
        seconds[WHOLE].append(timed(publish, IndexCatalog(f"{elsewhere}/ours"), embedded, world.fingerprint))
    with TemporaryDirectory(dir=Path(world.root).parent) as elsewhere:
        indexed = partial(publish, vector_index_min_rows=256)
        seconds[INDEXED].append(timed(indexed, IndexCatalog(f"{elsewhere}/ours"), embedded, world.fingerprint))
    with TemporaryDirectory(dir=Path(world.root).parent) as elsewhere:
        connection = IndexCatalog(f"{elsewhere}/bare").connect()
        start = time.perf_counter()
        connection.create_table(TABLE, data=embedded, mode="overwrite")
        seconds[BARE].append(time.perf_counter() - start)


def _with_some_of_one_database(world: World, embedded: pa.Table, number: int) -> pa.Table:
    first = 40_000_000 + number * _SMALL_ROWS
    return pa.concat_tables([embedded, examples_of(_SMALL_ROWS, lambda _: number % world.databases, first)])


def _reading(catalog: IndexCatalog) -> list[float]:
    """Return how long it takes to read one database, newly opened each time."""
    live = catalog.live()
    assert live is not None
    table = catalog.open_publication(live)
    catalog.read_rows(table, database_name(0))
    return [timed(catalog.read_rows, table, database_name(number % 10)) for number in range(_READS)]


def _bytes_below(root: str) -> int:
    return sum(path.stat().st_size for path in Path(root, "index").rglob("*") if path.is_file())
