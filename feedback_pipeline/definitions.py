"""Dagster's entry: loads ``defs/``, binds resources, nothing else."""

import dagster as dg

from feedback_pipeline.defs import curation, erasure, insight, raw, reranker, review, serving, training
from feedback_pipeline.defs.checks import ALL_CHECKS
from feedback_pipeline.defs.console import concise_console
from feedback_pipeline.defs.io_manager import StageTableIOManager
from feedback_pipeline.defs.jobs import JOBS
from feedback_pipeline.defs.quality import QUALITY_CHECKS
from feedback_pipeline.defs.recall import recall_of_probes
from feedback_pipeline.defs.release_notice import push_to_hub
from feedback_pipeline.defs.reranker_checks import RERANKER_CHECKS
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.defs.schedules import nightly_schedule
from feedback_pipeline.defs.sensors import SENSORS

_feedback = Feedback()

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([review, raw, curation, serving, training, reranker, insight, erasure]),
    asset_checks=[*ALL_CHECKS, recall_of_probes, *QUALITY_CHECKS, *RERANKER_CHECKS],
    jobs=[*JOBS, push_to_hub],
    schedules=[nightly_schedule],
    sensors=SENSORS,
    resources={"feedback": _feedback, "io_manager": StageTableIOManager(feedback=_feedback)},
    executor=dg.in_process_executor,
    loggers={"console": concise_console},
)
