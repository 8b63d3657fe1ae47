"""What starts a training of the reranker: enough that is new, and long enough since the last one."""

import json
import time

import dagster as dg
from dagster import DagsterRunStatus

from feedback_pipeline.defs.jobs import retrain_reranker
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.finetune.catalog import Release
from feedback_pipeline.reranker.models.model import Model
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker_ratings import stored_voices
from feedback_pipeline.reranker_release import NAME
from feedback_pipeline.reranker_training import heard_voices
from feedback_pipeline.settings import Settings

DATASET_TAG = "feedback_pipeline/reranker_dataset"
_SECONDS_BETWEEN_LOOKS = 60
_MOST_ATTEMPTS = 3
_FAILED = [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


@dg.sensor(
    job=retrain_reranker,
    minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def retrain_reranker_sensor(context: dg.SensorEvaluationContext, feedback: Feedback) -> dg.SensorResult | dg.SkipReason:
    """Train when enough effective triplets are new since the last training, and its minimum interval is over.

    Nothing is remembered but what is stored: what the last model has heard stands beside it, so a restart neither
    forgets nor trains twice. The run key is the content of the dataset; a run that failed is asked for again, three
    times in all.
    """
    settings, release = feedback.settings, feedback.releases.latest(NAME)
    if release is None:
        return dg.SkipReason("no reranker dataset has been released yet")
    models = [model for model in ModelRegistry(settings.storage_root).models() if not model.is_damaged]
    if any(model.manifest["dataset"]["digest"] == release.digest for model in models):
        return dg.SkipReason(f"{NAME} v{release.version} has been trained on; nothing is new since")
    new, cursor = _new_triplets(context.cursor, settings, models[-1] if models else None)
    told = f"{new} of {settings.retrain_triplets} effective triplets"
    if new < settings.retrain_triplets:
        return dg.SensorResult(skip_reason=told, cursor=cursor)
    if wait := _hours_to_wait(context.instance, settings.retrain_min_hours):
        skip = f"{told}; the last training began less than {settings.retrain_min_hours:g} hours ago, {wait:.1f} to go"
        return dg.SensorResult(skip_reason=skip, cursor=cursor)
    return _request(context.instance, release, told, cursor)


def _new_triplets(cursor: str | None, settings: Settings, last: Model | None) -> tuple[int, str]:
    """Return the effective triplets that the last model has not heard; counted anew only where something changed."""
    voices = stored_voices(settings)
    if voices is None:
        return 0, ""
    state = [len(voices.keys), int(voices.keys.sum()) if len(voices.keys) else 0, last.version if last else 0]
    known = json.loads(cursor) if cursor else {}
    if known.get("state") != state:
        heard = heard_voices(last) if last else None
        known = {"state": state, "new": voices.count(heard, max_user_share=settings.max_user_share)}
    return known["new"], json.dumps(known)


def _hours_to_wait(instance: dg.DagsterInstance, least: float) -> float:
    """Return how long the last training is not yet long enough ago; one that failed does not count."""
    began = dg.RunsFilter(
        job_name=retrain_reranker.name,
        statuses=[
            DagsterRunStatus.SUCCESS,
            DagsterRunStatus.STARTED,
            DagsterRunStatus.STARTING,
            DagsterRunStatus.QUEUED,
        ],
    )
    records = instance.get_run_records(began, limit=1)
    if not records:
        return 0.0
    return max(0.0, least - (time.time() - records[0].create_timestamp.timestamp()) / 3600)


def _request(instance: dg.DagsterInstance, release: Release, told: str, cursor: str) -> dg.SensorResult:
    tags = {DATASET_TAG: release.digest[:63]}
    failed = len(instance.get_runs(dg.RunsFilter(job_name=retrain_reranker.name, tags=tags, statuses=_FAILED)))
    if failed >= _MOST_ATTEMPTS:
        skip = f"{told}; training on {NAME} v{release.version} has failed {failed} times: mend it, then launch the job"
        return dg.SensorResult(skip_reason=skip, cursor=cursor)
    key = f"{NAME}-{release.digest[:32]}-{failed + 1}"
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key, tags={**tags, "reason": told})], cursor=cursor)
