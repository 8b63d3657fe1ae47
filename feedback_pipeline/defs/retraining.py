"""What starts a training of the reranker: enough that is new, and long enough since the last one."""

import json
import time
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus

from feedback_pipeline.defs.jobs import retrain_reranker
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.finetune.catalog import Release
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker_ratings import HEARD, RELEASED, stored_voices
from feedback_pipeline.reranker_release import NAME
from feedback_pipeline.reranker_training import is_to_be_promoted
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.stages import StageTables

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

    Nothing is remembered but what is stored: what the last training has heard is a table, so a restart neither
    forgets nor trains twice. The run key is the content of the dataset; a run that failed is asked for again, three
    times in all.
    """
    settings, release = feedback.settings, feedback.releases.latest(NAME)
    if release is None:
        return dg.SkipReason("no reranker dataset has been released yet")
    registry = ModelRegistry(settings.storage_root)
    trained = [one for one in registry.models() if one.manifest.get("dataset", {}).get("digest") == release.digest]
    pointer = registry.production_pointer()
    if any(is_to_be_promoted(pointer, model) for model in trained if not model.is_damaged):
        return _request(context.instance, release, "a promotion was decided and not made", context.cursor or "")
    if trained:
        return dg.SkipReason(f"{NAME} v{release.version} has been trained on; nothing is new since")
    new, cursor = _new_triplets(context.cursor, settings)
    told = f"{new} of {settings.retrain_triplets} effective triplets"
    if new < settings.retrain_triplets:
        return dg.SensorResult(skip_reason=told, cursor=cursor)
    if wait := _hours_to_wait(context.instance, settings.retrain_min_hours):
        skip = f"{told}; the last training began less than {settings.retrain_min_hours:g} hours ago, {wait:.1f} to go"
        return dg.SensorResult(skip_reason=skip, cursor=cursor)
    return _request(context.instance, release, told, cursor)


def _new_triplets(cursor: str | None, settings: Settings) -> tuple[int, str]:
    """Return the effective triplets that no training has heard; counted anew only where something changed."""
    tables = StageTables(settings.storage_root)
    described = (tables.describe(stage) for stage in (RELEASED, HEARD))
    state = [stored.digest if stored else None for stored in described]
    known = _read(cursor)
    if known.get("state") != state or not isinstance(known.get("new"), int):
        voices, heard = (stored_voices(settings, stage) for stage in (RELEASED, HEARD))
        keys = heard.keys if heard else None
        new = voices.count(keys, max_user_share=settings.max_user_share) if voices else 0
        known = {"state": state, "new": new}
    return known["new"], json.dumps(known)


def _read(cursor: str | None) -> dict[str, Any]:
    """Return what a cursor says; one that says nothing is as good as none."""
    try:
        known = json.loads(cursor) if cursor else {}
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


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
