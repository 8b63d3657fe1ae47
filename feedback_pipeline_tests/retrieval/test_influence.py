"""Recording what was given: behind the answer, in batches, and whatever becomes of the store."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import event, select

from feedback_pipeline.retrieval import Example, InfluenceRecorder
from feedback_pipeline.retrieval.influence import new_retrieval_id
from feedback_pipeline.store import Store, StoreUnavailableError
from feedback_pipeline.store.models import RetrievalExampleRow, RetrievalRow


def example(example_id: str = "e1", rank: int = 1) -> Example:
    return Example(example_id, "f1", ("f1",), "shop", "question", "SELECT 1", None, 0.5, rank, "import")


class Away:
    """A store that cannot be opened, until it can."""

    def __init__(self, store: Store):
        self.store, self.gone, self.asked = store, True, 0

    def __call__(self) -> Store:
        self.asked += 1
        if self.gone:
            raise StoreUnavailableError("the store is away")
        return self.store


@pytest.fixture
def recorder(store: Store) -> Iterator[InfluenceRecorder]:
    with InfluenceRecorder(lambda: store) as opened:
        yield opened


def retrievals(store: Store) -> list[tuple]:
    columns = RetrievalRow.retrieval_id, RetrievalRow.database_id, RetrievalRow.index_version, RetrievalRow.shown
    with store.read() as session:
        return [tuple(row) for row in session.execute(select(*columns).order_by(RetrievalRow.retrieval_id))]


def note(recorder: InfluenceRecorder, *examples: Example, **changes) -> str:
    return recorder.note(examples, **{"database_id": "shop", "index_version": 3, **changes})


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_what_was_given_reaches_the_store_by_itself(store: Store, recorder: InfluenceRecorder):
    retrieval_id = note(recorder, example("a", 1), example("b", 2))

    assert eventually(lambda: recorder.written == 1)
    assert UUID(retrieval_id).version == 7
    assert retrievals(store) == [(retrieval_id, "shop", 3, 2)]
    with store.read() as session:
        columns = RetrievalExampleRow.example_id, RetrievalExampleRow.rank, RetrievalExampleRow.withheld
        assert [tuple(row) for row in session.execute(select(*columns))] == [("a", 1, False), ("b", 2, False)]


def test_what_was_withheld_is_noted_as_such_and_under_which_rate(store: Store, recorder: InfluenceRecorder):
    known = new_retrieval_id()

    retrieval_id = note(recorder, example("b", 2), withheld=[example("a", 1)], retrieval_id=known, holdback_rate=0.25)
    note(recorder, example("b", 1))

    assert recorder.flush()
    assert retrieval_id == known
    assert [shown for *_, shown in retrievals(store)] == [1, 1]
    with store.read() as session:
        columns = RetrievalExampleRow.example_id, RetrievalExampleRow.rank, RetrievalExampleRow.withheld
        of_it = select(*columns).where(RetrievalExampleRow.retrieval_id == known).order_by(RetrievalExampleRow.rank)
        assert [tuple(row) for row in session.execute(of_it)] == [("a", 1, True), ("b", 2, False)]
        rates = select(RetrievalRow.holdback_rate).order_by(RetrievalRow.retrieval_id)
        assert list(session.scalars(rates)) == [0.25, None]


def test_a_question_that_found_nothing_is_noted_too(store: Store, recorder: InfluenceRecorder):
    retrieval_id = note(recorder, index_version=None)

    assert recorder.flush()
    assert retrievals(store) == [(retrieval_id, "shop", None, 0)]


def test_many_retrievals_share_a_transaction(sqlite_store: Store):
    commits = []
    event.listen(sqlite_store.engine, "commit", commits.append)

    with InfluenceRecorder(lambda: sqlite_store) as recorder:
        ids = [note(recorder, example()) for _ in range(1_000)]

    assert [row[0] for row in retrievals(sqlite_store)] == sorted(ids)
    assert len(commits) < 20


def test_nothing_is_lost_while_the_store_is_away(sqlite_store: Store, caplog: pytest.LogCaptureFixture):
    away = Away(sqlite_store)
    with InfluenceRecorder(away) as recorder:
        ids = [note(recorder, example()) for _ in range(20)]
        assert not recorder.flush(0.5)
        assert (recorder.waiting, recorder.written, recorder.dropped) == (20, 0, 0)

        away.gone = False
        assert recorder.flush()

    assert {row[0] for row in retrievals(sqlite_store)} == set(ids)
    assert [r.getMessage() for r in caplog.records].count(caplog.records[0].getMessage()) == 1
    assert "the store is away" in caplog.text


def test_pauses_between_tries_grow(sqlite_store: Store):
    away = Away(sqlite_store)
    recorder = InfluenceRecorder(away)
    note(recorder, example())

    time.sleep(2.0)

    assert 2 <= away.asked <= 3
    recorder.close(timeout=0.1)


def test_a_full_queue_drops_what_comes_and_says_so_once(sqlite_store: Store, caplog: pytest.LogCaptureFixture):
    away = Away(sqlite_store)
    with InfluenceRecorder(away, capacity=5) as recorder:
        kept = [note(recorder, example()) for _ in range(5)]
        for _ in range(100):
            note(recorder, example())
        assert (recorder.waiting, recorder.dropped) == (5, 100)
        away.gone = False

    assert [row[0] for row in retrievals(sqlite_store)] == sorted(kept)
    assert caplog.text.count("were not recorded") == 1


def test_noting_does_not_wait_for_a_slow_store(sqlite_store: Store):
    released = threading.Event()

    def slow() -> Store:
        released.wait(10)
        return sqlite_store

    with InfluenceRecorder(slow) as recorder:
        note(recorder, example())
        time.sleep(0.3)
        started = time.perf_counter()
        for _ in range(100):
            note(recorder, example())
        spent = time.perf_counter() - started
        released.set()

    assert spent < 0.5
    assert len(retrievals(sqlite_store)) == 101


def test_closing_gives_up_on_a_store_that_stays_away(sqlite_store: Store):
    away = Away(sqlite_store)
    recorder = InfluenceRecorder(away)
    note(recorder, example())
    started = time.monotonic()

    recorder.close(timeout=1.2)

    assert time.monotonic() - started < 2.5
    assert (recorder.waiting, recorder.dropped) == (0, 1)
    # It tried more than once, and did not spin.
    assert 2 <= away.asked <= 6


def test_after_closing_nothing_is_taken(store: Store, recorder: InfluenceRecorder):
    recorder.close()

    note(recorder, example())

    assert (recorder.dropped, recorder.waiting) == (1, 0)
    assert retrievals(store) == []


@pytest.mark.parametrize("impossible", [{"database_id": "a\0b\ud800"}, {"interaction_id": 2**70}])
def test_what_no_database_keeps_does_not_hold_up_the_rest(store: Store, recorder: InfluenceRecorder, impossible: dict):
    before = note(recorder, example())
    note(recorder, example(), **impossible)
    after = note(recorder, example())

    assert recorder.flush()

    assert [row[0] for row in retrievals(store)] == [before, after]
    assert (recorder.written, recorder.dropped) == (2, 1)


def test_many_threads_may_note_at_once(store: Store, recorder: InfluenceRecorder):
    ids: list[str] = []
    threads = [
        threading.Thread(target=lambda: ids.extend(note(recorder, example()) for _ in range(50))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert recorder.flush()
    assert [row[0] for row in retrievals(store)] == sorted(ids)
    assert len(set(ids)) == 400


def test_a_forked_child_records_for_itself(sqlite_store: Store):
    away = Away(sqlite_store)
    with InfluenceRecorder(away) as recorder:
        parents = note(recorder, example())
        pid = os.fork()
        if pid == 0:
            sqlite_store.engine.dispose(close=False)
            away.gone = False
            note(recorder, example())
            done = recorder.flush() and recorder.written == 1
            os._exit(0 if done else 1)
        _, status = os.waitpid(pid, 0)
        away.gone = False
        assert recorder.flush()

    assert os.waitstatus_to_exitcode(status) == 0
    stored = [row[0] for row in retrievals(sqlite_store)]
    assert len(stored) == 2
    assert parents in stored


def test_a_process_that_ends_writes_what_waits(tmp_path: Path):
    script = """
import sys
from feedback_pipeline.retrieval import InfluenceRecorder
from feedback_pipeline.settings import Settings
def opened():
    from feedback_pipeline.store import open_store
    return open_store(Settings(storage_root=sys.argv[1], hash_key="secret"))
InfluenceRecorder(opened).note([], database_id="shop")
assert "sqlalchemy" not in sys.modules, "recording is to begin after the answer"
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)

    from feedback_pipeline.store import open_store
    from feedback_pipeline_tests.store.samples import settings_at

    opened = open_store(settings_at(tmp_path))
    assert len(retrievals(opened)) == 1
    opened.close()


def test_recording_says_nothing_of_the_question(sqlite_store: Store, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with InfluenceRecorder(lambda: sqlite_store) as recorder:
        note(recorder, example())
        note(recorder, example(), database_id="a\ud800b")

    assert "question" not in caplog.text
    assert "a\ud800b" not in caplog.text
