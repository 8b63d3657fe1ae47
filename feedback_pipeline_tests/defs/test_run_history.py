"""Which runs quote a user, in a Dagster of its own: real runs with real events."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from feedback_pipeline.defs.metadata import table_metadata
from feedback_pipeline.defs.run_history import RunHistoryPlace
from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.store import UserTexts
from feedback_pipeline.tables.stages import StageTables

OWN = "0190a1b2-0000-7000-8000-000000000001"
OTHERS = "0190a1b2-0000-7000-8000-000000000002"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance


def subject(*texts: str, ids: tuple[str, ...] = (OWN,), numbers: tuple[int, ...] = ()) -> Subject:
    words = frozenset(texts)
    return Subject("hash", frozenset(ids), frozenset(numbers), frozenset(), UserTexts(words, words), str)


def run_with(instance: dg.DagsterInstance, metadata: dict[str, Any], problem: str = "", said: str = "") -> str:
    @dg.asset(name="verified_feedback")
    def stage(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        if said:
            context.log.info(said)
        if problem:
            raise ValueError(problem)
        return dg.MaterializeResult(metadata=metadata)

    return dg.materialize([stage], instance=instance, raise_on_error=False).run_id


def table_of(feedback_id: str = OTHERS, **columns: Any) -> dict[str, Any]:
    row = {"feedback_id": feedback_id, "status": "verified", "failed_check": "verified", **columns}
    return table_metadata(pa.table({name: [value] for name, value in row.items()}))


def place(instance: dg.DagsterInstance, tmp_path: Path, **more: Any) -> RunHistoryPlace:
    return RunHistoryPlace(instance, StageTables(str(tmp_path / "data")), **more)


@pytest.mark.parametrize(
    ("metadata", "more"),
    [
        (table_of(OWN), {}),
        (table_of(safe_question="of zoe"), {}),
        (table_of(safe_question="which rivers | cross the longest country " + "x" * 40), {}),
        (table_of(interaction_id=7), {}),
        ({"sampled": dg.MetadataValue.json({OWN: 1})}, {}),
        ({}, {"problem": "cannot cast 'rivers of zanzibar'"}),
        ({}, {"said": "looked at rivers of zanzibar"}),
    ],
)
def test_a_run_that_quotes_the_user_goes(
    instance: dg.DagsterInstance, tmp_path: Path, metadata: dict[str, Any], more: dict[str, str]
) -> None:
    run_with(instance, table_of())
    quoting = run_with(instance, metadata, **more)
    long = "which rivers | cross the longest country " + "x" * 40
    zoe = subject("of zoe", "rivers of zanzibar", long, numbers=(7,))
    history = place(instance, tmp_path)
    assert history.find(zoe) == {"runs": 1}

    assert history.remove(zoe)["runs"] == 1

    assert not instance.has_run(quoting)
    assert history.leftovers(zoe) == 0
    assert len(instance.get_runs()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "verified",
        "verified_feedback",
        "None",
        "7",
        "feedback",
        "Started execution of step",
        "failed_check",
        "rivers of zanz",
    ],
)
def test_words_of_dagster_and_of_ours_are_no_quotes(instance: dg.DagsterInstance, tmp_path: Path, text: str) -> None:
    run_with(instance, table_of(safe_question=None, weight=7, interaction_id=8))
    run_with(instance, {}, problem="verified_feedback: rivers of zanzibar")

    history = place(instance, tmp_path)

    assert history.find(subject(text, numbers=(7,))) == {}
    assert history.leftovers(subject(text, numbers=(7,))) == 0


def test_what_was_reported_anew_is_no_remain(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    tables = StageTables(str(tmp_path / "data"))
    tables.write("verified_feedback", pa.table({"feedback_id": [OTHERS]}))
    run_with(instance, table_of(OWN))
    history = RunHistoryPlace(instance, tables)

    history.remove(subject("The table as it is stored"))

    event = instance.get_latest_materialization_event(dg.AssetKey("verified_feedback"))
    assert event is not None
    assert event.run_id == ""
    assert history.leftovers(subject("The table as it is stored")) == 0


def test_a_clean_run_is_searched_once_for_the_same_and_again_for_more(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    run_with(instance, table_of(OTHERS))
    history = place(instance, tmp_path)
    assert history.find(subject()) == {}

    assert history.leftovers(subject(ids=())) == 0
    assert history.find(subject(ids=(OWN, OTHERS))) == {"runs": 1}
