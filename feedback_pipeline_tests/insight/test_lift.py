"""Which answers count for an example, on which side, and as what."""

from typing import Any

import pytest
from sqlalchemy import delete, update

from feedback_pipeline.insight import utilisation
from feedback_pipeline.insight.lift import Judged, Measured
from feedback_pipeline.insight.metrics import measured_examples, metrics_table
from feedback_pipeline.schemas import FEEDBACK_METRICS
from feedback_pipeline.store import Store
from feedback_pipeline.store.models import FeedbackRow, RetrievalRow
from feedback_pipeline_tests.insight.stories import NOW, answer, becomes, retrieve, tell

APPLIED = (("submitted", 100), ("verified", 90), ("applied", 80))
RATE = 0.2


def measured(store: Store) -> dict[str, Measured]:
    return {one.example_id: one for one in measured_examples(store)}


def compared(store: Store, example_id: str = "e1") -> tuple[int, int, int, int]:
    """Return judged and good with the example, judged and good without, comparable or not."""
    strata = measured(store)[example_id].strata
    return tuple(map(sum, zip(*strata, strict=True))) if strata else (0, 0, 0, 0)  # pyright: ignore[reportReturnType]


def given(store: Store, rating: int | None, *examples: str, **changes: Any) -> int:
    """Let a question be answered with examples while holding back is on, and be rated."""
    asked = retrieve(store, 2, *(examples or ("e1",)), **{"rate": RATE, **changes})
    return answer(store, 1, feedback=rating, retrieval_id=asked)


def without(store: Store, rating: int | None, example_id: str = "e1", *others: str, **changes: Any) -> int:
    """Let a question be answered without an example that was found."""
    asked = retrieve(store, 2, *others, withheld=(example_id,), **{"rate": RATE, **changes})
    return answer(store, 1, feedback=rating, retrieval_id=asked)


def correct(store: Store, interaction_id: int, status: str = "submitted", **fields: Any) -> None:
    """Let an answer be corrected."""
    steps = [("submitted", 1)] if status == "submitted" else [("submitted", 1), (status, 0.5)]
    feedback_id = tell(store, *steps, mistake=fields.pop("mistake", True), **fields)
    with store.begin() as session:
        values = {"interaction_id": interaction_id, "generated_sql": "SELECT 1", "corrected_sql": "SELECT 2"}
        session.execute(update(FeedbackRow).where(FeedbackRow.feedback_id == feedback_id).values(**values))


def test_answers_with_and_without_are_told_apart_and_unrated_ones_do_not_count(store: Store) -> None:
    for rating in (1, 1, -1, None):
        given(store, rating)
    for rating in (1, -1, None):
        without(store, rating)

    one = measured(store)["e1"]

    assert compared(store) == (3, 2, 2, 1)
    assert one.use == Judged(answers=3, good=2, up=2, down=1, corrected=0)
    assert one.withheld == Judged(answers=2, good=1, up=1, down=1, corrected=0)


@pytest.mark.parametrize("rating", [1, -1, None])
def test_a_corrected_answer_is_bad_however_it_was_rated(store: Store, rating: int | None) -> None:
    correct(store, given(store, rating))

    assert compared(store) == (1, 0, 0, 0)
    assert measured(store)["e1"].use.corrected == 1


@pytest.mark.parametrize(
    ("status", "fields"),
    [("withdrawn", {}), ("rejected", {}), ("submitted", {"mistake": False}), ("submitted", {"edit_of": "f0"})],
    ids=["taken back", "rejected", "the same answer", "a reviewer's edit"],
)
def test_what_is_no_correction_of_a_user_that_stands_corrects_nothing(store: Store, status: str, fields: dict) -> None:
    correct(store, given(store, 1), status, **fields)

    assert compared(store) == (1, 1, 0, 0)


def test_an_answer_that_was_corrected_twice_counts_once(store: Store) -> None:
    corrected = given(store, None)
    correct(store, corrected)
    correct(store, corrected, "verified")

    assert compared(store) == (1, 0, 0, 0)


def test_a_look_up_that_names_the_answer_counts_like_one_the_answer_names(store: Store) -> None:
    first = answer(store, 2, feedback=1)
    retrieve(store, 1, "e1", rate=RATE, interaction_id=first)
    both = answer(store, 2, feedback=-1, retrieval_id=(named := retrieve(store, 2, "e1", rate=RATE)))
    with store.begin() as session:
        session.execute(update(RetrievalRow).where(RetrievalRow.retrieval_id == named).values(interaction_id=both))

    assert compared(store) == (2, 1, 0, 0)


def test_an_answer_that_asked_twice_counts_once_and_not_at_all_where_its_look_ups_differ(store: Store) -> None:
    same, different = answer(store, 2, feedback=1), answer(store, 2, feedback=1)
    for interaction_id in (same, same, different):
        retrieve(store, 1, "e1", rate=RATE, interaction_id=interaction_id)
    retrieve(store, 1, withheld=("e1",), rate=RATE, interaction_id=different)

    assert compared(store) == (1, 1, 0, 0)
    assert measured(store)["e1"].use.answers == 2


def test_only_what_chance_decided_is_compared(store: Store) -> None:
    given(store, 1, rate=None)
    without(store, 1, rate=None)
    without(store, 1, "e2", "e1")

    assert compared(store) == (0, 0, 0, 0)
    assert measured(store)["e1"].use.answers == 2
    assert compared(store, "e2") == (0, 0, 1, 1)


def test_answers_are_compared_under_the_same_conditions(store: Store) -> None:
    # Two examples found: good answers. One found: bad answers. Withholding changes nothing of that.
    for _ in range(30):
        given(store, 1, "e1", "e2")
        given(store, -1)
    for _ in range(3):
        without(store, 1, "e1", "e2")
    for _ in range(9):
        without(store, -1)

    effect = measured(store)["e1"].effect

    assert (effect.judged_with, effect.judged_without) == (60, 12)
    assert effect.lift == pytest.approx(0)


def test_a_changed_rate_is_a_condition_of_its_own(store: Store) -> None:
    # Answers got better over time, and more was held back later.
    for rating, rate, times in ((-1, 0.1, (9, 1)), (1, 0.5, (5, 5))):
        for _ in range(times[0]):
            given(store, rating, rate=rate)
        for _ in range(times[1]):
            without(store, rating, rate=rate)

    assert measured(store)["e1"].effect.lift == pytest.approx(0)


def test_an_answer_about_another_database_does_not_count(store: Store) -> None:
    asked = retrieve(store, 2, "e1", rate=RATE)
    answer(store, 1, feedback=-1, retrieval_id=asked, database_id="shop")
    answer(store, 1, feedback=1, retrieval_id=retrieve(store, 2, "e1", rate=RATE), database_id=None)

    assert compared(store) == (1, 1, 0, 0)


def test_the_effect_of_one_example_of_all_counts_an_answer_once(store: Store) -> None:
    becomes(store, tell(store, *APPLIED), "e1")
    for rating in (1, 1, -1):
        given(store, rating, "e1", "e2")
    without(store, -1, "e1", "e2")
    without(store, 1, "e2", "e1")

    overall = utilisation(store, now=NOW).lift.overall

    assert (overall.judged_with, overall.good_with, overall.judged_without, overall.good_without) == (3, 2, 2, 1)
    assert overall.lift == pytest.approx(2 / 3 - 1 / 2, abs=1e-6)


def test_examples_are_named_by_their_correction_the_worst_first_and_only_within_a_database(store: Store) -> None:
    worse, better = tell(store, *APPLIED, question="worse"), tell(store, *APPLIED, question="better")
    becomes(store, worse, "e1")
    becomes(store, better, "e2")
    for _ in range(20):
        given(store, -1, "e1")
        without(store, 1, "e1")
        given(store, 1, "e2")
        without(store, -1, "e2")

    lift, elsewhere = (utilisation(store, now=NOW, databases=frozenset({name})).lift for name in ("geo", "shop"))

    assert [(one.question, one.feedback_id, one.lift) for one in lift.examples] == [
        ("worse", worse, -1.0),
        ("better", better, 1.0),
    ]
    assert (lift.measured, elsewhere.measured, elsewhere.overall.lift) == (2, 0, None)


def test_few_answers_prove_no_harm(store: Store) -> None:
    for _ in range(9):
        given(store, -1)
        without(store, 1)
    assert not measured(store)["e1"].is_harmful()

    given(store, -1)
    without(store, 1)
    assert measured(store)["e1"].is_harmful()


def test_the_table_has_a_row_for_every_example_that_was_found_and_still_rests_on_something(store: Store) -> None:
    kept, erased = tell(store, *APPLIED), tell(store, *APPLIED)
    for feedback_id, example_id in ((kept, "e1"), (erased, "gone"), (tell(store, *APPLIED), "unused")):
        becomes(store, feedback_id, example_id)
    given(store, 1, "e1", "gone")
    without(store, -1)
    retrieve(store, 1, withheld=("e1",), rate=RATE)
    with store.begin() as session:
        session.execute(delete(FeedbackRow).where(FeedbackRow.feedback_id == erased))

    table = metrics_table(store, measured_examples(store))

    [row] = table.to_pylist()
    assert table.schema == FEEDBACK_METRICS
    assert (row["example_id"], row["database_id"], row["feedback_ids"]) == ("e1", "geo", [kept])
    assert (row["queries"], row["withheld"], row["up"], row["withheld_down"]) == (1, 2, 1, 1)
    assert (row["judged_with"], row["lift"], row["harmful"]) == (0, None, False)


def test_an_empty_store_gives_an_empty_table_and_no_lift(store: Store) -> None:
    assert metrics_table(store, measured_examples(store)).num_rows == 0
    assert utilisation(store, now=NOW).lift.overall.lift is None
