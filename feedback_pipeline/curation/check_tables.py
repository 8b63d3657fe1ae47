"""Checks over whole tables: several processes for many rows, and stored verdicts used again where they still hold."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

import json
from collections.abc import Mapping
from typing import Any

import daft
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.curation.checks import CorrectionChecker
from feedback_pipeline.curation.verdicts import DatabaseFacts
from feedback_pipeline.schemas import CHECK_RESULTS, CHECKED_FEEDBACK, SUBMISSIONS, require

_WORTH_A_SECOND_PROCESS = 2_000
_BATCH_ROWS = 2_000


def check_submissions(submissions: pa.Table, checker: CorrectionChecker) -> pa.Table:
    """Check a table of schemas.SUBMISSIONS and return it as schemas.CHECKED_FEEDBACK, rows in the same order.

    Large tables are checked by Daft in several processes (SQL parsing holds the interpreter lock), or on its Ray
    cluster.
    """
    submissions = require(submissions, SUBMISSIONS, "checks")
    columns = ["database_id", "natural_query", "generated_sql", "corrected_sql", "rating", "comment"]
    if submissions.num_rows < _WORTH_A_SECOND_PROCESS:
        rows = [checker.check(row).as_row() for row in submissions.select(columns).to_pylist()]
        results = pa.Table.from_pylist(rows, CHECK_RESULTS)
    else:
        results = _check_in_parallel(submissions.select(columns), checker)
    for name in CHECK_RESULTS.names:
        submissions = submissions.append_column(CHECK_RESULTS.field(name), results[name])
    return require(submissions, CHECKED_FEEDBACK, "checked_feedback")


def _check_in_parallel(table: pa.Table, checker: CorrectionChecker) -> pa.Table:
    databases, dialect = checker.databases, checker.default_dialect
    result_type = daft.DataType.from_arrow_type(pa.struct(list(CHECK_RESULTS)))

    @daft.func.batch(return_dtype=result_type, use_process=True)
    def check_batch(row: daft.Series) -> list[dict[str, Any]]:
        batch_checker = _checker_of_this_process(databases, dialect)
        return [batch_checker.check(item).as_row() for item in row.to_pylist()]

    frame = daft.from_arrow(pa.table({"row": table.to_struct_array()})).into_batches(_BATCH_ROWS)
    checked = frame.select(check_batch(daft.col("row")).alias("row")).to_arrow()
    return pa.Table.from_struct_array(checked["row"].combine_chunks()).cast(CHECK_RESULTS)


_process_checkers: list[CorrectionChecker] = []


def _checker_of_this_process(databases: Mapping[str, DatabaseFacts], dialect: str) -> CorrectionChecker:
    """Keep one checker per worker process, so that what it has read is remembered from batch to batch."""
    kept = _process_checkers[0] if _process_checkers else None
    if kept is None or (kept.databases, kept.default_dialect) != (databases, dialect):
        _process_checkers[:] = [CorrectionChecker(databases, dialect)]
    return _process_checkers[0]


def needs_check(submissions: pa.Table, checker: CorrectionChecker) -> pa.Array:
    """Tell for each row whether its stored verdict is missing or was made under another schema, dialect or version.

    Args:
        submissions: schemas.SUBMISSIONS plus the columns ``checks`` (JSON) and ``checks_key``, both null where never
            checked.
        checker: knows what the key should be today.

    """
    keys = zip(submissions["database_id"].to_pylist(), submissions["checks_key"].to_pylist(), strict=True)
    return pa.array([stored != checker.facts(database_id).checks_key for database_id, stored in keys], pa.bool_())


def from_stored_checks(submissions: pa.Table) -> pa.Table:
    """Rebuild schemas.CHECKED_FEEDBACK from stored evidence, without reading any SQL again."""
    documents = [json.loads(text) for text in submissions["checks"].to_pylist()]
    for field in CHECK_RESULTS:
        if field.name not in ("checks", "checks_key"):
            values = pa.array([document.get(field.name) for document in documents], field.type)
            submissions = submissions.append_column(field, _or_original(field.name, values, submissions, documents))
    return require(submissions, CHECKED_FEEDBACK, "checked_feedback")


def _or_original(name: str, values: pa.Array, submissions: pa.Table, documents: list[dict[str, Any]]) -> pa.Array:
    """Fill in the safe texts that the evidence leaves out because they are as they came in."""
    match name:
        case "safe_question":
            came_in = submissions["natural_query"].to_pylist()
        case "safe_sql":
            came_in = [document["answer_sql"] for document in documents]
        case "safe_generated_sql":
            came_in = [text if (text or "").strip() else None for text in submissions["generated_sql"].to_pylist()]
        case _:
            return values
    return pc.coalesce(values, pa.array(came_in, pa.string()))
