"""[curation] From what users said to what may be taught: checked → verified → deduped → embedded."""

from datetime import date

import daft
import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.checking import check_and_record, checker_from
from feedback_pipeline.curation.cleaning import CLEANING_VERSION
from feedback_pipeline.curation.deduplication import deduplicate
from feedback_pipeline.curation.embedding import embed
from feedback_pipeline.curation.sql import ANALYSIS_VERSION
from feedback_pipeline.curation.verification import fold_verified
from feedback_pipeline.defs.column_lineage import column_lineage
from feedback_pipeline.defs.io_manager import with_notes
from feedback_pipeline.defs.masking import masked_examples
from feedback_pipeline.defs.metadata import table_metadata
from feedback_pipeline.defs.partitions import DAILY
from feedback_pipeline.defs.raw import raw_feedback
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.masking.examples import MASKING_VERSION
from feedback_pipeline.store import checked_days, submissions_of_day

_COMMON = {"group_name": "curation", "owners": ["team:data-engineering"]}


@dg.asset(
    kinds={"sqlglot", "daft", "parquet"},
    deps=[raw_feedback],
    partitions_def=DAILY,
    code_version=f"{ANALYSIS_VERSION}.{CLEANING_VERSION}",
    **_COMMON,
)
def checked_feedback(context: dg.AssetExecutionContext, feedback: Feedback) -> pa.Table:
    """Automatic checks of each correction submitted on the day, with evidence; the store keeps the evidence too."""
    day = date.fromisoformat(context.partition_key)
    submissions = submissions_of_day(feedback.store, day)
    checker = checker_from(feedback.store, feedback.settings)
    table = check_and_record(feedback.store, submissions, checker)
    failed = table.filter(~pc.field("passed"))["failed_check"].value_counts().to_pylist()
    failures = {item["values"]: item["counts"] for item in failed}
    context.add_output_metadata(table_metadata(table, failed_checks=dg.MetadataValue.json(failures)))
    return with_notes(table, checked_seq=checked_days(feedback.store).get(day))


@dg.asset(kinds={"daft", "parquet"}, code_version="2", **_COMMON)
def verified_feedback(
    context: dg.AssetExecutionContext,
    feedback: Feedback,
    raw_feedback: daft.DataFrame,
    checked_feedback: daft.DataFrame,
) -> pa.Table:
    """Corrections whose last word is "verified", that pass the checks and the rating threshold."""
    result = fold_verified(raw_feedback, checked_feedback, min_rating=feedback.settings.min_rating)
    feedback.tables.write("verified_feedback_dropped", result.dropped)
    context.add_output_metadata(table_metadata(result.kept, result.dropped, **column_lineage("verified_feedback")))
    return result.kept


@dg.asset(kinds={"daft", "parquet"}, code_version="3", **_COMMON)
def deduped_feedback(
    context: dg.AssetExecutionContext, feedback: Feedback, verified_feedback: daft.DataFrame
) -> pa.Table:
    """One row per distinct question and answer, with weight and cluster; conflicting answers are set aside."""
    settings = feedback.settings
    result = deduplicate(
        verified_feedback,
        max_user_share=settings.max_user_share,
        across_databases=settings.group_across_databases,
    )
    feedback.tables.write("deduped_feedback_dropped", result.dropped)
    clusters = len(result.kept["cluster_id"].unique())
    users = {
        "user_shares": dg.MetadataValue.json(result.users.report()),
        "largest_user_share": result.users.largest_after,
        "largest_user_share_unscaled": result.users.largest_before,
    }
    lineage = column_lineage("deduped_feedback")
    context.add_output_metadata(table_metadata(result.kept, result.dropped, clusters=clusters, **users, **lineage))
    return result.kept


@dg.asset(kinds={"sentence-transformers", "daft", "parquet"}, code_version=f"2.{MASKING_VERSION}", **_COMMON)
def embedded_feedback(
    context: dg.AssetExecutionContext, feedback: Feedback, deduped_feedback: daft.DataFrame
) -> pa.Table:
    """Distinct examples, their questions masked, with the vectors of both; only texts never seen are embedded."""

    def report(done: int, total: int) -> None:
        context.log.info(f"embedded {done:,} of {total:,} new texts")

    masked = masked_examples(feedback, deduped_feedback.to_arrow())
    cache, quick = feedback.embedding_cache, feedback.quick_encoder
    result = embed(masked.table, feedback.encoder, cache, report, quick)
    counts = {"embedded_now": result.new_texts, "from_cache": result.cached_texts, "masked_now": masked.masked_now}
    model = {"model": feedback.settings.embedding_model, "model_fingerprint": feedback.encoder.fingerprint}
    context.add_output_metadata(table_metadata(result.table, **counts, **model))
    return with_notes(result.table, masking=masked.keys)
