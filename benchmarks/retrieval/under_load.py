"""A retriever while another process publishes, and eight threads that share one."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.retrieval.examples import DIMENSION, UNRELATED, database_name, question_text
from benchmarks.retrieval.results import Goal, Result, p50, p95
from benchmarks.retrieval.world import World
from feedback_pipeline.retrieval import Retriever

_QUESTIONS, _PUBLICATIONS = 300, 3
_THREADS, _SECONDS = 8, 4.0
_PUBLISHER = "import sys; from benchmarks.retrieval.under_load import publish_more; publish_more(*sys.argv[1:])"


def measure(world: World) -> Result:
    """Return p95 beside idle, what went wrong, and requests per second of eight threads beside one."""
    retriever = Retriever(world.root)
    probes = _Probes(world, retriever)
    # All databases are asked before, so that none is loaded while it is measured.
    probes.ask(world.databases)
    idle = [*probes.ask(_QUESTIONS)]
    with _publisher(world) as publishes:
        busy = [*probes.ask_while(publishes)]
    idle += probes.ask(_QUESTIONS)
    versions = len(probes.versions)
    probes.look_again()
    one, _ = probes.per_second(1)
    eight, processors = probes.per_second(_THREADS)
    goals = [
        Goal("p95 while publishing / idle", p95(busy) / p95(idle), 1.5),
        Goal("p95 / p50, idle", p95(idle) / p50(idle), 2.0),
        Goal("errors", probes.wrong["error"], 0),
        Goal("wrong results", probes.wrong["result"], 0),
        Goal("publications followed", versions, 2, at_least=True),
        Goal(f"processors busy with {_THREADS} threads, of 2", processors, 1.7, at_least=True),
    ]
    note = f"{one:.0f} questions a second with one thread, which has two processors, too; {eight:.0f} with {_THREADS}"
    return Result("under load", {"idle": idle, "while publishing": busy}, goals, [note])


class _Probes:
    """Questions with a known answer: each stands in the index, and what is published meanwhile is far from it."""

    def __init__(self, world: World, retriever: Retriever):
        self._world, self._retriever = world, retriever
        self._asked = 0
        self._lock = threading.Lock()
        self.wrong: Counter[str] = Counter()
        self.versions: set[int | None] = set()
        self._answers: list[tuple[str, str, list[str]]] = []

    def ask(self, count: int) -> list[float]:
        return [self._ask() for _ in range(count)]

    def ask_while(self, running: subprocess.Popen[bytes]) -> Iterator[float]:
        while running.poll() is None:
            self.versions.add(self._retriever.index_version)
            yield self._ask()

    def per_second(self, threads: int) -> tuple[float, float]:
        """Return how many questions were answered a second, and how many processors that took."""
        counts, end, spent = Counter(), time.perf_counter() + _SECONDS, time.process_time()

        def work(number: int) -> None:
            while time.perf_counter() < end:
                self._ask()
                counts[number] += 1

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return counts.total() / _SECONDS, (time.process_time() - spent) / _SECONDS

    def look_again(self) -> None:
        """Ask a retriever that has just been opened the same: what was published meanwhile changes no first answer."""
        fresh = Retriever(self._world.root)
        for question, database_id, found in self._answers:
            again = fresh.similar(question, database_id=database_id, k=3, min_score=-1)
            self.wrong["result"] += [example.example_id for example in again[:1]] != found[:1]

    def _ask(self) -> float:
        with self._lock:
            number = self._asked = self._asked + 1
        probe = number % self._world.probes
        # Each time in other words, so that the vector is not in the cache.
        question, database_id = f"{question_text(probe)} ({number})", database_name(probe % self._world.databases)
        start = time.perf_counter()
        try:
            found = self._retriever.similar(question, database_id=database_id, k=3, min_score=-1)
        except Exception:  # noqa: BLE001 - any error counts
            self.wrong["error"] += 1
            return time.perf_counter() - start
        seconds = time.perf_counter() - start
        self._answers.append((question, database_id, [example.example_id for example in found]))
        return seconds


@contextmanager
def _publisher(world: World) -> Iterator[subprocess.Popen[bytes]]:
    """Run another process that publishes a thousand rows more, some times over."""
    rows = world.embedded.num_rows
    arguments = [world.root, str(rows), str(world.databases), world.fingerprint]
    running = subprocess.Popen([sys.executable, "-c", _PUBLISHER, *arguments], stdout=subprocess.PIPE)
    try:
        assert running.stdout is not None
        running.stdout.readline()
        yield running
    finally:
        running.kill()
        running.wait()


def publish_more(root: str, rows: str, databases: str, fingerprint: str) -> None:
    """Publish what is live and a thousand rows more; runs in a process of its own."""
    import pyarrow as pa

    from benchmarks.retrieval.examples import examples
    from feedback_pipeline.example_index.catalog import IndexCatalog
    from feedback_pipeline.example_index.publish import publish
    from feedback_pipeline.schemas import embedded_feedback

    catalog = IndexCatalog(root)
    live = catalog.live()
    assert live is not None
    names = embedded_feedback(DIMENSION).names
    held = catalog.open_publication(live).search().limit(None).to_arrow()
    made = examples(1, 1)
    columns = [held[name] if name in held.column_names else pa.nulls(len(held), made[name].type) for name in names]
    embedded = pa.Table.from_arrays(columns, names=names).cast(pa.schema([f.with_nullable(True) for f in made.schema]))
    print("ready", flush=True)
    for number in range(_PUBLICATIONS):
        more = examples(1_000, int(databases), first=UNRELATED + 1_000 * number).cast(embedded.schema)
        embedded = pa.concat_tables([embedded, more])
        publish(catalog, embedded, fingerprint)
        time.sleep(1.5)
