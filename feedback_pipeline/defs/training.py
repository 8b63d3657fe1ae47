"""[training] What trainers pull."""

import daft
import dagster as dg

from feedback_pipeline.defs.metadata import column_schema
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.example_index.promotion import still_vouched_for
from feedback_pipeline.finetune.release import ReleasePolicy, publish_release
from feedback_pipeline.finetune.rows import DATASET_ROWS


@dg.asset(
    kinds={"parquet", "huggingface"},
    group_name="training",
    owners=["team:data-engineering"],
    code_version="1",
    pool="releases",
)
def finetune_dataset(feedback: Feedback, deduped_feedback: daft.DataFrame) -> dg.MaterializeResult:
    """Release ``text2sql/vN``: immutable Parquet splits with card and manifest; unchanged input releases nothing.

    What has been withdrawn or rejected since this run read its input is left out.
    """
    settings = feedback.settings
    policy = ReleasePolicy(settings.min_rating, settings.validation_percent, settings.test_percent)
    rows = still_vouched_for(feedback.store, deduped_feedback.to_arrow())
    result = publish_release(feedback.releases, "text2sql", rows, policy)
    if result.release is None:
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, "published": False})
    release = result.release
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(release.rows.values()),
            "dagster/column_schema": column_schema(DATASET_ROWS),
            "version": f"v{release.version}",
            "published": result.published,
            "rows_per_split": dg.MetadataValue.json(release.rows),
            "path": dg.MetadataValue.path(release.path),
            "digest": release.digest,
        },
        data_version=dg.DataVersion(release.digest[:16]),
    )
