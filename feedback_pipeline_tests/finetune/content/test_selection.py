"""What gets into a dataset, and why the rest does not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.finetune.content.selection import ReleasePolicy, Selection, dropped_earlier, select
from feedback_pipeline.schemas import DEDUPED_FEEDBACK, DROPPED
from feedback_pipeline_tests.finetune.samples import POLICY, examples

START = datetime(2026, 1, 1, tzinfo=UTC)


def table(*changes: dict[str, Any]) -> pa.Table:
    rows = examples(len(changes)).to_pylist()
    return pa.Table.from_pylist([{**row, **more} for row, more in zip(rows, changes, strict=True)], DEDUPED_FEEDBACK)


def policy(**changes: Any) -> ReleasePolicy:
    return ReleasePolicy(POLICY.min_rating, POLICY.validation_percent, POLICY.test_percent, **changes)


def reasons(selection: Selection) -> dict[str, str]:
    """Return the reason of each dropped row, by the last digit of its id."""
    return {row["row_id"][-1]: row["reason"] for row in selection.dropped.to_pylist()}


def test_without_thresholds_everything_is_taken():
    assert select(examples(5), POLICY).kept.all()


def test_what_is_proven_less_than_asked_for_is_left_out():
    rows = table({"evidence": "parsed"}, {"evidence": "resolved"}, {"evidence": "executed"})

    selection = select(rows, policy(min_evidence="resolved"))

    assert reasons(selection) == {"0": "evidence below resolved"}


def test_light_rows_and_long_questions_are_left_out():
    rows = table({"weight": 0.2}, {"natural_query": "é" * 11}, {"natural_query": "é" * 10, "weight": 0.5})

    selection = select(rows, policy(min_weight=0.5, max_question_chars=10))

    assert reasons(selection) == {"0": "weight below 0.5", "1": "question longer than 10 characters"}


def test_a_row_needs_all_of_its_feedback_in_use():
    rows = table({"feedback_ids": ["a", "b"]}, {"feedback_ids": ["a"]}, {"feedback_ids": ["c"]})

    selection = select(rows, POLICY, in_use={"a", "c"})

    assert reasons(selection) == {"0": "feedback is not in use any more"}


def test_of_one_user_the_rows_verified_first_are_taken():
    rows = table(*({"feedback_ids": [f"f{n}"], "verified_at": START - timedelta(days=n)} for n in range(5)))

    selection = select(rows, policy(max_rows_per_user=2), user_of={f"f{n}": "ana" for n in range(5)})

    assert reasons(selection) == dict.fromkeys("012", "beyond the 2 rows of one user")


def test_rows_that_others_stand_behind_too_do_not_count_against_a_user():
    rows = table({"feedback_ids": ["a1", "b1"]}, {"feedback_ids": ["a2", "t"]}, {"feedback_ids": ["a3"]})

    selection = select(rows, policy(max_rows_per_user=1), user_of={"a1": "a", "a2": "a", "a3": "a", "b1": "b"})

    assert selection.kept.all()


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 5))
def test_no_user_has_more_rows_than_allowed_and_none_loses_others(users: list[str], cap: int):
    rows = table(*({"feedback_ids": [f"f{number}"]} for number in range(len(users))))

    selection = select(rows, policy(max_rows_per_user=cap), user_of={f"f{n}": user for n, user in enumerate(users)})

    taken = [user for user, kept in zip(users, selection.kept, strict=True) if kept]
    assert {user: taken.count(user) for user in set(users)} == {u: min(users.count(u), cap) for u in set(users)}
    assert selection.dropped.num_rows == len(users) - len(taken)


def test_what_earlier_stages_left_out_keeps_its_reason_and_id():
    dropped = pa.Table.from_pylist(
        [{"feedback_id": "f1", "stage": "deduped_feedback", "reason": "conflict", "detail": "two answers"}], DROPPED
    )

    row = dropped_earlier(dropped).to_pylist()[0]

    assert (row["stage"], row["reason"], row["feedback_ids"]) == ("deduped_feedback", "conflict", ["f1"])
