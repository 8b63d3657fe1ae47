from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from feedback_pipeline.insight.recent import RecentUtilisation
from feedback_pipeline.store import Store
from feedback_pipeline_tests.insight.stories import tell

NOBODYS = frozenset({"nobodys"})


def waiting(recent: RecentUtilisation, store: Store, databases: frozenset[str] | None = None, days: int = 1) -> int:
    return recent.utilisation(store, days=days, databases=databases).reviewing.waiting


def test_an_answer_is_kept_for_some_seconds_and_then_counted_again(sqlite_store: Store) -> None:
    moment = [100.0]
    recent = RecentUtilisation(kept_s=10, clock=lambda: moment[0])
    before = waiting(recent, sqlite_store)
    tell(sqlite_store, ("submitted", 1))

    moment[0] = 109.9
    kept = waiting(recent, sqlite_store)
    moment[0] = 110.0
    again = waiting(recent, sqlite_store)

    assert (before, kept, again) == (0, 0, 1)


def test_what_one_may_see_is_never_answered_to_another(sqlite_store: Store) -> None:
    recent = RecentUtilisation(kept_s=1_000)
    tell(sqlite_store, ("submitted", 1))

    assert [waiting(recent, sqlite_store, databases) for databases in (None, NOBODYS, frozenset({"geo"}))] == [1, 0, 1]


def test_those_who_ask_at_the_same_time_get_one_answer(sqlite_store: Store) -> None:
    recent = RecentUtilisation(kept_s=1_000)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: recent.utilisation(sqlite_store, days=1, databases=None), range(8)))

    assert len({id(answer) for answer in answers}) == 1
    assert answers[0].as_of <= datetime.now(UTC)


def test_only_so_many_answers_are_kept(sqlite_store: Store) -> None:
    recent = RecentUtilisation(kept_s=1_000)
    waiting(recent, sqlite_store)
    for number in range(64):
        waiting(recent, sqlite_store, frozenset({f"d{number}"}))
    tell(sqlite_store, ("submitted", 1))

    assert waiting(recent, sqlite_store) == 1


def test_what_took_long_to_count_is_kept_longer(sqlite_store: Store) -> None:
    moments = iter([0.0, 2.0, 41.9, 42.0, 42.0, 42.0])
    recent = RecentUtilisation(kept_s=5, clock=lambda: next(moments))
    recent.utilisation(sqlite_store, days=1, databases=None)
    tell(sqlite_store, ("submitted", 1))

    assert [waiting(recent, sqlite_store) for _ in range(2)] == [0, 1]
