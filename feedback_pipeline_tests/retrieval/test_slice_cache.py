"""What is held in memory: each slice loaded once, within a bound, and ahead of a publication that is followed."""

import threading
import time
from dataclasses import dataclass

import pytest

from feedback_pipeline.retrieval.slice_cache import Follower, Key, SliceCache


@dataclass
class Held:
    name: str
    bytes: int = 10


def cache_of(slices: int) -> SliceCache[Held]:
    return SliceCache(max_bytes=10 * slices)


def refuse() -> Held:
    raise AssertionError("it is held already")


def test_it_loads_once_and_drops_what_was_used_longest_ago():
    loaded: list[str] = []
    cache = cache_of(2)

    def get(name: str) -> None:
        cache.get(("v1", name), lambda: (loaded.append(name), Held(name))[1])

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)

    assert loaded == ["a", "b", "c", "b"]
    assert cache.databases() == ["b", "a"]


def test_one_slice_is_kept_however_large():
    cache, large = cache_of(1), Held("large", 1_000)

    cache.get(("v1", "large"), lambda: large)

    assert cache.get(("v1", "large"), refuse) is large


def test_many_who_ask_at_once_load_once_and_others_do_not_wait():
    cache, loads, release = cache_of(5), [], threading.Event()

    def slow() -> Held:
        loads.append(1)
        release.wait(10)
        return Held("a")

    got: list[Held] = []
    threads = [threading.Thread(target=lambda: got.append(cache.get(("v1", "a"), slow))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert cache.get(("v1", "b"), lambda: Held("b")).name == "b"
    release.set()
    for thread in threads:
        thread.join(10)

    assert len(loads) == 1
    assert len(got) == 8
    assert len({id(held) for held in got}) == 1


def test_a_failure_is_told_to_all_who_waited_and_tried_again_by_the_next():
    cache, release, failures = cache_of(5), threading.Event(), []

    def broken() -> Held:
        release.wait(10)
        raise OSError("gone")

    def ask() -> None:
        try:
            cache.get(("v1", "a"), broken)
        except OSError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    release.set()
    for thread in threads:
        thread.join(10)

    assert failures == ["gone"] * 4
    assert cache.get(("v1", "a"), lambda: Held("a")).name == "a"


def test_what_is_loaded_ahead_pushes_nothing_out_until_it_is_taken_over():
    cache = cache_of(2)
    old = {name: cache.get(("old", name), lambda name=name: Held(name)) for name in ("a", "b")}

    cache.preload([("new", name) for name in cache.databases()], lambda key: Held(f"new {key[1]}"))
    assert [cache.get(("old", name), refuse) for name in ("a", "b")] == list(old.values())
    cache.forget_others("new")

    assert [cache.get(("new", name), refuse).name for name in ("a", "b")] == ["new a", "new b"]
    assert cache.get(("old", "a"), lambda: Held("again")).name == "again"


def test_a_slice_that_has_not_changed_is_not_loaded_again():
    cache, loaded = cache_of(3), []
    same = cache.get(("same", "a"), lambda: Held("a"))
    cache.get(("old", "b"), lambda: Held("b"))
    current = {("same", "a"), ("new", "b")}

    def load(key: Key) -> Held:
        loaded.append(key)
        return Held(key[1])

    cache.preload(sorted(current), load)
    cache.keep_only(current.__contains__)

    assert loaded == [("new", "b")]
    assert cache.get(("same", "a"), refuse) is same
    assert sorted(cache.databases()) == ["a", "b"]


def test_loading_ahead_ends_at_the_bound():
    cache, loaded = cache_of(2), []

    def load(key: Key) -> Held:
        loaded.append(key[1])
        return Held(key[1])

    cache.preload([("new", name) for name in "abcde"], load)
    cache.forget_others("new")

    assert loaded == ["a", "b", "c"]
    assert sorted(cache.databases()) == ["a", "b"]


def test_a_follower_runs_one_task_at_a_time_beside_the_requests():
    follower, release, done = Follower(), threading.Event(), []

    def task() -> None:
        release.wait(10)
        done.append(threading.current_thread().name)

    assert follower.start(task) is True
    assert follower.start(task) is False
    assert done == []
    release.set()

    assert follower.wait(10)
    assert done == ["follow-live-tag"]
    assert follower.start(task) is True
    assert follower.wait(10)


def test_a_task_that_fails_is_logged_and_the_next_one_runs(caplog: pytest.LogCaptureFixture):
    follower = Follower()

    def broken() -> None:
        raise OSError("the disk is away")

    follower.start(broken)
    assert follower.wait(10)

    assert "the disk is away" in caplog.text
    assert follower.start(lambda: None) is True
    assert follower.wait(10)
