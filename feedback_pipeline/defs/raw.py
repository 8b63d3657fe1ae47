"""[raw] The store's days, as they happened: the only assets that read the system of record for content."""

from datetime import date

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.defs.io_manager import with_notes
from feedback_pipeline.defs.metadata import table_metadata
from feedback_pipeline.defs.partitions import DAILY
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.defs.review import policy_decisions
from feedback_pipeline.store import event_days, events_of_day, interaction_days, interactions_of_day
from feedback_pipeline.store.transitions import ECHOES

_COMMON = {
    "partitions_def": DAILY,
    "group_name": "raw",
    "owners": ["team:data-engineering"],
    "code_version": "1",
}


@dg.asset(kinds={"sqlalchemy", "arrow", "parquet"}, deps=[policy_decisions], **_COMMON)
def raw_feedback(context: dg.AssetExecutionContext, feedback: Feedback) -> pa.Table:
    """The day's feedback events: submitted, verified, rejected and so on, in the order they were recorded.

    What the pipeline itself recorded (checked, applied, set aside) is left out: it follows from the rest, and with it
    the same day would read differently after each run.
    """
    day = date.fromisoformat(context.partition_key)
    event_seq = event_days(feedback.store).get(day)
    table = events_of_day(feedback.store, day).filter(~pc.field("event").isin([event.value for event in ECHOES]))
    context.add_output_metadata(table_metadata(table))
    return with_notes(table, event_seq=event_seq)


@dg.asset(kinds={"sqlalchemy", "arrow", "parquet"}, **_COMMON)
def raw_interactions(context: dg.AssetExecutionContext, feedback: Feedback) -> pa.Table:
    """The interactions recorded or rated on the day, with the chunks they retrieved."""
    day = date.fromisoformat(context.partition_key)
    mark = interaction_days(feedback.store).get(day)
    table = interactions_of_day(feedback.store, day)
    context.add_output_metadata(table_metadata(table))
    return with_notes(table, mark=mark)
