"""[training] What trainers pull."""

from datetime import timedelta

import dagster as dg

from feedback_pipeline.dataset_release import release_text2sql
from feedback_pipeline.defs.release_metadata import release_metadata
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.finetune.content.configs import RENDERING_VERSION

_EVERY_NIGHT = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=49), warn_window=timedelta(hours=25))
"""The nightly run looks at the dataset also where it has nothing new to publish: a run that was missed is a warning,
two are a failure."""


@dg.asset(
    deps=["deduped_feedback", "verified_feedback", "raw_interactions"],
    kinds={"parquet", "huggingface"},
    group_name="training",
    owners=["team:data-engineering"],
    code_version=f"2.{RENDERING_VERSION}",
    pool="releases",
    freshness_policy=_EVERY_NIGHT,
)
def finetune_dataset(context: dg.AssetExecutionContext, feedback: Feedback) -> dg.MaterializeResult:
    """Release ``text2sql/vN``: immutable Parquet in the formats trainers read; unchanged input releases nothing.

    What has been withdrawn or rejected since its input was stored is left out.
    """

    def report(what: str, done: int, total: int) -> None:
        context.log.info(f"{what}: {done:,} of {total:,} rows")

    result = release_text2sql(feedback.store, feedback.settings, report)
    if result.release is None:
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, "published": False})
    metadata = release_metadata(feedback.releases, result)
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(result.release.digest[:16]))
