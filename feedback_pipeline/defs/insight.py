"""[insight] What became of examples, for people who look after the loop."""

from collections.abc import Set
from typing import Any

import dagster as dg
import pyarrow as pa

from feedback_pipeline.defs.metadata import table_metadata
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.insight import Utilisation, utilisation
from feedback_pipeline.insight.figures import figures
from feedback_pipeline.insight.metrics import measured_examples, metrics_table
from feedback_pipeline.insight.plots.svg import data_uri, svg
from feedback_pipeline.insight.retirement import propose
from feedback_pipeline.store.lookups import batches

DAYS = 90

_PLOTS = ("examples", "by_use", "repeats", "times", "contributors", "lift")
_EVER = {"by_use", "lift"}
_HOUR = 3_600


@dg.asset(
    deps=["example_index", "finetune_dataset"],
    kinds={"sqlalchemy", "parquet"},
    group_name="insight",
    owners=["team:data-engineering"],
    code_version="1",
)
def feedback_metrics(feedback: Feedback) -> dg.Output[pa.Table]:
    """How often each example was used, how answers were judged then, and its lift where chance withheld it.

    It comes after everything that is published. Examples that make answers worse beyond doubt are proposed for
    retirement in the review queue.
    """
    measured = measured_examples(feedback.store)
    table = metrics_table(feedback.store, measured)
    renewal = propose(feedback.store, measured, lambda ids: live_examples(feedback.index, ids))
    numbers = utilisation(feedback.store, days=DAYS)
    metadata = table_metadata(
        table,
        examples_compared=numbers.lift.measured,
        newly_proposed_for_retirement=len(renewal.proposed),
        open_proposals=renewal.open,
        **_in_numbers(numbers),
        **{f"plot_{name}": dg.MetadataValue.md(_picture(numbers, name)) for name in _PLOTS},
    )
    return dg.Output(table, metadata=metadata)


def live_examples(index: IndexCatalog, example_ids: Set[str]) -> Set[str]:
    """Return which of a few examples the live publication holds; none where nothing is published."""
    publication = index.live()
    if publication is None:
        return frozenset()
    rows = index.open_publication(publication)
    found: set[str] = set()
    for some in batches(sorted(example_ids), 500):
        quoted = ", ".join("'" + one.replace("'", "''") + "'" for one in some)
        wanted = rows.search().where(f"example_id IN ({quoted})").select(["example_id"]).limit(len(some))
        found.update(wanted.to_arrow()["example_id"].to_pylist())
    return found


def _in_numbers(numbers: Utilisation) -> dict[str, Any]:
    """Return what Dagster draws over time by itself; what is not known is left out."""
    applied, overall = numbers.times.to_applied.median_s, numbers.lift.overall.lift
    known = {
        "share_of_queries_with_an_example": numbers.examples.share,
        "repeat_mistake_rate": numbers.repeats.share,
        "median_hours_from_submission_to_applied": None if applied is None else applied / _HOUR,
        "contributors": numbers.contributors.users,
        "effective_contributors": numbers.contributors.effective_users,
        "corrections_never_used": numbers.uses.never_used,
        "lift_of_one_example": overall,
    }
    return {name: value for name, value in known.items() if value is not None}


def _picture(numbers: Utilisation, name: str) -> str:
    figure = figures(numbers)[name]
    when = "" if name in _EVER else f" The last {DAYS} days."
    return f"![{figure.title}]({data_uri(svg(figure))})\n\n{figure.description}{when}"
