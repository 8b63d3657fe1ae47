"""What masking needs to know from outside: schemas and values of databases, and what was masked the last time."""

import pyarrow as pa

from feedback_pipeline.checking import checker_from
from feedback_pipeline.curation.sql import Columns
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.masking.examples import Earlier, MaskingResult, mask_examples
from feedback_pipeline.schemas import EXAMPLES, MASKED_FEEDBACK
from feedback_pipeline.value_samples import samples_for

_STAGE = "embedded_feedback"


def masked_examples(feedback: Feedback, rows: pa.Table) -> MaskingResult:
    """Mask the questions of ``rows`` (schemas.DEDUPED_FEEDBACK); what has not changed since the last time is reused."""
    checker = checker_from(feedback.store, feedback.settings)

    def schema_of(database_id: str) -> tuple[str, Columns | None]:
        facts = checker.facts(database_id)
        return facts.dialect, facts.columns

    return mask_examples(rows.select(EXAMPLES.names), schema_of, samples_of(feedback, rows), _earlier(feedback))


def samples_of(feedback: Feedback, rows: pa.Table) -> dict[str, list[tuple[str, str]]]:
    """Return the values sampled from the databases that ``rows`` are about."""
    return samples_for(feedback.store, feedback.settings, rows["database_id"].unique().to_pylist())


def _earlier(feedback: Feedback) -> Earlier | None:
    stored = feedback.tables.describe(_STAGE)
    table = feedback.tables.read_partition(_STAGE) if stored else None
    if stored is None or table is None or not set(MASKED_FEEDBACK.names) <= set(table.column_names):
        return None
    return Earlier(
        table.select(["example_id", "database_id", "sql", "masked_query", "values"]), stored.notes.get("masking", {})
    )
