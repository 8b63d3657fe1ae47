"""Threads get their turn in the order they came, and never more at a time than there are slots."""

import threading
import time

import pytest

from feedback_pipeline.example_index.fair_limit import FairLimit


def test_never_more_threads_are_inside_than_there_are_slots():
    limit, inside, most = FairLimit(3), [], []

    def work() -> None:
        for _ in range(20):
            with limit:
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert max(most) <= 3
    assert inside == []
    assert len(most) == 240


def test_who_has_waited_longest_is_next():
    limit, order = FairLimit(1), []

    def work(number: int) -> None:
        with limit:
            order.append(number)

    with limit:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
        for waiting, thread in enumerate(threads, start=1):
            thread.start()
            while len(limit._waiting) < waiting:
                time.sleep(0.001)
    for thread in threads:
        thread.join()

    assert order == list(range(10))


def test_an_error_inside_gives_the_slot_back():
    limit = FairLimit(1)
    with pytest.raises(ZeroDivisionError), limit:
        _ = 1 / 0

    with limit:
        assert limit._free == 0
    assert limit._free == 1


@pytest.mark.parametrize("is_handed_over", [False, True])
def test_who_is_interrupted_while_waiting_takes_no_slot_away(is_handed_over: bool):
    limit, turn = FairLimit(1), threading.Lock()
    if not is_handed_over:
        limit._waiting.append(turn)
    limit._free = 0

    limit._give_up(turn)

    assert not limit._waiting
    assert limit._free == int(is_handed_over)


def test_a_slot_is_taken_without_waiting_only_where_one_is_free():
    limit = FairLimit(1)

    assert limit.enter_if_free()
    assert not limit.enter_if_free()
    limit.leave()
    assert limit.enter_if_free()
