import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from feedback_pipeline.store import Store, StoreUnavailableError, count_by_status, open_store, submit_many
from feedback_pipeline.store.engine import MOST_WAITING, lock
from feedback_pipeline.store.write_turns import TooManyWaitError, TurnTimeoutError, WriteTurns
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


def test_one_waiting_too_many_is_refused_at_once_and_the_others_get_their_turn() -> None:
    turns, held = WriteTurns(most_waiting=2), []

    def take() -> None:
        with turns.taken(30):
            held.append(1)

    with ThreadPoolExecutor(2) as pool:
        with turns.taken(30):
            waiting = [pool.submit(take) for _ in range(2)]
            while len(turns._waiting) < 2:
                time.sleep(0.001)
            with pytest.raises(TooManyWaitError), turns.taken(30):
                pass
        for future in waiting:
            future.result()

    assert len(held) == 2


@pytest.mark.parametrize(("busy_timeout_s", "refused"), [(20.0, 10), (None, 0)])
def test_only_where_waiting_has_an_end_writers_beyond_a_number_are_refused(
    tmp_path: Path, busy_timeout_s: float | None, refused: int
) -> None:
    store = open_store(settings_at(tmp_path), busy_timeout_s=busy_timeout_s)

    def write(number: int) -> str | None:
        try:
            submit_many(store, [submission(str(number))])
        except StoreUnavailableError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(MOST_WAITING + 10) as pool:
        with store.begin():
            started = time.monotonic()
            futures = [pool.submit(write, number) for number in range(MOST_WAITING + 10)]
            while sum(future.done() for future in futures) < refused:
                assert time.monotonic() - started < 10
                time.sleep(0.01)
            time.sleep(0.2)
        told = [future.result() for future in futures if future.result()]

    assert len(told) == refused
    assert all("others wait to write" in reason for reason in told if reason)
    assert count_by_status(store)["pending"] == MOST_WAITING + 10 - refused
    store.close()


def test_waiting_for_threads_and_for_processes_has_one_end(tmp_path: Path) -> None:
    store, elsewhere = open_store(settings_at(tmp_path), busy_timeout_s=1.0), open_store(settings_at(tmp_path))

    def write() -> float:
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="locked"):
            submit_many(store, [submission()])
        return time.monotonic() - started

    with elsewhere.begin() as session, ThreadPoolExecutor(1) as pool:
        lock_file(session)
        with store.turn():
            waited = pool.submit(write)
            time.sleep(0.7)
        seconds = waited.result()

    assert 0.9 <= seconds < 1.6
    store.close()
    elsewhere.close()


def test_a_connection_that_served_a_writer_without_time_left_waits_again(tmp_path: Path) -> None:
    store, elsewhere = open_store(settings_at(tmp_path), busy_timeout_s=0.5), open_store(settings_at(tmp_path))
    with elsewhere.begin() as session:
        lock_file(session)
        with pytest.raises(StoreUnavailableError, match="locked"):
            submit_many(store, [submission()])

    with store.read() as session:
        left = session.execute(text("PRAGMA busy_timeout")).scalar_one()

    assert left == 500
    store.close()
    elsewhere.close()


def lock_file(session: Session) -> None:
    """Begin the writing transaction, which a session only does with its first statement."""
    session.connection()
