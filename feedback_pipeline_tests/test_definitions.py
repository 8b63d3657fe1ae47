"""Dagster's entry: light, complete, and everything switched on."""

import resource
import subprocess
import sys

import dagster as dg
import pytest

from feedback_pipeline.definitions import defs
from feedback_pipeline_tests.store.running import ROOT

HEAVY = ("torch", "sentence_transformers", "lancedb", "onnxruntime", "transformers")
DAILY = {"raw_feedback", "raw_interactions", "checked_feedback"}
ON_DEMAND = {"erasure_receipt"}
GROUPS = {
    "policy_decisions": "review",
    "raw_feedback": "raw",
    "raw_interactions": "raw",
    "checked_feedback": "curation",
    "verified_feedback": "curation",
    "deduped_feedback": "curation",
    "embedded_feedback": "curation",
    "example_index": "serving",
    "finetune_dataset": "training",
    "reranker_triplets": "training",
    "reranker_dataset": "training",
    "reranker_model": "training",
    "feedback_metrics": "insight",
    "erasure_receipt": "insight",
}
UNCHECKED = {"policy_decisions", "erasure_receipt", "reranker_model"}
"""What a gate of its own lets through, the reranker's model among it."""
FOR_THE_NIGHT = {"raw_interactions", "feedback_metrics", "reranker_triplets", "reranker_dataset"}
WARNING = {"redacted_share", "unexecutable_share", "rejected_share", "user_concentration", "conflict_share"}
SPECS = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def load() -> float:
    """Load the definitions in a process of their own; return its processor time."""
    code = f"import sys, feedback_pipeline.definitions\nsys.exit(' '.join(set({HEAVY!r}) & set(sys.modules)) or 0)"
    command = [sys.executable, "-W", "error::DeprecationWarning:feedback_pipeline", "-c", code]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_loading_is_quick_and_loads_nothing_heavy() -> None:
    # Processor time: a busy machine must not fail this.
    assert any(load() < 4 for _ in range(3))


@pytest.mark.parametrize("name", GROUPS)
def test_every_asset_says_what_it_is_and_whose(name: str) -> None:
    spec = SPECS[name]

    assert spec.description
    assert spec.owners == ["team:data-engineering"]
    assert spec.kinds
    assert spec.code_version
    assert spec.group_name == GROUPS[name]
    assert isinstance(spec.partitions_def, dg.DailyPartitionsDefinition) is (name in DAILY)


def test_there_are_no_other_assets() -> None:
    assert set(SPECS) == set(GROUPS)


def test_every_stored_stage_is_checked_and_what_finds_harm_blocks() -> None:
    checks = [spec for part in defs.asset_checks or [] for spec in part.check_specs]  # pyright: ignore[reportAttributeAccessIssue]

    assert {spec.name for spec in checks if not spec.blocking} == WARNING
    assert {spec.asset_key.to_user_string() for spec in checks} == set(GROUPS) - UNCHECKED


def test_only_one_writer_at_a_time_has_the_index_and_the_releases() -> None:
    pools = {
        name: node.pools
        for name in ("example_index", "finetune_dataset", "reranker_dataset", "reranker_model")
        for node in [defs.resolve_assets_def(dg.AssetKey(name)).node_def]
    }

    assert pools == {
        "example_index": {"example_index"},
        "finetune_dataset": {"releases"},
        "reranker_dataset": {"releases"},
        "reranker_model": {"reranker_training"},
    }


def test_jobs_cover_what_they_promise() -> None:
    selected = {
        name: {key.to_user_string() for key in defs.resolve_job_def(name).asset_layer.selected_asset_keys}
        for name in ("nightly_aggregation", "promote_verified", "retrain_reranker")
    }

    assert selected["nightly_aggregation"] == set(GROUPS) - ON_DEMAND - {"reranker_model"}
    assert selected["promote_verified"] == set(GROUPS) - ON_DEMAND - {"reranker_model"} - FOR_THE_NIGHT
    assert selected["retrain_reranker"] == {"reranker_model"}


def test_schedule_and_sensors_start_switched_on() -> None:
    schedule = defs.resolve_schedule_def("nightly_schedule")
    names = (
        *("verified_feedback_sensor", "schema_drift_sensor", "rebuild_after_erasure", "run_failure_alert"),
        "retrain_reranker_sensor",
    )
    sensors = [defs.resolve_sensor_def(name) for name in names]

    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "UTC")
    assert [sensor.default_status for sensor in sensors] == [dg.DefaultSensorStatus.RUNNING] * 5
    assert sensors[0].minimum_interval_seconds == 20
