from datetime import UTC, date, datetime
from typing import Any

import pytest

from feedback_pipeline.intake.validation import Limits, RowError, read_correction, read_interaction

NOW = datetime(2025, 6, 1, tzinfo=UTC)
LIMITS = Limits(max_question_chars=100, max_sql_chars=200, now=NOW)
GOOD = {"database_id": "geo", "natural_query": " how many? ", "corrected_sql": "SELECT 1 "}


def correction(**changes: Any) -> Any:
    return read_correction({**GOOD, **changes}, "import", LIMITS)


def refused(**changes: Any) -> RowError:
    with pytest.raises(RowError) as caught:
        correction(**changes)
    return caught.value


def test_a_good_row_is_kept_as_it_is_but_for_blanks_around_the_question() -> None:
    found = correction(client_key=17, rating="4", comment="", user_id=" u1 ", created_at="2025-03-01 12:30")
    assert (found.natural_query, found.corrected_sql, found.client_key) == ("how many?", "SELECT 1 ", "17")
    assert (found.rating, found.comment, found.user_id) == (4, None, "u1")
    assert found.created_at == datetime(2025, 3, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("database_id", None, "missing"),
        ("database_id", "  ", "missing"),
        ("database_id", "x" * 201, "201 characters"),
        ("database_id", 5, "a number"),
        ("natural_query", "\n ", "missing"),
        ("natural_query", "x" * 1_000_000, "1,000,000 characters, at most 100"),
        ("natural_query", "a\0b", "NUL"),
        ("natural_query", "a\x1b[31mb", "control character U\\+001B"),
        ("natural_query", "a\ud800b", "Unicode"),
        ("natural_query", ["a"], "a list"),
        ("natural_query", {"a": 1}, "an object"),
        ("natural_query", b"bytes", "type bytes"),
        ("generated_sql", "x" * 201, "201 characters"),
        ("corrected_sql", "SELECT '\0'", "NUL"),
        ("corrected_sql", 1, "a number"),
        ("rating", 0, "1 to 5"),
        ("rating", 6, "1 to 5"),
        ("rating", 4.5, "whole number"),
        ("rating", "good", "expected a number"),
        ("rating", True, "true or false"),
        ("rating", [4], "a list"),
        ("rating", 10**400, "1 to 5"),
        ("rating", float("inf"), "whole number"),
        ("comment", {"text": "a"}, "an object"),
        ("user_id", True, "true or false"),
        ("client_key", "k" * 201, "201 characters"),
        ("created_at", "yesterday", "ISO 8601"),
        ("created_at", "1969-12-31T00:00:00Z", "before 1970"),
        ("created_at", -5.0, "before 1970"),
        ("created_at", "2025-06-03T00:00:00Z", "future"),
        ("created_at", 1_740_832_200_000, "ISO 8601"),
        ("created_at", True, "ISO 8601"),
        ("created_at", [1], "ISO 8601"),
    ],
)
def test_what_is_wrong_is_refused_by_name(field: str, value: Any, reason: str) -> None:
    error = refused(**{field: value})
    assert error.field == field
    with pytest.raises(ValueError, match=reason):
        raise error


@pytest.mark.parametrize("value", [4, 4.0, "4", "4.0", " 4 "])
def test_ratings_are_read_from_all_spellings(value: Any) -> None:
    assert correction(rating=value).rating == 4


@pytest.mark.parametrize("value", [None, "", " ", float("nan")])
def test_nothing_is_null(value: Any) -> None:
    found = correction(rating=value, comment=value, generated_sql=value, created_at=value, user_id=value)
    assert (found.rating, found.comment, found.generated_sql, found.created_at, found.user_id) == (None,) * 5


@pytest.mark.parametrize(
    "value",
    [
        "2025-03-01T12:30:00Z",
        "2025-03-01T13:30:00+01:00",
        "2025-03-01 12:30",
        1740832200,
        "1740832200",
        1740832200.0,
        datetime(2025, 3, 1, 12, 30),  # noqa: DTZ001
    ],
)
def test_times_are_read_from_all_spellings(value: Any) -> None:
    assert correction(created_at=value).created_at == datetime(2025, 3, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize("value", ["2025-03-01", "20250301", date(2025, 3, 1)])
def test_a_date_is_its_first_moment(value: Any) -> None:
    assert correction(created_at=value).created_at == datetime(2025, 3, 1, tzinfo=UTC)


def test_a_correction_has_to_say_something() -> None:
    assert "says nothing" in refused(corrected_sql=" ").reason
    assert correction(corrected_sql=None, rating=1).rating == 1


def test_all_that_is_wrong_is_said() -> None:
    error = refused(rating=9, database_id="")
    assert error.field == "database_id"
    assert "rating is 9" in error.reason


def interaction(**changes: Any) -> Any:
    return read_interaction({"kind": "rag", "natural_query": "why?", **changes}, "import", LIMITS)


def test_an_interaction_with_chunks() -> None:
    chunks = [{"chunk_id": "a", "text": "A", "score": 0.5, "in_scope": True}, {"chunk_id": 7, "other": 1}]
    found = interaction(chunks=chunks, feedback="-1", client_key="i1")
    assert [(c.chunk_id, c.text, c.score, c.rank, c.in_scope) for c in found.chunks] == [
        ("a", "A", 0.5, 1, True),
        ("7", None, None, 2, None),
    ]
    assert (found.feedback, found.kind, found.source) == (-1, "rag", "import")


def test_chunks_may_be_json_text() -> None:
    assert interaction(chunks='[{"chunk_id": "a", "rank": 0}]').chunks[0].rank == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": None}, "kind is missing"),
        ({"kind": "chat"}, "expected text2sql or rag"),
        ({"feedback": 0}, "expected 1 for thumbs up"),
        ({"feedback": "up"}, "expected a number"),
        ({"chunks": "a, b"}, "not a JSON list"),
        ({"chunks": [1]}, "item 1 is no object"),
        ({"chunks": [{"text": "a"}]}, "chunks.0.chunk_id is missing"),
        ({"chunks": [{"chunk_id": "a", "score": "high"}]}, "chunks.0.score"),
        ({"chunks": [{"chunk_id": "a", "rank": -1}]}, "chunks.0.rank"),
        ({"chunks": [{"chunk_id": "a", "in_scope": "maybe"}]}, "true or false"),
        ({"chunks": [{"chunk_id": "a"}, {"chunk_id": "a"}]}, "repeat the chunk_id a"),
        ({"chunks": [{"chunk_id": "a", "rank": 2}, {"chunk_id": "b"}]}, "repeat the rank 2"),
    ],
)
def test_interactions_that_cannot_be_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        interaction(**changes)


def test_an_interaction_needs_a_kind() -> None:
    with pytest.raises(RowError, match="kind is missing"):
        read_interaction({"natural_query": "why?"}, "import", LIMITS)
