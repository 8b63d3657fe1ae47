import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from feedback_pipeline.review.following import Follower, Pace, follow
from feedback_pipeline.review.triage import TriageReport
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, StoreUnavailableError, get_feedback, open_store
from feedback_pipeline.store.exclusive_work import Turn
from feedback_pipeline_tests.review.conftest import Say

NOTHING = TriageReport()


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def following(settings: Settings, open_it: Callable[[], Store] | None = None) -> Iterator[tuple[list, list]]:
    told: list[TriageReport] = []
    warned: list[str] = []
    stop = threading.Event()
    options = {"tell": told.append, "warn": warned.append, "pause_s": 0.05, "stop": stop}
    thread = threading.Thread(target=follow, args=(open_it or (lambda: open_store(settings)), settings), kwargs=options)
    thread.start()
    try:
        yield told, warned
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def test_a_round_does_what_is_new_and_then_nothing(store: Store, store_settings: Settings, say: Say) -> None:
    follower = Follower(store, store_settings)
    say()

    first, second = follower.round(), follower.round()
    follower._ordering.took = 0.0
    say(question="Something new?")
    third = follower.round()

    assert (first.checked, first.waiting, first.moved) == (1, 1, 1)
    assert second == NOTHING
    assert (third.checked, third.waiting) == (1, 2)


def test_order_is_worked_out_a_tenth_of_the_time_at_most(store: Store, store_settings: Settings, say: Say) -> None:
    follower = Follower(store, store_settings)
    say()
    follower.round()
    follower._ordering.took = 3_600.0
    say(question="Something new?")

    report = follower.round()

    assert (report.checked, report.waiting) == (1, 0)


def test_a_pace_waits_ten_times_what_it_took() -> None:
    pace = Pace()
    due_at_first = pace.is_due()
    pace.measure(time.monotonic() - 1.0)

    assert due_at_first
    assert not pace.is_due()
    pace.ended -= 10.5
    assert pace.is_due()


def test_evidence_appears_soon_after_a_submission(store: Store, store_settings: Settings, say: Say) -> None:
    with following(store_settings) as (told, _):
        one = say()
        until(lambda: get_feedback(store, one)["checks_passed"] is not None)
        until(lambda: any(report.waiting for report in told))


def test_a_store_that_is_away_is_waited_for(store: Store, store_settings: Settings, say: Say) -> None:
    away = [StoreUnavailableError("gone")] * 3
    one = say()

    def open_it() -> Store:
        if away:
            raise away.pop()
        return open_store(store_settings)

    with following(store_settings, open_it) as (_, warned):
        until(lambda: get_feedback(store, one)["checks_passed"])

    assert warned == ["gone Waiting for it."]


def test_one_at_a_time_and_the_next_takes_over(store: Store, store_settings: Settings, say: Say) -> None:
    other = open_store(store_settings)
    turn = Turn(other, "triage")
    assert turn.is_ours()
    assert turn.is_ours()

    with following(store_settings) as (_, warned):
        one = say()
        time.sleep(0.5)
        waited = get_feedback(store, one)["checks_passed"]
        turn.give_back()
        other.close()
        until(lambda: get_feedback(store, one)["checks_passed"])

    assert waited is None
    assert warned == []


def test_a_turn_is_free_again_when_its_process_dies(store: Store, store_settings: Settings) -> None:
    where = store_settings.model_dump(include={"storage_root", "database_url"})
    code = (
        "from feedback_pipeline.settings import Settings; from feedback_pipeline.store import open_store;"
        "from feedback_pipeline.store.exclusive_work import Turn; import time;"
        f"s = open_store(Settings.model_validate({where!r}));"
        "t = Turn(s, 'triage'); print(t.is_ours(), flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "True"
    turn = Turn(store, "triage")
    taken = turn.is_ours()

    process.send_signal(signal.SIGKILL)
    process.wait()

    assert not taken
    until(turn.is_ours)
    turn.give_back()
    process.stdout.close()
