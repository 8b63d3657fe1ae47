import json
from dataclasses import replace
from pathlib import Path

import pytest

from feedback_pipeline_tests.execution.samples import ENDLESS, IMPATIENT, LIMITS, evidence, sqlite_file


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return sqlite_file(tmp_path / "shop.sqlite")


def test_equal_results_are_a_note(shop: Path) -> None:
    found = evidence(shop, "SELECT id, city FROM orders", "SELECT city, id FROM orders ORDER BY id DESC")

    assert (found.outcome, found.results_equal, found.reason) == ("note", True, None)
    assert found.detail == "same result as the generated SQL on this data: it improves style, it corrects no error"
    assert "both_empty" not in found.document()


def test_equal_because_both_are_empty_is_weak_evidence(shop: Path) -> None:
    found = evidence(shop, "SELECT id FROM orders WHERE id > 9", "SELECT city, id FROM orders WHERE city = ''")

    assert (found.outcome, found.results_equal) == ("note", True)
    assert found.document()["both_empty"] is True
    assert "weak evidence" in found.detail
    assert found.result_digest is None


def test_what_differs_is_shown(shop: Path) -> None:
    found = evidence(shop, "SELECT city, total FROM orders", "SELECT total, city FROM orders WHERE total > 5 OR id = 9")

    assert found.document() == {
        "outcome": "pass",
        "detail": "results differ: 3 rows of 2 columns in the corrected, 2 rows of 2 columns in the generated",
        "results_equal": False,
        "reason": None,
        "corrected": {"outcome": "ok", "rows": 3, "columns": ["city", "total"]},
        "generated": {"outcome": "ok", "rows": 2, "columns": ["total", "city"]},
        "only_in_corrected": [["Berlin", 10.5], ["Berlin", 3.0], ["Bonn", 7.0]],
        "only_in_generated": [[10.5, "Berlin"], [7.0, "Bonn"]],
    }


def test_row_order_counts_only_under_order_by(shop: Path) -> None:
    up, down = "SELECT id FROM orders ORDER BY id", "SELECT id FROM orders ORDER BY id DESC"

    assert evidence(shop, up, down, ordered=False).results_equal is True
    ordered = evidence(shop, up, down, ordered=True)
    assert (ordered.results_equal, ordered.detail) == (False, "results differ: same rows in another order")
    assert ordered.only_in_corrected == ()


@pytest.mark.parametrize("generated", ["SELECT nothing FROM orders", "DROP TABLE orders", "not SQL"])
def test_generated_sql_that_does_not_run_differs(shop: Path, generated: str) -> None:
    found = evidence(shop, "SELECT id FROM orders", generated)

    assert (found.outcome, found.results_equal, found.reason) == ("pass", False, None)
    assert found.generated is not None
    assert found.generated["error"]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("SELECT nothing FROM orders", "error"), ("DROP TABLE orders", "refused"), (ENDLESS, "timed_out")],
)
def test_corrected_sql_without_a_result_fails_or_is_left_to_a_person(shop: Path, answer: str, outcome: str) -> None:
    found = evidence(shop, answer, "SELECT 1", IMPATIENT)

    verdict = "not_checked" if outcome == "timed_out" else "fail"
    assert (found.outcome, found.answer_outcome, found.results_equal) == (verdict, outcome, None)
    assert found.reason
    assert found.corrected["error"] in found.detail
    assert found.generated == {"outcome": "ok", "rows": 1, "columns": ["1"]}


def test_generated_sql_that_does_not_end_tells_nothing(shop: Path) -> None:
    found = evidence(shop, "SELECT id FROM orders", ENDLESS, IMPATIENT)

    assert (found.outcome, found.results_equal) == ("pass", None)
    assert found.reason == "the generated SQL does not end in time"


def test_without_generated_sql_there_is_nothing_to_compare_with(shop: Path) -> None:
    found = evidence(shop, "SELECT id FROM orders")

    assert (found.outcome, found.results_equal, found.generated) == ("pass", None, None)
    assert found.result_digest


def test_the_same_sql_is_equal_even_where_it_is_too_large(shop: Path) -> None:
    sql = "SELECT 1 FROM orders a, orders b, orders c, orders d"

    found = evidence(shop, sql, sql, replace(LIMITS, max_rows=20))

    assert (found.outcome, found.results_equal, found.result_digest) == ("note", True, None)


def test_two_results_that_were_cut_off_cannot_be_compared(shop: Path) -> None:
    found = evidence(shop, "SELECT id FROM orders", "SELECT total FROM orders", replace(LIMITS, max_rows=2))

    assert (found.outcome, found.results_equal) == ("pass", None)
    assert found.reason == "both results are too large to compare"
    assert found.corrected["outcome"] == "too_large"


@pytest.mark.parametrize("generated", ["SELECT id FROM orders LIMIT 2", "SELECT id FROM refunds"])
def test_more_rows_than_the_other_has_differ_for_certain(shop: Path, generated: str) -> None:
    limits = replace(LIMITS, max_rows=2)

    assert evidence(shop, "SELECT id FROM orders", generated, limits).results_equal is False
    assert evidence(shop, generated, "SELECT id FROM orders", limits).results_equal is False


def test_rows_cut_off_by_size_may_still_be_equal(shop: Path) -> None:
    wide, narrow = "SELECT hex(zeroblob(1000)), id FROM orders", "SELECT id FROM orders"

    found = evidence(shop, wide, narrow, replace(LIMITS, max_bytes=5_000))

    assert found.results_equal is None
    assert found.reason == "one result is too large to compare"


def test_empty_tables_tell_nothing(shop: Path) -> None:
    sql, other = "SELECT count(*) FROM refunds", "SELECT count(id) FROM refunds WHERE total > 5"

    assert evidence(shop, sql, other).results_equal is True
    found = evidence(shop, sql, other, tables=("refunds",))
    assert (found.outcome, found.results_equal) == ("pass", None)
    assert "empty" in str(found.reason)
    joined = evidence(shop, "SELECT count(*) FROM refunds, orders", other, tables=("refunds", "orders"))
    assert joined.results_equal is True
    unknown = evidence(shop, sql, other, tables=("elsewhere",))
    assert unknown.results_equal is True


def test_evidence_is_bounded_and_holds_nothing_but_json(shop: Path) -> None:
    wide = "SELECT " + ", ".join(f"hex(zeroblob(5000)) AS c{'x' * 200}{number}" for number in range(90))

    found = evidence(shop, f"{wide}, x'00ff' FROM orders", "SELECT 9e999 FROM orders", replace(LIMITS, sample_rows=2))

    document = json.dumps(found.document(), allow_nan=False)
    assert len(found.only_in_corrected) == len(found.only_in_generated) == 2
    assert len(document) < 30_000
    assert str(shop) not in document


def test_a_sample_may_be_left_out(shop: Path) -> None:
    found = evidence(shop, "SELECT 1", "SELECT 2", replace(LIMITS, sample_rows=0))

    assert (found.results_equal, found.only_in_corrected, found.only_in_generated) == (False, [], [])


def test_a_long_error_is_shortened(shop: Path) -> None:
    found = evidence(shop, f"SELECT {'x' * 5000} FROM orders")

    assert len(found.detail) < 400
