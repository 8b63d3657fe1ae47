"""What merges, what must not, and that nobody's feedback gets lost on the way."""

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.curation.deduplication import DeduplicationResult, deduplicate, example_id
from feedback_pipeline.schemas import DEDUPED_FEEDBACK, DROPPED
from feedback_pipeline_tests.curation.samples import verified, verified_frame


def merged(*rows: dict[str, Any]) -> DeduplicationResult:
    return deduplicate(verified_frame(list(rows)))


def only(result: DeduplicationResult) -> dict[str, Any]:
    (row,) = result.kept.to_pylist()
    return row


def dropped(result: DeduplicationResult) -> dict[str, str]:
    return {row["feedback_id"]: row["reason"] for row in result.dropped.to_pylist()}


def test_the_earliest_wording_speaks_for_its_repeats():
    rows = [verified(2, natural_query="Cost?"), verified(1, natural_query="COST"), verified(3, natural_query="cost ?")]

    row = only(merged(*rows))

    assert row["natural_query"] == "COST"
    assert row["feedback_ids"] == ["f00001", "f00002", "f00003"]
    assert row["example_id"] == example_id("shop", "cost", "SELECT 1")


def test_a_repeat_is_dropped_with_the_example_it_counts_in():
    result = merged(verified(1, natural_query="cost"), verified(2, natural_query="cost"))

    assert dropped(result) == {"f00002": "duplicate"}
    assert only(result)["example_id"] in result.dropped["detail"][0].as_py()


def test_weight_counts_users_and_not_submissions():
    voices = ["ann", "ann", "ben", None, None]
    rows = [verified(number, natural_query="cost", user_hash=voice) for number, voice in enumerate(voices)]

    assert only(merged(*rows))["weight"] == 3


def test_different_answers_to_one_question_are_set_aside_for_a_reviewer():
    result = merged(
        verified(1, natural_query="cost", sql="SELECT 1"),
        verified(2, natural_query="cost", sql="SELECT 2"),
        verified(3, natural_query="weight"),
    )

    assert only(result)["natural_query"] == "weight"
    assert dropped(result) == {"f00001": "conflict", "f00002": "conflict"}
    assert result.dropped["detail"][0].as_py() == "2 different answers to the same question"


def test_rivals_that_give_the_same_rows_are_merged_under_the_answer_most_users_gave():
    result = merged(
        verified(1, natural_query="cost", sql="SELECT 1", user_hash="ann", result_digest="d"),
        verified(2, natural_query="cost", sql="SELECT 1 + 0", user_hash="ben", result_digest="d"),
        verified(3, natural_query="cost", sql="SELECT 1 + 0", user_hash="cy", result_digest="d"),
        verified(4, natural_query="cost", sql="SELECT 1 + 0", user_hash="ann", result_digest="d"),
    )

    row = only(result)
    assert (row["sql"], row["weight"]) == ("SELECT 1 + 0", 3.0)
    assert row["feedback_ids"] == ["f00001", "f00002", "f00003", "f00004"]
    assert row["example_id"] == example_id("shop", "cost", "SELECT 1 + 0")
    assert dropped(result) == {"f00001": "merged", "f00003": "duplicate", "f00004": "duplicate"}
    assert (
        result.dropped["detail"][0].as_py() == f"counted in example {row['example_id']}, whose SQL gives the same rows"
    )


def test_of_merged_answers_with_as_many_voices_the_earliest_speaks():
    result = merged(
        verified(2, natural_query="cost", sql="SELECT 1", result_digest="d"),
        verified(1, natural_query="cost", sql="SELECT 2", result_digest="d"),
    )

    assert only(result)["sql"] == "SELECT 2"


@pytest.mark.parametrize("digests", [(None, None), ("d", None), ("d", "e")])
def test_rivals_whose_rows_are_unknown_or_differ_stay_a_conflict(digests: tuple[str | None, str | None]):
    rows = [
        verified(number, natural_query="cost", sql=f"SELECT {number}", result_digest=digest)
        for number, digest in enumerate(digests)
    ]

    assert dropped(merged(*rows)) == {"f00000": "conflict", "f00001": "conflict"}


def test_a_conflict_counts_the_answers_that_are_left_after_merging():
    result = merged(
        verified(1, natural_query="cost", sql="SELECT 1", result_digest="d"),
        verified(2, natural_query="cost", sql="SELECT 1 + 0", result_digest="d"),
        verified(3, natural_query="cost", sql="SELECT 3", result_digest="e"),
    )

    assert result.kept.num_rows == 0
    assert set(dropped(result).values()) == {"conflict"}
    assert set(result.dropped["detail"].to_pylist()) == {"2 different answers to the same question"}


def test_a_query_that_gave_different_rows_over_time_merges_with_no_other():
    result = merged(
        verified(1, natural_query="cost", sql="SELECT 1", result_digest="old"),
        verified(2, natural_query="cost", sql="SELECT 1", result_digest="new"),
        verified(3, natural_query="cost", sql="SELECT 3", result_digest="new"),
    )

    assert set(dropped(result).values()) == {"conflict"}


def test_one_run_of_a_query_is_enough_to_know_its_rows():
    result = merged(
        verified(1, natural_query="cost", sql="SELECT 1", result_digest=None),
        verified(2, natural_query="cost", sql="SELECT 1", result_digest="d"),
        verified(3, natural_query="cost", sql="SELECT 3", result_digest="d"),
    )

    assert dropped(result) == {"f00002": "duplicate", "f00003": "merged"}


def test_what_another_spelling_corrected_is_no_mistake_of_the_one_that_speaks():
    result = merged(
        verified(1, natural_query="cost", sql="SELECT 1", result_digest="d"),
        verified(
            2, natural_query="cost", sql="SELECT 2", result_digest="d", generated_sql="SELECT 1", is_error_pair=True
        ),
    )

    assert (only(result)["sql"], only(result)["generated_sql"]) == ("SELECT 1", None)


def test_a_users_share_of_all_weight_is_limited_and_reported():
    mine = [verified(number, user_hash="ann") for number in range(100)]
    others = [verified(100 + number, user_hash=f"user{number}") for number in range(30)]

    result = deduplicate(verified_frame(mine + others), max_user_share=0.25)

    assert result.users.factors == {"ann": 0.1}
    assert Counter(result.kept["weight"].to_pylist()) == {0.1: 100, 1.0: 30}
    assert result.users.report(1) == [
        {"user": "user 1", "voices": 100, "factor": 0.1, "share_before": 0.7692, "share_after": 0.25}
    ]


def test_one_question_may_have_another_answer_in_another_database():
    result = merged(
        verified(1, natural_query="cost", sql="SELECT 1"),
        verified(2, natural_query="cost", sql="SELECT 2", database_id="bank"),
    )

    assert result.kept.num_rows == 2


def test_wordings_of_one_answer_stay_apart():
    assert merged(verified(1, natural_query="cost"), verified(2, natural_query="price")).kept.num_rows == 2


def test_the_first_known_mistake_is_kept_with_the_example():
    result = merged(
        verified(1, natural_query="cost", generated_sql="SELECT 9", is_error_pair=False),
        verified(3, natural_query="cost", generated_sql="SELECT 8", is_error_pair=True),
        verified(2, natural_query="cost", generated_sql="SELECT 7", is_error_pair=True),
    )

    assert only(result)["generated_sql"] == "SELECT 7"


def test_without_a_mistake_there_is_no_wrong_sql():
    assert only(merged(verified(1, generated_sql="SELECT 9", is_error_pair=False)))["generated_sql"] is None


def test_nothing_gives_nothing():
    result = merged()

    assert (result.kept.schema, result.dropped.schema) == (DEDUPED_FEEDBACK, DROPPED)
    assert (result.kept.num_rows, result.dropped.num_rows) == (0, 0)


rows_drawn = st.lists(
    st.tuples(
        st.sampled_from(["shop", "bank"]),
        st.sampled_from(["Cost?", "cost", "price", "weight of it", ""]),
        st.sampled_from(["SELECT 1", "SELECT 2"]),
        st.sampled_from([None, "ann", "ben", "cy"]),
        st.booleans(),
        st.sampled_from([None, "d", "e"]),
    ),
    max_size=14,
)


def drawn_table(drawn: list[tuple]) -> list[dict[str, Any]]:
    names = ("database_id", "natural_query", "sql", "user_hash", "is_error_pair", "result_digest")
    return [
        verified(n, generated_sql=f"SELECT {n}", **dict(zip(names, values, strict=True)))
        for n, values in enumerate(drawn)
    ]


def question_of(row: dict[str, Any]) -> tuple[str, str]:
    return row["database_id"], row["canonical_question"]


def answers_to(question: tuple[str, str], table: list[dict[str, Any]]) -> set[str]:
    """Say which answers a question has, told row by row: the rows a query gave, or the query itself."""
    digests: dict[str, set[str]] = {}
    for row in table:
        if question_of(row) == question:
            digests.setdefault(row["canonical_sql"], set()).update({row["result_digest"]} - {None})
    return {f"rows {next(iter(known))}" if len(known) == 1 else sql for sql, known in digests.items()}


@settings(max_examples=20)
@given(drawn=rows_drawn)
def test_every_feedback_is_counted_in_one_example_or_set_aside(drawn: list[tuple]):
    table = drawn_table(drawn)

    result = merged(*table)

    counted = [feedback_id for ids in result.kept["feedback_ids"].to_pylist() for feedback_id in ids]
    reasons = dropped(result)
    aside = [feedback_id for feedback_id, reason in reasons.items() if reason == "conflict"]
    assert sorted(counted + aside) == [row["feedback_id"] for row in table]
    assert sum(reason in {"duplicate", "merged"} for reason in reasons.values()) == len(counted) - result.kept.num_rows
    assert result.dropped.num_rows == len(reasons)


@settings(max_examples=20)
@given(drawn=rows_drawn)
def test_what_merges_is_one_question_with_one_answer(drawn: list[tuple]):
    table = {row["feedback_id"]: row for row in drawn_table(drawn)}

    result = merged(*table.values())

    agreed = {question_of(row) for row in table.values() if len(answers_to(question_of(row), [*table.values()])) == 1}
    assert sorted(question_of(row) for row in result.kept.to_pylist()) == sorted(agreed)
    for row in result.kept.to_pylist():
        members = [table[feedback_id] for feedback_id in row["feedback_ids"]]
        assert {question_of(member) for member in members} == {question_of(row)}
        assert row["weight"] == len({member["user_hash"] for member in members})


@settings(max_examples=20)
@given(drawn=rows_drawn, order=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(drawn: list[tuple], order: Any):
    table = drawn_table(drawn)
    shuffled = list(table)
    order.shuffle(shuffled)

    one, other = merged(*table), merged(*shuffled)

    assert one.kept.equals(other.kept)
    assert sorted(one.dropped.to_pylist(), key=str) == sorted(other.dropped.to_pylist(), key=str)


def test_a_question_may_hold_any_text():
    odd = ['it\'s "quoted"', "naïve 日本語 🙂", "new\nline", "a\x1fb", "x" * 3_000]

    result = merged(*(verified(number, natural_query=text) for number, text in enumerate(odd)))

    assert isinstance(result.kept, pa.Table)
    assert result.kept.num_rows == len(odd)
