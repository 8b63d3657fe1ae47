from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from feedback_pipeline.review.queue import QueueFilter, queue_counts, queue_page
from feedback_pipeline.store import CheckRecord, Store, decide, record_checks
from feedback_pipeline.store.queue_order import Place, write_places
from feedback_pipeline.store.reservations import reserve
from feedback_pipeline_tests.store.samples import MOMENT, submit

PASSED, FAILED = {"parses": True}, {"failed_check": "parses", "flags": []}
FLAGGED = {"flags": ["whole_table"], "execution": {"results_equal": False}}


def check(store: Store, feedback_id: str, checks: dict[str, Any], passed: bool) -> None:
    record_checks(store, [CheckRecord(feedback_id, checks, "v1", passed)])


@pytest.fixture
def queue(store: Store) -> dict[str, str]:
    """Six that wait, each with its letter; ``a`` is worth most, and later letters were submitted later."""
    ids: dict[str, str] = {}
    for place, letter in enumerate("abcdef"):
        database = "geo" if letter < "d" else "shop"
        [ids[letter]] = submit(
            store,
            letter,
            passed=None,
            database_id=database,
            natural_query=f"Rivers of {letter * 3}",
            created_at=MOMENT + timedelta(hours=place),
        )
    for letter, checks, passed in (
        ("a", PASSED, True),
        ("b", FLAGGED, True),
        ("c", FAILED, False),
        ("d", PASSED, True),
    ):
        check(store, ids[letter], checks, passed)
    write_places(store, [(ids[letter], Place(float(n - 6), n, n, letter in "ad")) for n, letter in enumerate("abcdef")])
    return ids


def shown(store: Store, queue: dict[str, str], order: Any = "value", **wanted: Any) -> str:
    letters = {feedback_id: letter for letter, feedback_id in queue.items()}
    page = queue_page(store, QueueFilter(**wanted), order=order)
    assert page.next_cursor is None
    return "".join(letters[item.feedback_id] for item in page.items)


def test_what_is_most_worth_a_review_comes_first(store: Store, queue: dict[str, str]) -> None:
    write_places(store, [(queue["e"], Place(-100.0, 80, 19, False))])

    assert shown(store, queue) == "eabcdf"
    assert shown(store, queue, "oldest") == "abcdef"
    assert shown(store, queue, "newest") == "fedcba"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"database_id": "geo"}, "abc"),
        ({"databases": frozenset({"shop"})}, "def"),
        ({"databases": frozenset()}, ""),
        ({"databases": frozenset({"shop"}), "database_id": "geo"}, ""),
        ({"checks": "passed"}, "ad"),
        ({"checks": "failed"}, "c"),
        ({"checks": "flagged"}, "b"),
        ({"checks": "unchecked"}, "ef"),
        ({"conflict": True}, "ad"),
        ({"conflict": False}, "bcef"),
        ({"submitted_after": MOMENT + timedelta(hours=4)}, "ef"),
        ({"submitted_before": MOMENT + timedelta(hours=1)}, "a"),
        ({"text": "OF BBB"}, "b"),
        ({"text": "%"}, ""),
        ({"text": "  "}, "abcdef"),
        ({"text": "rivers", "checks": "passed", "submitted_after": MOMENT + timedelta(hours=1)}, "d"),
        ({"status": "verified"}, ""),
    ],
)
def test_filters_choose_what_is_shown_in_any_order(
    store: Store, queue: dict[str, str], wanted: dict[str, Any], expected: str
) -> None:
    assert shown(store, queue, **wanted) == expected
    assert shown(store, queue, "newest", **wanted) == expected[::-1]


def test_what_others_have_reserved_can_be_left_out_and_ones_own_is_not(store: Store, queue: dict[str, str]) -> None:
    reserve(store, queue["a"], "ada", minutes=10)
    reserve(store, queue["b"], "bob", minutes=10)

    assert shown(store, queue, reserved=False, reviewer="ada") == "acdef"
    assert shown(store, queue, reserved=False) == "cdef"
    assert shown(store, queue, reserved=True) == "ab"
    first = queue_page(store, QueueFilter(), limit=1).items[0]
    assert first.reserved_by == "ada"
    assert first.reserved_until is not None


@pytest.mark.parametrize("order", ["value", "oldest", "newest"])
def test_pages_follow_each_other_without_gap_or_repetition(store: Store, queue: dict[str, str], order: Any) -> None:
    # The same moment and the same value: only the id tells them apart.
    twins = submit(store, *"uvwxyz", created_at=MOMENT)
    whole = [item.feedback_id for item in queue_page(store, QueueFilter(), order=order).items]

    seen, cursor = [], None
    while True:
        page = queue_page(store, QueueFilter(), order=order, limit=5, cursor=cursor)
        seen += [item.feedback_id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == whole
    assert set(seen) == {*queue.values(), *twins}


@pytest.mark.parametrize(
    "cursor", ["", "x", "é", "bnVsbA", "WzEsMiwzXQ", "W10", "eyJhIjoxfQ", "WyJ2YWx1ZSIsTmFOLCIyMDI1IiwieCJd", "\0"]
)
def test_a_cursor_that_is_none_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        queue_page(store, QueueFilter(), cursor=cursor)


def test_a_cursor_belongs_to_its_order(store: Store, queue: dict[str, str]) -> None:
    cursor = queue_page(store, QueueFilter(), limit=1).next_cursor

    with pytest.raises(ValueError, match="in this order"):
        queue_page(store, QueueFilter(), order="oldest", cursor=cursor)


def test_an_item_says_what_the_checks_found_and_what_its_value_comes_from(store: Store, queue: dict[str, str]) -> None:
    items = {item.feedback_id: item for item in queue_page(store, QueueFilter()).items}

    flagged, failed = items[queue["b"]], items[queue["c"]]
    assert (flagged.flags, flagged.results_equal, flagged.failed_check) == (("whole_table",), False, None)
    assert (failed.checks_passed, failed.failed_check) == (False, "parses")
    assert (flagged.expected_value, flagged.times_asked, flagged.similar_waiting) == (5.0, 1, 1)


def test_each_facet_counts_without_its_own_filter(store: Store, queue: dict[str, str]) -> None:
    counts = queue_counts(store, QueueFilter(database_id="geo", checks="passed"))

    assert counts.total == 1
    assert counts.by_database == {"geo": 1, "shop": 1}
    assert counts.by_checks == {"passed": 1, "failed": 1, "unchecked": 0, "flagged": 1}
    assert counts.in_conflict == 1


def test_counts_follow_age_words_and_what_the_caller_may_see(store: Store, queue: dict[str, str]) -> None:
    assert queue_counts(store, QueueFilter()).total == 6
    assert queue_counts(store, QueueFilter(text="aaa")).by_database == {"geo": 1}
    assert queue_counts(store, QueueFilter(submitted_after=MOMENT + timedelta(hours=5))).by_checks["unchecked"] == 1
    assert queue_counts(store, QueueFilter(databases=frozenset())).by_database == {}


def test_decided_feedback_has_left_the_queue(store: Store, queue: dict[str, str]) -> None:
    decide(store, [queue["a"]], "verified", actor="ada")

    assert shown(store, queue) == "bcdef"
    assert queue_counts(store, QueueFilter(status="verified")).total == 1


def test_checks_that_say_otherwise_later_take_the_flag_away(store: Store, queue: dict[str, str]) -> None:
    check(store, queue["b"], PASSED, True)

    assert shown(store, queue, checks="flagged") == ""


def test_sqlite_answers_from_narrow_indices_alone(sqlite_store: Store) -> None:
    wanted = QueueFilter(checks="failed", submitted_after=MOMENT)
    plans: list[str] = []
    from sqlalchemy import event

    @event.listens_for(sqlite_store.engine, "before_cursor_execute")
    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT feedback.review_order") or "GROUP BY" in statement:
            plans.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

    queue_page(sqlite_store, wanted)
    queue_counts(sqlite_store, wanted)

    assert any("COVERING INDEX ix_feedback_queue" in plan for plan in plans)
    assert any("COVERING INDEX ix_feedback_counts" in plan for plan in plans)
    assert not [plan for plan in plans if "USING INDEX" in plan or plan.startswith("SCAN")]


def test_postgres_has_the_indices_the_queue_needs(store: Store) -> None:
    with store.read() as session:
        if session.get_bind().dialect.name != "postgresql":
            pytest.skip("about Postgres")
        names = set(session.scalars(text("SELECT indexname FROM pg_indexes WHERE tablename = 'feedback'")))

    assert {"ix_feedback_queue", "ix_feedback_counts"} <= names
