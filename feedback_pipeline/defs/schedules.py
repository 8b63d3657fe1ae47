"""What starts by the clock."""

from collections.abc import Iterator

import dagster as dg

from feedback_pipeline.defs.jobs import nightly_aggregation
from feedback_pipeline.defs.requests import requests_for
from feedback_pipeline.defs.resources import Feedback, today
from feedback_pipeline.settings import get_settings


@dg.schedule(
    job=nightly_aggregation,
    cron_schedule="0 2 * * *",
    execution_timezone=get_settings().schedule_timezone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def nightly_schedule(context: dg.ScheduleEvaluationContext, feedback: Feedback) -> Iterator[dg.RunRequest]:
    """Every night at 02:00: each day whose stored tables are older than the store, also days an outage has missed."""
    night = context.scheduled_execution_time.date().isoformat()
    days = {*feedback.stale_feedback_days(), *feedback.stale_interaction_days()} or {today()}
    yield from requests_for(nightly_aggregation.name, sorted(days), night)
