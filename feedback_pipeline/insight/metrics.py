"""The table of examples: how often each was used, how answers were rated then, and its lift."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa

from feedback_pipeline.insight.lift import Effect, Judged, Measured, measure
from feedback_pipeline.schemas import FEEDBACK_METRICS, require
from feedback_pipeline.store import Store
from feedback_pipeline.store.counting import outcomes, uses
from feedback_pipeline.store.counting.scope import Scope

_EVERYTHING = Scope(datetime.min.replace(tzinfo=UTC))


def measured_examples(store: Store) -> list[Measured]:
    """Return all examples of which any answer was judged, by id. Raises StoreUnavailableError."""
    with store.read() as session:
        return measure(outcomes.outcomes(session, _EVERYTHING))


def metrics_table(store: Store, measured: Sequence[Measured]) -> pa.Table:
    """Return a row per example ever given or withheld (schemas.FEEDBACK_METRICS), by id. Raises StoreUnavailableError.

    ``measured`` is what ``measured_examples`` has found.
    """
    by_id = {one.example_id: one for one in measured}
    with store.read() as session:
        queries, withheld = uses.queries_by_example(session), uses.withheld_by_example(session)
        behind = uses.feedback_behind(session, _EVERYTHING, sorted({*queries, *withheld, *by_id}))
    ids = sorted(behind)
    found = [by_id.get(i) or Measured(i, Judged(), Judged(), Effect()) for i in ids]
    columns = {
        "example_id": ids,
        "database_id": [behind[i][0] for i in ids],
        "feedback_ids": [behind[i][1] for i in ids],
        "queries": [queries[i] for i in ids],
        "withheld": [withheld.get(i, 0) for i in ids],
        **{name: [getattr(one.use, name) for one in found] for name in ("up", "down", "corrected")},
        **{f"withheld_{name}": [getattr(one.withheld, name) for one in found] for name in ("up", "down", "corrected")},
        **{name: [getattr(one.effect, name) for one in found] for name in _COMPARED},
        "lift_low": [one.effect.low for one in found],
        "lift_high": [one.effect.high for one in found],
        "harmful": [one.is_harmful() for one in found],
    }
    table = pa.table([pa.array(columns[field.name], field.type) for field in FEEDBACK_METRICS], schema=FEEDBACK_METRICS)
    return require(table, FEEDBACK_METRICS, "feedback_metrics")


_COMPARED = ("judged_with", "good_with", "judged_without", "good_without", "lift")
