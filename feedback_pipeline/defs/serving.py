"""[serving] What agents retrieve while a user waits."""

import daft
import dagster as dg

from feedback_pipeline.defs.masking import samples_of
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.example_index.promotion import promote


@dg.asset(
    kinds={"lancedb", "onnx"},
    group_name="serving",
    owners=["team:data-engineering"],
    code_version="1",
    pool="example_index",
)
def example_index(feedback: Feedback, embedded_feedback: daft.DataFrame) -> dg.MaterializeResult:
    """LanceDB table of all examples, published by moving the tag ``live``; feedback in it becomes ``applied``."""
    embedded = embedded_feedback.to_arrow()
    result = promote(
        feedback.store,
        feedback.index,
        embedded,
        feedback.encoder,
        samples=samples_of(feedback, embedded),
        vector_index_min_rows=feedback.settings.vector_index_min_rows,
        keep_publications=feedback.settings.keep_publications,
    )
    publication = result.published.publication
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": publication.rows,
            "index_version": publication.version,
            "published": result.published.changed,
            "upserted": result.published.upserted,
            "removed": result.published.removed,
            "newly_applied": result.applied,
            "set_aside": result.set_aside,
            "digest": publication.digest,
        },
        data_version=dg.DataVersion(publication.digest[:16]),
    )
