"""Schedule and sensor: what they ask for, and that they neither repeat themselves nor forget."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from feedback_pipeline.definitions import defs
from feedback_pipeline.defs.schedules import nightly_schedule
from feedback_pipeline.defs.sensors import rebuild_after_erasure, schema_drift_sensor, verified_feedback_sensor
from feedback_pipeline.drift import follow_schemas
from feedback_pipeline.store import Interaction, check_again, latest_decision_seq, record_many, register_database
from feedback_pipeline_tests.defs.pipeline import TODAY, YESTERDAY, Pipeline, correction

NIGHT = datetime.fromisoformat("2026-11-05T02:00:00+00:00")
LAST = {"dagster/priority": "-1"}


def tick(pipeline: Pipeline, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    answer = verified_feedback_sensor(dg.build_sensor_context(cursor=cursor), feedback=pipeline.feedback)
    assert isinstance(answer, dg.SensorResult | dg.SkipReason)
    return answer


def requests(pipeline: Pipeline, cursor: str | None = None) -> list[dg.RunRequest]:
    answer = tick(pipeline, cursor)
    assert isinstance(answer, dg.SensorResult)
    return list(answer.run_requests or [])


def nightly(pipeline: Pipeline) -> list[dg.RunRequest]:
    context = dg.build_schedule_context(scheduled_execution_time=NIGHT)
    answer = nightly_schedule(context, feedback=pipeline.feedback)
    return list(answer)  # pyright: ignore[reportArgumentType, reportCallIssue]


def tables_of_a_day(request: dg.RunRequest) -> set[str]:
    return {key.to_user_string() for key in request.asset_selection or []}


def verify(pipeline: Pipeline, number: int, day=TODAY) -> int:
    pipeline.decide(pipeline.submit(correction(number), day=day), "verified", day)
    return latest_decision_seq(pipeline.store)


def test_nothing_decided_is_skipped(pipeline: Pipeline) -> None:
    pipeline.submit(correction(1))

    answer = tick(pipeline)

    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "no decision since event 0"


def test_a_decision_asks_for_one_run_and_only_once(pipeline: Pipeline) -> None:
    newest = verify(pipeline, 1)

    answer = tick(pipeline)

    assert isinstance(answer, dg.SensorResult)
    [request] = answer.run_requests or []
    assert (request.run_key, request.partition_key) == (f"decision-{newest}/{TODAY}", TODAY.isoformat())
    assert (request.asset_selection, answer.cursor) == (None, str(newest))
    assert isinstance(tick(pipeline, answer.cursor), dg.SkipReason)


def test_the_pipelines_own_events_start_nothing(pipeline: Pipeline) -> None:
    newest = verify(pipeline, 1)
    pipeline.run()

    assert isinstance(tick(pipeline, str(newest)), dg.SkipReason)


def test_a_sensor_without_memory_runs_nothing_twice(pipeline: Pipeline) -> None:
    newest = verify(pipeline, 1)
    pipeline.run()

    answer = tick(pipeline, cursor=None)

    assert isinstance(answer, dg.SensorResult)
    assert (answer.run_requests, answer.cursor) == ([], str(newest))
    assert answer.skip_reason is not None
    assert "promoted already" in str(answer.skip_reason.skip_message)


def test_a_decision_made_while_a_run_is_going_on_gets_a_run_of_its_own(pipeline: Pipeline) -> None:
    first = verify(pipeline, 1)
    asked = requests(pipeline)
    second = verify(pipeline, 2)

    again = requests(pipeline, str(first))

    assert second > first
    assert {request.run_key for request in asked}.isdisjoint({request.run_key for request in again})
    pipeline.run()
    assert pipeline.live().rows == 2


def test_missed_days_come_first_and_one_whole_run_comes_last(pipeline: Pipeline) -> None:
    earlier = TODAY - timedelta(days=3)
    newest = max(verify(pipeline, number, day) for number, day in enumerate([earlier, YESTERDAY, TODAY]))

    *days, last = requests(pipeline)

    assert [request.partition_key for request in days] == [earlier.isoformat(), YESTERDAY.isoformat()]
    assert all(tables_of_a_day(request) == {"raw_feedback", "checked_feedback"} for request in days)
    assert (last.partition_key, last.asset_selection, dict(last.tags)) == (TODAY.isoformat(), None, LAST)
    assert last.run_key == f"decision-{newest}/{TODAY}"


def test_the_runs_asked_for_bring_everything_up_to_date(pipeline: Pipeline) -> None:
    """Verified on one day and rejected on the next: no run in between may fail or publish it."""
    ids = pipeline.submit(correction(1), correction(2), day=YESTERDAY)
    pipeline.decide(ids, "verified", YESTERDAY)
    pipeline.decide(ids[:1], "rejected", TODAY)

    job = defs.resolve_job_def("promote_verified")
    for request in requests(pipeline):
        selection = list(request.asset_selection or []) or None
        assert job.execute_in_process(partition_key=request.partition_key, asset_selection=selection).success

    assert [example.feedback_id for example in pipeline.similar("rivers")] == [ids[1]]
    assert pipeline.feedback.stale_feedback_days() == []


def test_a_night_with_nothing_new_runs_today_once(pipeline: Pipeline) -> None:
    [request] = nightly(pipeline)

    assert request.partition_key is not None
    assert request.run_key == f"2026-11-05/{request.partition_key}"
    assert abs(datetime.fromisoformat(request.partition_key).date() - TODAY) <= timedelta(days=1)


def test_the_night_takes_up_all_stale_days_of_feedback_and_interactions(pipeline: Pipeline) -> None:
    verify(pipeline, 1, YESTERDAY)
    record_many(pipeline.store, [Interaction("rag", "what is a river", source="test", client_key="i1")])

    first, last = nightly(pipeline)

    assert (first.partition_key, last.partition_key) == (YESTERDAY.isoformat(), TODAY.isoformat())
    assert tables_of_a_day(first) == {"raw_feedback", "checked_feedback", "raw_interactions"}
    assert last.asset_selection is None


@pytest.mark.parametrize("name", ["nightly_aggregation", "promote_verified"])
def test_runs_that_write_the_tables_follow_each_other(name: str) -> None:
    assert defs.resolve_job_def(name).run_tags["feedback_pipeline/writes"] == "tables"


def look(pipeline: Pipeline, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    answer = schema_drift_sensor(dg.build_sensor_context(cursor=cursor), feedback=pipeline.feedback)
    assert isinstance(answer, dg.SensorResult | dg.SkipReason)
    return answer


@pytest.fixture
def lakes(pipeline: Pipeline) -> Path:
    path = pipeline.root / "lakes.sqlite"
    alter(path, "CREATE TABLE lake (name TEXT, depth REAL)", "INSERT INTO lake VALUES ('Como', 425)")
    register_database(pipeline.store, "lakes", "sqlite", str(path))
    return path


def alter(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_changed_schema_is_asked_for_once_and_again_when_it_changes_back_and_forth(pipeline: Pipeline, lakes: Path):
    assert isinstance(look(pipeline), dg.SkipReason)
    alter(lakes, "ALTER TABLE lake DROP COLUMN depth")
    first = look(pipeline)
    assert isinstance(first, dg.SensorResult)
    assert isinstance(look(pipeline, first.cursor), dg.SkipReason)
    follow_schemas(pipeline.store, pipeline.settings)
    calm = look(pipeline, first.cursor)
    assert isinstance(calm, dg.SensorResult)
    assert not calm.run_requests
    alter(lakes, "ALTER TABLE lake ADD COLUMN depth REAL")
    second = look(pipeline, calm.cursor)
    assert isinstance(second, dg.SensorResult)

    keys = [request.run_key for result in (first, second) for request in result.run_requests or []]
    assert len(keys) == len(set(keys)) == 2


def test_stale_examples_leave_the_index_at_the_next_publish_and_return_with_their_schema(
    pipeline: Pipeline, lakes: Path
):
    question = "how deep is the deepest lake"
    item = correction(1, "SELECT max(depth) FROM lake", database_id="lakes", natural_query=question)
    ids = pipeline.submit(item, day=YESTERDAY)
    pipeline.decide(ids, "verified", day=YESTERDAY)
    pipeline.run()
    assert [example.natural_query for example in pipeline.similar(question, "lakes")] == [question]

    alter(lakes, "ALTER TABLE lake RENAME COLUMN depth TO metres")
    pipeline.run()
    assert (pipeline.status(ids[0]), pipeline.similar(question, "lakes")) == ("stale", [])

    alter(lakes, "ALTER TABLE lake RENAME COLUMN metres TO depth")
    pipeline.run()
    assert pipeline.status(ids[0]) == "applied"
    assert [example.natural_query for example in pipeline.similar(question, "lakes")] == [question]


def test_after_an_erasure_what_others_gave_too_is_built_again(pipeline: Pipeline):
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_job_def("erasure").execute_in_process(instance=instance)
        event = next(event for event in done.all_events if event.event_type is dg.DagsterEventType.RUN_SUCCESS)
        context = dg.build_run_status_sensor_context(
            "rebuild_after_erasure", dagster_event=event, dagster_instance=instance, dagster_run=done.dagster_run
        )

        request = rebuild_after_erasure(context)

    assert isinstance(request, dg.RunRequest)
    assert (request.partition_key, done.run_id in str(request.run_key)) == (TODAY.isoformat(), True)


def test_evidence_made_anew_outside_a_run_reaches_the_tables_with_the_next(pipeline: Pipeline, lakes: Path):
    item = correction(1, "SELECT name FROM lake", database_id="lakes", natural_query="all lakes")
    pipeline.decide(pipeline.submit(item, day=YESTERDAY), "verified", day=YESTERDAY)
    pipeline.run()
    before = pipeline.stage("checked_feedback", YESTERDAY.isoformat())["result_digest"].to_pylist()
    assert pipeline.feedback.stale_feedback_days() == []
    alter(lakes, "INSERT INTO lake VALUES ('Garda', 346)")

    check_again(pipeline.store, ["lakes"])
    follow_schemas(pipeline.store, pipeline.settings)

    assert pipeline.feedback.stale_feedback_days() == [YESTERDAY.isoformat()]
    pipeline.run()
    assert pipeline.stage("checked_feedback", YESTERDAY.isoformat())["result_digest"].to_pylist() != before
    assert pipeline.feedback.stale_feedback_days() == []
