"""Running many pairs: in parallel, each distinct query once, with as much in memory as there is room for.

The calling thread decides what runs next and judges; threads of a bounded pool wait for the databases. Threads are
enough: SQLite and libpq let go of the interpreter while they work, and DuckDB has processes of its own.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Literal

from feedback_pipeline.execution.comparison import result_digest
from feedback_pipeline.execution.contracts import Limits, Pair, Target
from feedback_pipeline.execution.deadlines import Watch
from feedback_pipeline.execution.engines import why_not_executable
from feedback_pipeline.execution.evidence import Evidence, judge, not_checked
from feedback_pipeline.execution.pool import SessionPool
from feedback_pipeline.execution.results import Result
from feedback_pipeline.execution.sessions import UnreachableError, UnusableError, emptiness_queries

KEPT_BYTES = 256 * 1024 * 1024
"""Results kept for other pairs; the least recently used ones beyond it are run again if needed again."""

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Job:
    """Something to ask a database: what a query comes to, or whether a table holds no rows."""

    kind: Literal["query", "is_empty"]
    database_id: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What came of a job; ``unreachable`` says why nothing did, ``lasting`` that waiting will not help."""

    result: Result
    is_empty: bool = False
    unreachable: str | None = None
    lasting: bool = False


Steps = Generator[Job, Answer, Evidence]


def evidence_of(
    pairs: Iterable[Pair], targets: Mapping[str, Target], limits: Limits, report: Report | None = None
) -> dict[Pair, Evidence]:
    """Run corrected and generated SQL beside each other and return what that shows, in the order of ``pairs``.

    Every distinct query of a database runs once, and never twice at the same time.

    Args:
        pairs: what to run; any number, repeated ones count once.
        targets: the databases by id; one without a URL, or none, gives evidence that says so.
        limits: what each query may cost and how many run at the same time.
        report: is told how many distinct pairs are done, and of how many.
    """
    distinct = dict.fromkeys(pairs)
    watch = Watch()
    pool = SessionPool(targets, limits, watch)
    run = _Run(targets, limits, pool)
    workers = ThreadPoolExecutor(limits.workers, thread_name_prefix="execution")
    try:
        found = run.all(list(distinct), workers, report or (lambda done, total: None))
    finally:
        # Also after Ctrl-C: what still runs is interrupted, what waits is dropped, so nothing keeps the process.
        watch.stop()
        workers.shutdown(wait=True, cancel_futures=True)
        pool.close()
        watch.close()
    return {pair: found[pair] for pair in distinct}


class _Run:
    """One call of ``evidence_of``: pairs that wait for answers, and the answers there are."""

    def __init__(self, targets: Mapping[str, Target], limits: Limits, pool: SessionPool):
        self._targets, self._limits, self._pool = targets, limits, pool
        self._answers = AnswerCache(KEPT_BYTES)
        self._digests: dict[tuple[str, str, bool], str | None] = {}
        self._waiting: defaultdict[Job, list[tuple[Pair, Steps]]] = defaultdict(list)
        self._running: dict[Future[Answer], Job] = {}
        self._found: dict[Pair, Evidence] = {}

    def all(self, pairs: list[Pair], workers: ThreadPoolExecutor, report: Report) -> dict[Pair, Evidence]:
        # Pairs that share an answer follow each other, so it is still there for the next one.
        coming = iter(sorted(pairs, key=lambda pair: (pair.database_id, pair.answer_sql)))
        while self._begin_more(coming, workers) or self._running:
            done, _ = wait(self._running, return_when=FIRST_COMPLETED) if self._running else ((), ())
            for future in done:
                self._continue(future, workers)
            report(len(self._found), len(pairs))
        return self._found

    def _begin_more(self, coming: Iterator[Pair], workers: ThreadPoolExecutor) -> bool:
        """Begin pairs until the workers have enough to do; tell whether there were any."""
        begun = False
        while len(self._running) < 2 * self._limits.workers:
            pair = next(coming, None)
            if pair is None:
                break
            begun = True
            self._advance(pair, self._steps(pair), None, workers)
        return begun

    def _continue(self, future: Future[Answer], workers: ThreadPoolExecutor) -> None:
        job = self._running.pop(future)
        answer = future.result()
        self._answers.put(job, answer)
        for pair, steps in self._waiting.pop(job):
            self._advance(pair, steps, answer, workers)

    def _advance(self, pair: Pair, steps: Steps, answer: Answer | None, workers: ThreadPoolExecutor) -> None:
        """Take a pair as far as the answers there are allow."""
        try:
            while True:
                job = next(steps) if answer is None else steps.send(answer)
                answer = self._answers.get(job)
                if answer is None:
                    break
        except StopIteration as end:
            self._found[pair] = end.value
            return
        if job not in self._waiting:
            self._running[workers.submit(self._ask, job)] = job
        self._waiting[job].append((pair, steps))

    def _steps(self, pair: Pair) -> Steps:
        """Yield what a pair needs to know, one thing after the other, and return its evidence.

        While it waits it holds on to no result but one: thousands of pairs may wait at the same time.
        """
        problem = why_not_executable(pair.database_id, self._targets.get(pair.database_id))
        if problem:
            return not_checked(pair, problem)
        corrected = Job("query", pair.database_id, pair.answer_sql)
        outcome = (yield corrected).result.outcome
        generated = None
        if pair.generated_sql is not None:
            generated = yield Job("query", pair.database_id, pair.generated_sql)
        tables_empty = False
        if generated is not None and outcome == generated.result.outcome == "ok":
            tables_empty = yield from self._tables_are_empty(pair)
        answer = yield corrected
        for found in (answer, generated):
            if found and found.unreachable:
                why = f"database '{pair.database_id}': {found.unreachable}"
                return not_checked(pair, why, transient=not found.lasting)
        other = None if generated is None else generated.result
        digest = self._digest(pair, answer.result)
        return judge(pair, answer.result, other, tables_empty, digest, self._limits.sample_rows)

    def _tables_are_empty(self, pair: Pair) -> Generator[Job, Answer, bool]:
        for table in pair.tables:
            if not (yield Job("is_empty", pair.database_id, table)).is_empty:
                return False
        return bool(pair.tables)

    def _digest(self, pair: Pair, result: Result) -> str | None:
        if result.outcome != "ok":
            return None
        key = (pair.database_id, pair.answer_sql, pair.ordered)
        if key not in self._digests:
            self._digests[key] = result_digest(result.rows, pair.ordered)
        return self._digests[key]

    def _ask(self, job: Job) -> Answer:
        try:
            if job.kind == "query":
                return Answer(self._pool.run(job.database_id, job.text))
            return Answer(Result("ok"), is_empty=self._is_empty(job))
        except UnreachableError as error:
            lasting = isinstance(error, UnusableError)
            return Answer(Result("not_run"), unreachable=str(error), lasting=lasting)

    def _is_empty(self, job: Job) -> bool:
        results = (self._pool.run(job.database_id, sql) for sql in emptiness_queries(job.text))
        first = next((result for result in results if result.outcome == "ok"), None)
        return first is not None and first.seen == 0


class AnswerCache:
    """The most recently used answers, up to a number of bytes."""

    def __init__(self, max_bytes: int):
        self._left = max_bytes
        self._answers: OrderedDict[Job, Answer] = OrderedDict()

    def get(self, job: Job) -> Answer | None:
        """Return the answer of a job, if it is still there."""
        if job in self._answers:
            self._answers.move_to_end(job)
        return self._answers.get(job)

    def put(self, job: Job, answer: Answer) -> None:
        """Keep an answer, and let go of the oldest ones where there is no room."""
        self._answers[job] = answer
        self._left -= _size(job, answer)
        while self._left < 0:
            old, dropped = self._answers.popitem(last=False)
            self._left += _size(old, dropped)


def _size(job: Job, answer: Answer) -> int:
    return answer.result.size + 2 * len(job.text) + 1_000
