from datetime import date

from sqlalchemy import delete

from feedback_pipeline.insight import utilisation
from feedback_pipeline.store import Store
from feedback_pipeline.store.models import FeedbackRow
from feedback_pipeline_tests.insight.stories import NOW, ago, answer, becomes, retrieve, tell

APPLIED = (("submitted", 100), ("verified", 90), ("applied", 80))


def test_the_share_of_queries_with_an_example_by_day_and_database(store: Store) -> None:
    retrieve(store, 30, "e1")
    retrieve(store, 2)
    retrieve(store, 1, "e1", "e2")
    retrieve(store, 1, "e9", database_id="shop")
    retrieve(store, 99, "e1")

    examples = utilisation(store, now=NOW, days=2).examples

    assert (examples.queries, examples.with_example, examples.share) == (4, 3, 0.75)
    assert [(d.day, d.queries, d.with_example) for d in examples.days] == [
        (date(2026, 3, 17), 1, 1),
        (date(2026, 3, 18), 3, 2),
    ]
    assert [(d.database_id, d.queries, d.share) for d in examples.databases] == [("geo", 3, 2 / 3), ("shop", 1, 1.0)]


def test_a_query_whose_only_example_was_withheld_got_none(store: Store) -> None:
    retrieve(store, 1, withheld=("e1",))

    examples = utilisation(store, now=NOW, days=2).examples

    assert (examples.queries, examples.with_example) == (1, 0)


def test_a_day_without_queries_has_no_share(store: Store) -> None:
    retrieve(store, 1)

    examples = utilisation(store, now=NOW, days=2).examples

    assert [day.share for day in examples.days] == [None, 0.0]


def test_answers_that_report_examples_count_apart_and_only_without_a_retrieval(store: Store) -> None:
    answer(store, 1, "e1", "e2")
    answer(store, 1, "e1", retrieval_id=retrieve(store, 1, "e1"))
    answer(store, 1)
    answer(store, 100, "e1")

    examples = utilisation(store, now=NOW, days=2).examples

    assert (examples.reported_by_interactions, examples.queries) == (1, 1)


def test_examples_are_ranked_by_queries_of_all_time(store: Store) -> None:
    often, once = tell(store, *APPLIED, question="often"), tell(store, *APPLIED, question="once")
    becomes(store, often, "e1")
    becomes(store, once, "e2")
    retrieve(store, 5_000, "e1")
    retrieve(store, 3, "e1", "e2")
    answer(store, 2, "e1")
    retrieve(store, 1, withheld=("e1",))

    top = utilisation(store, now=NOW, days=2).uses.top

    assert [(used.feedback_id, used.queries, used.last_used_at) for used in top] == [
        (often, 3, ago(2)),
        (once, 1, ago(3)),
    ]


def test_an_example_speaks_in_the_words_that_may_leave_the_store(store: Store) -> None:
    private = tell(store, *APPLIED, question="mail of ann@x.org", checks={"safe_question": "mail of [EMAIL]"})
    becomes(store, private, "e1")
    retrieve(store, 1, "e1")

    [used] = utilisation(store, now=NOW, days=2).uses.top

    assert used.question == "mail of [EMAIL]"


def test_of_several_corrections_behind_an_example_the_earliest_applied_speaks(store: Store) -> None:
    early = tell(store, ("submitted", 99), ("verified", 90), ("applied", 80), ("withdrawn", 5), question="early")
    later = tell(store, *APPLIED, question="later")
    last = tell(store, ("submitted", 70), ("verified", 60), ("applied", 50), question="last")
    for feedback_id in (early, later, last):
        becomes(store, feedback_id, "e1")
    retrieve(store, 1, "e1")

    [used] = utilisation(store, now=NOW, days=2).uses.top

    assert (used.feedback_id, used.corrections) == (later, 3)


def test_only_the_ten_used_most_are_named_and_what_was_erased_leaves_its_place(store: Store) -> None:
    for number in range(12):
        becomes(store, tell(store, *APPLIED), f"e{number:02}")
        for _ in range(20 - number):
            retrieve(store, 1, f"e{number:02}")
    [gone] = [used for used in utilisation(store, now=NOW).uses.top if used.example_id == "e00"]
    with store.begin() as session:
        session.execute(delete(FeedbackRow).where(FeedbackRow.feedback_id == gone.feedback_id))

    top = utilisation(store, now=NOW).uses.top

    assert [used.example_id for used in top] == [f"e{number:02}" for number in range(1, 11)]


def test_applied_corrections_that_were_never_given_to_a_query_are_counted(store: Store) -> None:
    used, unused, withheld, left = (tell(store, *APPLIED) for _ in range(4))
    unknown, waiting = tell(store, *APPLIED), tell(store, ("submitted", 3))
    for feedback_id, example_id in ((used, "e1"), (unused, "e2"), (withheld, "e3"), (left, "e1"), (waiting, "e4")):
        becomes(store, feedback_id, example_id)
    retrieve(store, 1, "e1", withheld=("e3",))

    counted = utilisation(store, now=NOW).uses

    assert (counted.applied, counted.never_used) == (4, 2)
    assert unknown not in {one.feedback_id for one in counted.top}


def test_thumbs_are_counted_by_day(store: Store) -> None:
    answer(store, 30, feedback=1)
    answer(store, 1, feedback=1)
    answer(store, 1, feedback=-1)
    answer(store, 1)

    thumbs = utilisation(store, now=NOW, days=2).thumbs

    assert [(day.up, day.down) for day in thumbs.days] == [(1, 0), (1, 1)]
    assert (thumbs.up, thumbs.down, thumbs.share_up) == (2, 1, 2 / 3)
