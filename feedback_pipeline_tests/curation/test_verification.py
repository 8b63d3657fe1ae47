"""The fold of all events: compared with the plain sentence it implements, and the reasons it gives."""

import json
from typing import Any

import daft
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.curation.verification import STATUS_OF_EVENT, VerificationResult, fold_verified
from feedback_pipeline.schemas import CHECKED_FEEDBACK, DROPPED, RAW_FEEDBACK, VERIFIED_FEEDBACK
from feedback_pipeline_tests.curation.samples import START, submission

OVERRIDE = json.dumps({"override": True}, separators=(",", ":"))


def event(seq: int, number: int, kind: str, payload: str | None = None) -> dict[str, Any]:
    row = {"event_seq": seq, "feedback_id": f"f{number:05d}", "event": kind, "payload": payload, "at": START}
    return {"actor": "ann", "reason": None, **row}


def checked(number: int = 0, **changes: Any) -> dict[str, Any]:
    came_in = submission(number) | changes
    return {
        **came_in,
        "safe_question": came_in["natural_query"],
        "safe_sql": "SELECT id FROM singer",
        "safe_generated_sql": came_in["generated_sql"],
        "redactions": 0,
        "flags": [],
        "passed": True,
        "failed_check": None,
        "answer_sql": "SELECT id FROM singer",
        "canonical_sql": 'SELECT "id" FROM "singer"',
        "sql_skeleton": 'SELECT "id" FROM "singer"',
        "is_error_pair": True,
        "checks_key": "v1",
        "checks": "{}",
        **changes,
    }


def fold(events: list[dict[str, Any]], rows: list[dict[str, Any]], min_rating: int = 4) -> VerificationResult:
    stored = daft.from_arrow(pa.Table.from_pylist(events, RAW_FEEDBACK))
    return fold_verified(stored, daft.from_arrow(pa.Table.from_pylist(rows, CHECKED_FEEDBACK)), min_rating=min_rating)


def reasons(result: VerificationResult) -> dict[str, str]:
    return dict(zip(result.dropped["feedback_id"].to_pylist(), result.dropped["reason"].to_pylist(), strict=True))


def one(*kinds: str, payload: str | None = None, **changes: Any) -> str:
    """Return ``kept``, or why a single feedback with these events is dropped."""
    events = [event(seq, 0, kind, payload) for seq, kind in enumerate(kinds, start=1)]
    result = fold(events, [checked(**changes)])
    return reasons(result).get("f00000", "kept")


def test_a_verified_correction_is_kept_with_what_training_needs():
    result = fold([event(1, 0, "submitted"), event(2, 0, "verified")], [checked(natural_query="How many?")])

    row = result.kept.to_pylist()[0]
    assert (row["canonical_question"], row["sql"]) == ("how many", "SELECT id FROM singer")
    assert result.kept.schema == VERIFIED_FEEDBACK
    assert result.dropped.schema == DROPPED


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((), "pending"),
        (("submitted",), "pending"),
        (("submitted", "checked"), "pending"),
        (("submitted", "verified"), "kept"),
        (("submitted", "verified", "checked"), "kept"),
        (("submitted", "verified", "applied"), "kept"),
        (("submitted", "rejected"), "rejected"),
        (("submitted", "verified", "withdrawn"), "withdrawn"),
        (("submitted", "verified", "superseded"), "superseded"),
        (("submitted", "verified", "stale"), "stale"),
        (("submitted", "verified", "stale", "restored"), "kept"),
        (("submitted", "verified", "reopened"), "pending"),
        (("submitted", "verified", "applied", "set_aside"), "kept"),
    ],
)
def test_the_last_deciding_event_counts(events: tuple[str, ...], expected: str):
    assert one(*events) == expected


@pytest.mark.parametrize(("rating", "expected"), [(None, "kept"), (3, "rating below 4"), (4, "kept"), (5, "kept")])
def test_a_low_rating_is_left_out_and_none_is_not_low(rating: int | None, expected: str):
    assert one("submitted", "verified", rating=rating) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (None, "failed check: names_resolve"),
        ("{}", "failed check: names_resolve"),
        ('{"override":false}', "failed check: names_resolve"),
        (json.dumps({"note": '"override":true'}), "failed check: names_resolve"),
        (OVERRIDE, "kept"),
        ('{"override": true, "note": "seen"}', "kept"),
    ],
)
def test_only_an_explicit_override_stands_above_a_failed_check(payload: str | None, expected: str):
    assert one("verified", payload=payload, passed=False, failed_check="names_resolve") == expected


def test_no_override_makes_sql_readable():
    unread = {"passed": False, "failed_check": "parses", "canonical_sql": None, "sql_skeleton": None}

    assert one("verified", payload=OVERRIDE, **unread) == "failed check: parses"


def test_an_override_of_another_event_counts_for_nothing():
    events = [event(1, 0, "submitted", OVERRIDE), event(2, 0, "verified")]

    result = fold(events, [checked(passed=False, failed_check="names_resolve")])

    assert reasons(result) == {"f00000": "failed check: names_resolve"}


def test_events_of_feedback_that_was_never_checked_add_nothing():
    result = fold([event(1, 7, "verified")], [checked(0)])

    assert result.kept.num_rows == 0
    assert reasons(result) == {"f00000": "pending"}


def test_nothing_at_all_folds_to_nothing():
    result = fold([], [])

    assert (result.kept.num_rows, result.dropped.num_rows) == (0, 0)


def expected_reason(row: dict[str, Any], events: list[dict[str, Any]]) -> str:
    """Say in plain Python what the fold is to find."""
    own = sorted((e for e in events if e["feedback_id"] == row["feedback_id"]), key=lambda e: e["event_seq"])
    statuses = [STATUS_OF_EVENT[e["event"]] for e in own if e["event"] in STATUS_OF_EVENT]
    status = statuses[-1] if statuses else "pending"
    if status not in ("verified", "applied"):
        return status
    telling = [e for e in own if e["event"] in STATUS_OF_EVENT]
    overridden = bool(telling) and telling[-1]["event"] == "verified" and telling[-1]["payload"] == OVERRIDE
    if not row["passed"] and not overridden:
        return f"failed check: {row['failed_check']}"
    return "rating below 4" if row["rating"] is not None and row["rating"] < 4 else "kept"


kinds = st.sampled_from(["submitted", "checked", "verified", "rejected", "applied", "reopened", "withdrawn", "stale"])
drawn_events = st.lists(st.tuples(st.integers(0, 5), kinds, st.sampled_from([None, OVERRIDE])), max_size=25)
drawn_rows = st.lists(st.tuples(st.booleans(), st.sampled_from([None, 3, 4])), min_size=6, max_size=6)


@settings(max_examples=25)
@given(drawn=drawn_events, rows=drawn_rows, order=st.randoms(use_true_random=False))
def test_the_fold_says_what_a_plain_loop_says(drawn: list, rows: list, order: Any):
    events = [event(seq, number, kind, payload) for seq, (number, kind, payload) in enumerate(drawn, start=1)]
    table = [
        checked(n, passed=ok, failed_check=None if ok else "differs", rating=rating)
        for n, (ok, rating) in enumerate(rows)
    ]
    shuffled = [*events, *events[: len(events) // 2]]
    order.shuffle(shuffled)

    result = fold(shuffled, table)

    wanted = {row["feedback_id"]: expected_reason(row, events) for row in table}
    kept = result.kept["feedback_id"].to_pylist()
    assert kept == sorted(key for key, reason in wanted.items() if reason == "kept")
    assert reasons(result) == {key: reason for key, reason in wanted.items() if reason != "kept"}


def test_an_override_ends_with_the_next_decision():
    events = [
        event(1, 0, "submitted"),
        event(2, 0, "verified", OVERRIDE),
        event(3, 0, "reopened"),
        event(4, 0, "verified"),
    ]

    result = fold(events, [checked(passed=False, failed_check="names_resolve")])

    assert reasons(result) == {"f00000": "failed check: names_resolve"}


@pytest.mark.parametrize(("now_failing", "fate"), [("execution", "kept"), ("names_resolve", "dropped")])
def test_an_override_covers_only_the_check_it_was_given_for(now_failing: str, fate: str):
    payload = json.dumps({"override": True, "overridden_check": "execution"})

    said = one("submitted", "verified", payload=payload, passed=False, failed_check=now_failing)

    assert said == ("kept" if fate == "kept" else "failed check: names_resolve")


def test_only_safe_texts_leave():
    row = checked(natural_query="orders of ann@example.com") | {
        "safe_question": "orders of <EMAIL_ADDRESS>",
        "safe_sql": "SELECT 1",
        "safe_generated_sql": "SELECT 2",
    }

    kept = fold([event(1, 0, "submitted"), event(2, 0, "verified")], [row]).kept.to_pylist()[0]

    texts = {name: kept[name] for name in ("natural_query", "canonical_question", "sql", "generated_sql")}
    assert texts == {
        "natural_query": "orders of <EMAIL_ADDRESS>",
        "canonical_question": "orders of <email_address>",
        "sql": "SELECT 1",
        "generated_sql": "SELECT 2",
    }
