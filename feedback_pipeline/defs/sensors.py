"""What starts because something happened."""

import json

import dagster as dg

from feedback_pipeline.defs.jobs import erasure, promote_verified
from feedback_pipeline.defs.notify import post_failure
from feedback_pipeline.defs.release_notice import dataset_release_sensor
from feedback_pipeline.defs.requests import requests_for
from feedback_pipeline.defs.resources import Feedback, today
from feedback_pipeline.defs.retraining import retrain_reranker_sensor
from feedback_pipeline.drift import SchemaLook, look_at_schemas
from feedback_pipeline.store import latest_decision_seq

_SECONDS_BETWEEN_TICKS = 20
_SECONDS_BETWEEN_LOOKS = 60


@dg.sensor(
    job=promote_verified,
    minimum_interval_seconds=_SECONDS_BETWEEN_TICKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def verified_feedback_sensor(
    context: dg.SensorEvaluationContext, feedback: Feedback
) -> dg.SensorResult | dg.SkipReason:
    """Promote when reviewers have decided something since the last run that was asked for.

    The run key is the newest decision, so a restart neither forgets a decision nor runs twice for it.
    """
    rules_verify = feedback.settings.auto_verify != "off"
    newest = latest_decision_seq(feedback.store, or_submission=rules_verify)
    if newest <= int(context.cursor or 0):
        return dg.SkipReason(f"no decision since event {newest}")
    days = feedback.stale_feedback_days()
    if not days:
        return dg.SensorResult(skip_reason=f"event {newest} has been promoted already", cursor=str(newest))
    requests = list(requests_for(promote_verified.name, days, f"decision-{newest}"))
    return dg.SensorResult(run_requests=requests, cursor=str(newest))


@dg.sensor(
    job=promote_verified,
    minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def schema_drift_sensor(context: dg.SensorEvaluationContext, feedback: Feedback) -> dg.SensorResult | dg.SkipReason:
    """Run when a registered database has another schema than the one it is registered with.

    The run registers it, marks feedback as stale or restored, and publishes without what is stale. Each change is asked
    for once: the cursor holds the last one and counts, because a schema can go back and forth.
    """
    look = look_at_schemas(feedback.store)
    asked, count = json.loads(context.cursor) if context.cursor else [{}, 0]
    if look.changed == asked:
        return dg.SkipReason(_as_registered(look) if not asked else "the changes have been asked for")
    cursor = json.dumps([look.changed, count + 1], sort_keys=True)
    if not look.changed:
        return dg.SensorResult(skip_reason=_as_registered(look), cursor=cursor)
    request = dg.RunRequest(run_key=f"schema-{count + 1}", partition_key=today())
    return dg.SensorResult(run_requests=[request], cursor=cursor)


def _as_registered(look: SchemaLook) -> str:
    away = f"; not reachable: {', '.join(sorted(look.unreachable))}" if look.unreachable else ""
    return f"all schemas are as registered{away}"


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[erasure],
    request_job=promote_verified,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def rebuild_after_erasure(context: dg.RunStatusSensorContext) -> dg.RunRequest:
    """Build again, without the erased user, what others gave too: an erasure takes out the whole example."""
    return dg.RunRequest(run_key=f"after-erasure-{context.dagster_run.run_id}", partition_key=today())


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING)
def run_failure_alert(context: dg.RunFailureSensorContext, feedback: Feedback) -> None:
    """Log every failed run, and post it to FEEDBACK_FAILURE_WEBHOOK_URL where one is set."""
    message = context.failure_event.message or "no message"
    run = context.dagster_run
    context.log.error(f"run {run.run_id} of {run.job_name} failed: {message}")
    if url := feedback.settings.failure_webhook_url:
        partition = run.tags.get("dagster/partition")
        post_failure(url, {"job": run.job_name, "run_id": run.run_id, "partition": partition, "message": message})


SENSORS = [
    verified_feedback_sensor,
    schema_drift_sensor,
    rebuild_after_erasure,
    retrain_reranker_sensor,
    run_failure_alert,
    dataset_release_sensor,
]
