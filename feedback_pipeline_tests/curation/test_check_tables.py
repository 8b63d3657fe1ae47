"""Checks over tables: the same verdicts in any number of processes, and stored ones only where they still hold."""

import pyarrow as pa
import pytest

from feedback_pipeline.curation.check_tables import check_submissions, from_stored_checks, needs_check
from feedback_pipeline.curation.checks import CorrectionChecker
from feedback_pipeline.curation.verdicts import DatabaseFacts
from feedback_pipeline.schemas import CHECKED_FEEDBACK, SUBMISSIONS, ContractError
from feedback_pipeline_tests.curation.samples import submission, submissions

COLUMNS = {"singer": {"id": "INTEGER", "name": "TEXT"}}
KINDS = [
    {},
    {"corrected_sql": None, "rating": 5},
    {"corrected_sql": None},
    {"corrected_sql": "```sql\nSELECT id FROM singer;\n```"},
    {"corrected_sql": "DROP TABLE singer"},
    {"corrected_sql": "SELECT nothing FROM singer"},
    {"corrected_sql": "SELECT name FROM singer"},
    {"database_id": "unheard"},
]


def checker(fingerprint: str = "abc", default_dialect: str = "sqlite") -> CorrectionChecker:
    facts = DatabaseFacts("shop", "sqlite", columns=COLUMNS, schema_fingerprint=fingerprint)
    return CorrectionChecker({"shop": facts}, default_dialect)


def many(count: int) -> pa.Table:
    return submissions(*(submission(number, **KINDS[number % len(KINDS)]) for number in reversed(range(count))))


def test_checked_rows_keep_their_order_and_their_submission():
    table = many(40)

    checked = check_submissions(table, checker())

    assert checked.schema == CHECKED_FEEDBACK
    assert checked.select(SUBMISSIONS.names).equals(table)


def test_no_rows_give_an_empty_table():
    assert check_submissions(many(0), checker()).num_rows == 0


def test_several_processes_find_what_one_finds():
    table, parts = many(2_300), []
    for start in range(0, table.num_rows, 1_000):
        parts.append(check_submissions(table.slice(start, 1_000), checker()))

    assert check_submissions(table, checker()).equals(pa.concat_tables(parts).combine_chunks())


def test_a_worker_process_does_not_go_on_with_another_runs_dialect():
    table = submissions(*(submission(n, database_id="new", corrected_sql="SELECT `a` FROM t") for n in range(2_000)))

    first = check_submissions(table, checker(default_dialect="mysql"))
    second = check_submissions(table, checker(default_dialect="postgres"))

    assert first["passed"].to_pylist() == [True] * 2_000
    assert second["failed_check"].to_pylist() == ["parses"] * 2_000


def test_submissions_that_are_none_are_refused():
    with pytest.raises(ContractError, match="checks: missing column"):
        check_submissions(many(1).drop_columns(["rating"]), checker())


def test_stored_evidence_gives_the_same_table_again():
    checked = check_submissions(many(40), checker())
    stored = checked.select([*SUBMISSIONS.names, "checks", "checks_key"])

    assert from_stored_checks(stored).equals(checked)


def test_a_verdict_is_made_again_when_missing_or_when_the_schema_has_changed():
    checked = check_submissions(submissions(submission(0), submission(1, database_id="unheard")), checker())
    unchecked = pa.table({"database_id": ["shop"], "checks_key": pa.array([None], pa.string())})

    assert needs_check(checked, checker()).to_pylist() == [False, False]
    assert needs_check(checked, checker(fingerprint="new")).to_pylist() == [True, False]
    assert needs_check(checked, checker(default_dialect="mysql")).to_pylist() == [False, True]
    assert needs_check(unchecked, checker()).to_pylist() == [True]
