"""Blocking checks: what is broken stops the run before index and dataset, and says so in words."""

from datetime import datetime
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
from dagster import DagsterEventType

from feedback_pipeline.definitions import defs
from feedback_pipeline.defs.launch import PROMOTE, run_job
from feedback_pipeline.schemas import RAW_FEEDBACK
from feedback_pipeline_tests.defs.pipeline import TODAY, YESTERDAY, Pipeline, correction

DAY = TODAY.isoformat()
QUESTION = correction(3).natural_query


@pytest.fixture
def waiting(learned: Pipeline, ids: list[str]) -> Pipeline:
    """Two corrections are live, and a third one would be published by the next run."""
    learned.decide(ids[2:], "verified")
    return learned


def failure(pipeline: Pipeline) -> dict[str, str]:
    """Run the job, which must fail and leave what is published alone; return what it says."""
    before = (pipeline.live(), pipeline.latest())
    outcome = run_job(PROMOTE, pipeline.settings)
    assert not outcome.success
    assert (pipeline.live(), pipeline.latest()) == before
    assert pipeline.feedback.releases.versions("text2sql") == [1]
    return outcome.failed


def verdicts(stage: str, day: str | None = None) -> dict[str, tuple[bool, str | None]]:
    """Run the checks of a stage, and nothing else, on what is stored."""
    selection = dg.AssetSelection.checks_for_assets(dg.AssetKey(stage))
    job = dg.Definitions.merge(defs, dg.Definitions(jobs=[dg.define_asset_job("checks", selection)]))
    tags = {"dagster/partition": day} if day else {}
    result = job.resolve_job_def("checks").execute_in_process(tags=tags, raise_on_error=False)
    happened = [event for event in result.all_events if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION]
    found = [event.asset_check_evaluation_data for event in happened]
    return {evaluation.check_name: (evaluation.passed, evaluation.description) for evaluation in found}


def replaced(table: pa.Table, name: str, values: list, kind: pa.DataType | None = None) -> pa.Table:
    field = pa.field(name, kind or table.schema.field(name).type)
    return table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))


def test_a_row_that_is_not_verified_any_more_stops_the_run(waiting: Pipeline, ids: list[str]) -> None:
    waiting.force_status(ids[1], "rejected")

    assert failure(waiting) == {
        "check no_unverified_row of verified_feedback": f"1 rows are not verified: ['{ids[1]}']"
    }


def test_a_repeated_key_stops_the_run(waiting: Pipeline, ids: list[str]) -> None:
    checked = waiting.stage("checked_feedback", DAY)
    waiting.tables.write("checked_feedback", checked, YESTERDAY.isoformat())

    assert failure(waiting) == {"check no_duplicate_key of verified_feedback": "3 rows repeat a feedback_id"}


def test_a_vector_that_is_not_of_length_1_stops_the_run(waiting: Pipeline) -> None:
    spoiled = np.zeros((1, waiting.feedback.encoder.dimension), np.float32)
    waiting.feedback.embedding_cache.append([QUESTION], spoiled)

    said = failure_of_embedding(waiting)

    assert said == {"check no_empty_vector of embedded_feedback": "1 vectors are missing or not of length 1"}


def failure_of_embedding(pipeline: Pipeline) -> dict[str, str]:
    """The dataset needs no vectors, so it goes ahead; the index must not."""
    live = pipeline.live()
    outcome = run_job(PROMOTE, pipeline.settings)
    assert (pipeline.live(), pipeline.latest().version) == (live, 2)
    return outcome.failed


def test_a_step_that_breaks_says_what_broke(waiting: Pipeline) -> None:
    broken = waiting.tables.write("raw_feedback", waiting.stage("raw_feedback", DAY), YESTERDAY.isoformat())
    Path(broken.path).write_bytes(b"no parquet")

    said = failure(waiting)

    assert list(said) == ["verified_feedback"]
    assert "parquet" in said["verified_feedback"].lower()


def test_every_contract_is_kept_after_a_run(waiting: Pipeline) -> None:
    for stage in ("raw_feedback", "checked_feedback", "verified_feedback", "deduped_feedback", "embedded_feedback"):
        assert {passed for passed, _ in verdicts(stage).values()} == {True}, stage
    assert verdicts("example_index") == {"index_row_count_equals_input": (True, "2 rows live, 2 embedded")}
    assert waiting.live().rows == 2


@pytest.mark.parametrize("stage", ["verified_feedback", "deduped_feedback", "embedded_feedback"])
def test_a_stage_never_stored_fails_its_contract(pipeline: Pipeline, stage: str) -> None:
    assert verdicts(stage)["schema_contract"] == (False, f"{stage} has not been stored")
    assert pipeline.tables.partitions(stage) == []


def test_wrong_types_nulls_and_missing_or_unknown_columns_break_the_contract(waiting: Pipeline) -> None:
    good = waiting.stage("deduped_feedback")
    cases = {
        "column weight is int64, not double": replaced(good, "weight", [1, 1], pa.int64()),
        "column weight is string, not double": replaced(good, "weight", ["1", "1"], pa.string()),
        "Casting field 'sql' with null values to non-nullable": replaced(good, "sql", ["SELECT 1", None]),
        "missing column(s) sql, weight": good.drop_columns(["sql", "weight"]),
        "unknown column note": good.append_column("note", pa.array(["a", "b"])),
    }
    for problem, table in cases.items():
        waiting.tables.write("deduped_feedback", table)
        assert verdicts("deduped_feedback")["schema_contract"] == (False, f"deduped_feedback: {problem}")


def test_vectors_missing_or_of_the_wrong_kind_are_found(waiting: Pipeline) -> None:
    good = waiting.stage("embedded_feedback")
    kind = good.schema.field("vector").type
    first = good["vector"].to_pylist()[0]
    cases = {
        "1 vectors are missing or not of length 1": replaced(good, "vector", [[0.0] * kind.list_size, first]),
        "2 vectors are missing or not of length 1": replaced(
            good, "vector", [[np.nan] * kind.list_size, [np.inf] * kind.list_size]
        ),
        "embedded_feedback has no column of vectors": replaced(good, "vector", [[1.0], [1.0]], pa.list_(pa.float32())),
    }
    for problem, table in cases.items():
        waiting.tables.write("embedded_feedback", table)
        found = verdicts("embedded_feedback")
        assert found["no_empty_vector"] == (False, problem)


def test_an_index_with_other_rows_than_were_embedded_is_found(waiting: Pipeline) -> None:
    waiting.tables.write("embedded_feedback", waiting.stage("embedded_feedback").slice(0, 1))

    assert verdicts("example_index") == {"index_row_count_equals_input": (False, "2 rows live, 1 embedded")}


def test_the_contract_of_a_day_is_checked_on_that_day(pipeline: Pipeline) -> None:
    at = datetime.fromisoformat(f"{DAY}T12:00:00+00:00")
    row = {"event_seq": 1, "feedback_id": "f", "event": "submitted", "at": at}
    good = pa.Table.from_pylist([row], RAW_FEEDBACK)
    pipeline.tables.write("raw_feedback", good, DAY)
    pipeline.tables.write("raw_feedback", good.drop_columns(["event"]), YESTERDAY.isoformat())

    assert verdicts("raw_feedback", DAY)["schema_contract"][0] is True
    assert verdicts("raw_feedback")["schema_contract"][0] is True
    found = verdicts("raw_feedback", YESTERDAY.isoformat())["schema_contract"]
    assert found == (False, "raw_feedback: missing column(s) event")
