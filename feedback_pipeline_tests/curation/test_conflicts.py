"""Which answers are one, and which contradict each other."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.curation.conflicts import answers_by_question, claims_of, conflicts
from feedback_pipeline.curation.deduplication import deduplicate
from feedback_pipeline.schemas import CHECKED_FEEDBACK
from feedback_pipeline_tests.curation.claims import FAILED, RAN, claim
from feedback_pipeline_tests.curation.samples import submission, verified, verified_frame


def test_rivals_stand_side_by_side_with_everybody_who_gives_them():
    found = conflicts([claim(1), claim(2, sql="SELECT 2"), claim(3), claim(4, question=("bank", "cost"))])

    [conflict] = found
    assert conflict.question == ("shop", "cost")
    assert [[c.feedback_id for c in rival.claims] for rival in conflict.rivals] == [["f001", "f003"], ["f002"]]
    assert conflict.rivals[0].users == {"user1", "user3"}


def test_answers_that_give_the_same_rows_are_one():
    same = [claim(1, result_digest="d"), claim(2, sql="SELECT 1 + 0", result_digest="d")]

    assert conflicts(same) == []
    assert len(conflicts([*same, claim(3, sql="SELECT 3")])[0].rivals) == 2


@pytest.mark.parametrize("changes", [{"status": "rejected"}, {"status": "superseded"}, {"passed": False}])
def test_what_does_not_stand_contradicts_nothing(changes: dict):
    assert conflicts([claim(1), claim(2, sql="SELECT 2", **changes)]) == []


def test_what_was_verified_against_a_check_contradicts():
    assert len(conflicts([claim(1), claim(2, sql="SELECT 2", passed=False, status="verified")])) == 1


def test_what_could_not_be_read_is_no_answer():
    assert conflicts([claim(1), claim(2, sql=None)]) == []
    assert answers_by_question([claim(2, sql=None)]) == {}


def checked(*rows: dict[str, Any]) -> pa.Table:
    defaults = {
        **dict.fromkeys(CHECKED_FEEDBACK.names),
        "passed": True,
        "is_error_pair": True,
        "redactions": 0,
        "flags": [],
        "checks_key": "k",
        "checks": "{}",
    }
    filled = [{**defaults, **submission(n), "safe_question": f"q{n}", **row} for n, row in enumerate(rows)]
    return pa.Table.from_pylist(filled, CHECKED_FEEDBACK)


def test_checked_rows_become_claims():
    table = checked(
        {"safe_question": "Cost ?", "checks": json.dumps({"execution": RAN}), "flags": ["odd"]},
        {"passed": False, "failed_check": "execution", "checks": json.dumps({"execution": FAILED})},
        {},
    )

    one, other, unrun = claims_of(table, {"f00000": "pending", "f00001": "verified", "f00002": "applied"})

    assert (one.question, one.status, one.executed, one.flags) == (("shop", "cost"), "pending", True, ("odd",))
    assert (other.status, other.executed, other.failed_check) == ("verified", False, "execution")
    assert (unrun.status, unrun.executed) == ("applied", False)


spellings = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["S1", "S2", "S3"]), st.sampled_from([None, "d", "e"])),
    max_size=10,
)


@given(drawn=spellings)
def test_conflicts_among_verified_feedback_are_those_that_deduplication_sets_aside(drawn: list[tuple]):
    claims = [
        claim(n, sql=sql, question=("shop", question), result_digest=digest, status="verified")
        for n, (question, sql, digest) in enumerate(drawn)
    ]
    rows = [
        verified(n, natural_query=question, sql=sql, result_digest=digest)
        for n, (question, sql, digest) in enumerate(drawn)
    ]

    found = {conflict.question[1]: len(conflict.rivals) for conflict in conflicts(claims)}

    dropped = deduplicate(verified_frame(rows)).dropped.to_pylist()
    questions = {row["feedback_id"]: row["canonical_question"] for row in rows}
    aside = {questions[d["feedback_id"]]: d["detail"] for d in dropped if d["reason"] == "conflict"}
    assert {q: f"{count} different answers to the same question" for q, count in found.items()} == aside
