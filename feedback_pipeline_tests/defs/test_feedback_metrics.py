"""The asset of the night: what it stores and shows, what it proposes, and that publishing does not wait for it."""

import base64
import re
from xml.etree import ElementTree

import dagster as dg
import pytest
from sqlalchemy import func, select

from feedback_pipeline.defs import insight
from feedback_pipeline.defs.launch import NIGHTLY, run_job
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.retrieval.influence import new_retrieval_id
from feedback_pipeline.schemas import FEEDBACK_METRICS
from feedback_pipeline.store import Interaction, record_many
from feedback_pipeline.store.events import utc_now
from feedback_pipeline.store.influence import GivenExample, Retrieval, record_retrievals
from feedback_pipeline.store.models import RetirementProposalRow
from feedback_pipeline_tests.defs.pipeline import Pipeline

PLOTS = {"plot_examples", "plot_by_use", "plot_repeats", "plot_times", "plot_contributors", "plot_lift"}


def answer(pipeline: Pipeline, example_id: str, rating: int, *, withheld: bool) -> None:
    """Let a question be answered with an example, or without it by chance, and be rated."""
    retrieval_id = new_retrieval_id()
    given = [GivenExample(example_id, 1, 0.9, withheld)]
    record_retrievals(pipeline.store, [Retrieval(retrieval_id, "shop", utc_now(), 1, None, given, holdback_rate=0.5)])
    asked = Interaction("text2sql", "q", "SELECT 1", "shop", feedback=rating, retrieval_id=retrieval_id)
    record_many(pipeline.store, [asked])


@pytest.fixture
def harmful(samples: Pipeline) -> dict:
    """A published example that makes every answer bad, and one that has left the index since it did."""
    row = samples.stage("deduped_feedback").to_pylist()[0]
    for _ in range(12):
        for example_id in (row["example_id"], "left the index"):
            answer(samples, example_id, -1, withheld=False)
            answer(samples, example_id, 1, withheld=True)
    return row


def materialised(pipeline: Pipeline) -> dict:
    """Materialise the asset, and return its metadata."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [insight.feedback_metrics, *(dg.AssetSpec(name) for name in ("example_index", "finetune_dataset"))],
            selection=[insight.feedback_metrics],
            resources={"feedback": Feedback(), "io_manager": dg.mem_io_manager},
            instance=instance,
        )
        [event] = result.get_asset_materialization_events()
        return dict(event.materialization.metadata)


def test_the_nightly_run_stores_a_row_per_example_found_and_proposes_what_harms(
    samples: Pipeline, harmful: dict
) -> None:
    samples.run(NIGHTLY)

    table = samples.stage("feedback_metrics")
    [row] = table.to_pylist()
    assert table.schema == FEEDBACK_METRICS
    assert (row["example_id"], row["feedback_ids"]) == (harmful["example_id"], sorted(harmful["feedback_ids"]))
    assert (row["queries"], row["withheld"], row["lift"], row["harmful"]) == (12, 12, -1.0, True)
    with samples.store.read() as session:
        assert list(session.scalars(select(RetirementProposalRow.example_id))) == [harmful["example_id"]]


def test_what_a_reviewer_rejects_leaves_the_index_and_is_proposed_no_more(samples: Pipeline, harmful: dict) -> None:
    materialised(samples)

    samples.decide(harmful["feedback_ids"], "rejected")
    samples.run()
    metadata = materialised(samples)

    assert insight.live_examples(samples.feedback.index, {harmful["example_id"]}) == set()
    assert (metadata["open_proposals"].value, metadata["newly_proposed_for_retirement"].value) == (0, 0)


def test_dagster_shows_plots_and_numbers(samples: Pipeline, harmful: dict) -> None:
    metadata = materialised(samples)

    assert {name for name in metadata if name.startswith("plot_")} == PLOTS
    for name in PLOTS:
        [encoded] = re.findall(r"\(data:image/svg\+xml;base64,([^)]+)\)", str(metadata[name].value))
        root = ElementTree.fromstring(base64.b64decode(encoded))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert metadata["share_of_queries_with_an_example"].value == 0.5
    assert metadata["lift_of_one_example"].value == -1.0
    assert metadata["dagster/row_count"].value == 1


def test_a_night_without_any_judged_answer_gives_an_empty_table(samples: Pipeline) -> None:
    samples.run(NIGHTLY)

    assert samples.stage("feedback_metrics").num_rows == 0


def test_everything_is_published_although_the_metrics_fail(samples: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    before = samples.live().version
    samples.decide([samples.ids()["c001"]], "rejected")

    def broken(*_args: object) -> None:
        raise RuntimeError("the numbers cannot be counted")

    monkeypatch.setattr(insight, "measured_examples", broken)

    outcome = run_job(NIGHTLY, samples.settings)

    assert not outcome.success
    assert samples.live().version == before + 1
    with samples.store.read() as session:
        assert session.scalar(select(func.count()).select_from(RetirementProposalRow)) == 0
