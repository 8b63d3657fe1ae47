import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feedback_pipeline.store import Store, StoreUnavailableError, count_by_status, open_store, submit_many
from feedback_pipeline.store.engine import lock
from feedback_pipeline.store.write_turns import TurnTimeoutError, WriteTurns
from feedback_pipeline_tests.store.samples import settings_at, submission


def test_turns_are_taken_in_the_order_of_coming() -> None:
    turns, order = WriteTurns(), []

    def take(number: int) -> None:
        with turns.taken(30):
            order.append(number)

    with turns.taken(30):
        threads = [threading.Thread(target=take, args=(number,)) for number in range(20)]
        for number, thread in enumerate(threads, start=1):
            thread.start()
            while len(turns._waiting) < number:
                time.sleep(0.001)
    for thread in threads:
        thread.join()

    assert order == list(range(20))


def test_whoever_gives_up_waiting_does_not_keep_the_others_waiting() -> None:
    turns = WriteTurns()

    with turns.taken(1), pytest.raises(TurnTimeoutError), turns.taken(0.01):
        pass

    with turns.taken(0.01):
        pass


def test_many_threads_that_give_up_at_any_moment_leave_the_turn_free() -> None:
    turns, held = WriteTurns(), []

    def take(number: int) -> None:
        try:
            with turns.taken(0.0002 * (number % 10)):
                held.append(number)
                assert len(held) == 1
                held.remove(number)
        except TurnTimeoutError:
            return

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(take, range(3_000)))

    with turns.taken(0.01):
        pass


def test_writers_of_one_process_lose_nothing(store: Store) -> None:
    def write(writer: int) -> None:
        for number in range(5):
            submit_many(store, [submission(f"{writer}-{number}")])

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(write, range(20)))

    assert count_by_status(store)["pending"] == 100


def test_a_writer_that_waits_too_long_for_another_thread_is_told_so(tmp_path: Path) -> None:
    store = open_store(settings_at(tmp_path), busy_timeout_s=0.05)

    def write() -> None:
        submit_many(store, [submission()])

    with store.begin(), ThreadPoolExecutor(1) as pool, pytest.raises(StoreUnavailableError, match="locked"):
        pool.submit(write).result()
    store.close()


def test_a_writer_that_waits_too_long_for_another_process_is_told_so(postgres_store_url: str, tmp_path: Path) -> None:
    patient = open_store(settings_at(tmp_path, postgres_store_url))
    impatient = open_store(settings_at(tmp_path, postgres_store_url), busy_timeout_s=0.05)

    def write() -> None:
        submit_many(impatient, [submission()])

    with patient.begin() as session:
        lock(session, "events")
        with pytest.raises(StoreUnavailableError, match="lock timeout"):
            write()
    patient.close()
    impatient.close()
