"""What starts because something happened."""

import dagster as dg

from feedback_pipeline.defs.jobs import promote_verified
from feedback_pipeline.defs.notify import post_failure
from feedback_pipeline.defs.requests import requests_for
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.store import latest_decision_seq

_SECONDS_BETWEEN_TICKS = 20


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
    newest = latest_decision_seq(feedback.store)
    if newest <= int(context.cursor or 0):
        return dg.SkipReason(f"no decision since event {newest}")
    days = feedback.stale_feedback_days()
    if not days:
        return dg.SensorResult(skip_reason=f"event {newest} has been promoted already", cursor=str(newest))
    requests = list(requests_for(promote_verified.name, days, f"decision-{newest}"))
    return dg.SensorResult(run_requests=requests, cursor=str(newest))


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING)
def run_failure_alert(context: dg.RunFailureSensorContext, feedback: Feedback) -> None:
    """Log every failed run, and post it to FEEDBACK_FAILURE_WEBHOOK_URL where one is set."""
    message = context.failure_event.message or "no message"
    run = context.dagster_run
    context.log.error(f"run {run.run_id} of {run.job_name} failed: {message}")
    if url := feedback.settings.failure_webhook_url:
        partition = run.tags.get("dagster/partition")
        post_failure(url, {"job": run.job_name, "run_id": run.run_id, "partition": partition, "message": message})


SENSORS = [verified_feedback_sensor, run_failure_alert]
