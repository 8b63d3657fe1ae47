"""Shares that tell of trouble: what they count, and when they mean something."""

import json

import pyarrow as pa
import pytest

from feedback_pipeline.curation.quality import (
    Share,
    conflict_share,
    holds_personal_data,
    largest_user_share,
    left_out_shares,
    only_reads,
    redacted_share,
    unexecutable_share,
)
from feedback_pipeline.schemas import DROPPED


def dropped(*reasons: str) -> pa.Table:
    rows = [{"feedback_id": f"f{n}", "stage": "s", "reason": reason} for n, reason in enumerate(reasons)]
    return pa.Table.from_pylist(rows, DROPPED)


def checked(*documents: dict) -> pa.Table:
    found = [sum(sum(kinds.values()) for kinds in d.get("privacy", {}).get("redacted", {}).values()) for d in documents]
    return pa.table({"checks": [json.dumps(d) for d in documents], "redactions": found})


def ran(outcome: str | None) -> dict:
    return {"execution": {"corrected": None if outcome is None else {"outcome": outcome}}}


@pytest.mark.parametrize(("part", "whole", "exceeds"), [(11, 20, True), (10, 20, False), (5, 5, False), (0, 0, False)])
def test_a_share_means_something_only_on_enough_rows(part: int, whole: int, exceeds: bool):
    assert Share(part, whole).exceeds(0.5) is exceeds


def test_what_waits_for_a_person_is_not_left_out():
    shares = left_out_shares(5, dropped("pending", "rejected", "failed check: parses", "rejected"))

    assert shares == {"rejected": Share(2, 9), "failed check: parses": Share(1, 9)}
    assert list(shares) == ["rejected", "failed check: parses"]


def test_only_conflicts_count_as_conflicts():
    assert conflict_share(10, dropped("duplicate", "conflict", "conflict", "merged")) == Share(2, 10)


def test_rows_without_user_belong_to_nobody():
    verified = pa.table({"user_hash": ["ann", "ann", "bob", None, None, None]})

    assert largest_user_share(verified) == Share(2, 6)


def test_redactions_are_counted_by_kind():
    rows = checked(
        {"privacy": {"redacted": {"question": {"EMAIL_ADDRESS": 1}, "answer": {"EMAIL_ADDRESS": 2, "SECRET": 1}}}}, {}
    )

    assert redacted_share(rows) == (Share(1, 2), {"EMAIL_ADDRESS": 3, "SECRET": 1})


def test_an_answer_that_failed_was_run():
    rows = checked(ran("ok"), ran("error"), ran("not_run"), ran(None), {})

    assert unexecutable_share(rows) == Share(3, 5)


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, False),
        ({"natural_query": "orders of ann.miller@example.com"}, True),
        ({"sql": "SELECT 1 FROM t WHERE mail = 'ann.miller@example.com'"}, True),
        ({"generated_sql": "SELECT 'ann.miller@example.com'"}, True),
        ({"natural_query": "orders of <EMAIL_ADDRESS>"}, False),
    ],
)
def test_personal_data_is_seen_in_every_text_that_is_published(changes: dict, holds: bool):
    example = {"natural_query": "rivers of Texas", "sql": "SELECT 1", "generated_sql": None}

    assert holds_personal_data(example | changes, "sqlite") is holds


def test_only_one_query_only_reads():
    texts = ["SELECT 1", "DELETE FROM river", "SELECT 1; SELECT 2", "SELEC"]

    assert [only_reads(text, "sqlite") for text in texts] == [True, False, False, False]
