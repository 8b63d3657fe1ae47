"""The check of recall before each publication: a worse index is not published, and nothing else is in its way."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feedback_pipeline.defs.launch import PROMOTE, run_job
from feedback_pipeline.defs.recall import PROBE_FILE
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.settings import get_settings
from feedback_pipeline.store import register_database
from feedback_pipeline_tests.defs.conftest import DDL
from feedback_pipeline_tests.defs.pipeline import Pipeline, copy_root, correction, pipeline_at
from feedback_pipeline_tests.defs.test_checks import verdicts

NAME = "check recall_of_probes of embedded_feedback"
ASKED = {
    "count(*)": "how many rivers cross",
    "min(name)": "first river by name of",
    "max(name)": "last river by name of",
    "avg(length(name))": "mean length of river names in",
    "group_concat(name)": "all rivers in one line of",
    "count(DISTINCT name)": "number of different rivers in",
}
STATES = ("Ohio", "Texas", "Utah", "Iowa", "Kansas", "Nevada", "Oregon")


@pytest.fixture(scope="session")
def taught_root(tmp_path_factory: pytest.TempPathFactory, exported_root: Path) -> Path:
    """Six templates of seven examples each are live."""
    root = tmp_path_factory.mktemp("taught") / "data"
    with pipeline_at(root, exported_root / "encoders") as pipeline:
        register_database(pipeline.store, "geo", "sqlite", ddl=DDL)
        teach(pipeline, *STATES)
        pipeline.run()
    return root


@pytest.fixture
def taught(taught_root: Path, exported_root: Path, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline_at(copy_root(taught_root, tmp_path / "taught"), exported_root / "encoders") as pipeline:
        yield pipeline


def teach(pipeline: Pipeline, *states: str) -> list[str]:
    items = [
        correction(
            f"{expression} {state}",
            sql=f"SELECT {expression} FROM river WHERE state = '{state}'",
            natural_query=f"{words} {state}",
            user_id=f"user {state}",
        )
        for state in states
        for expression, words in ASKED.items()
    ]
    ids = pipeline.submit(*items)
    pipeline.decide(ids, "verified")
    return ids


def spoil(monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline) -> None:
    """Let all vectors be made anew, at random, under the name of the same model."""
    shutil.rmtree(pipeline.root / "cache")

    # A vector for each time a text is embedded, so that equal texts are not alike either.
    chance = np.random.default_rng(1)

    def at_random(texts: list[str]) -> np.ndarray:
        vectors = chance.standard_normal((len(texts), pipeline.feedback.encoder.dimension))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    monkeypatch.setattr(Feedback, "quick_encoder", lambda _: at_random)


def test_more_examples_of_the_same_kind_are_published(taught: Pipeline) -> None:
    teach(taught, "Maine")

    taught.run()

    passed, said = verdicts("embedded_feedback")["recall_of_probes"]
    assert (passed, said) == (True, "nothing has changed since the last publication")
    assert taught.live().rows == 48


def test_vectors_that_find_less_stop_the_index_and_say_so(taught: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    teach(taught, "Maine")
    spoil(monkeypatch, taught)
    before = taught.live()

    outcome = run_job(PROMOTE, taught.settings)

    assert not outcome.success
    assert list(outcome.failed) == [NAME]
    assert "FEEDBACK_MAX_RECALL_DROP=0.05 allows, so the index is not published" in outcome.failed[NAME]
    assert taught.live() == before


def test_a_drop_that_is_allowed_is_published(taught: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    teach(taught, "Maine")
    spoil(monkeypatch, taught)
    monkeypatch.setenv("FEEDBACK_MAX_RECALL_DROP", "1")
    get_settings.cache_clear()

    taught.run()

    assert taught.live().version == 2


def test_what_people_take_back_leaves_whatever_is_found_without_it(taught: Pipeline) -> None:
    ids = taught.ids()
    gone = [ids[f"key-{expression} {state}"] for expression in ASKED for state in STATES[:5]]
    taught.decide(gone, "rejected")

    taught.run()

    assert taught.live().rows == 12


def test_a_file_of_probes_is_asked_too(taught: Pipeline) -> None:
    rows = [
        {"natural_query": "the number of rivers in Alaska", "sql": "SELECT count(*) FROM river WHERE state = 'Alaska'"},
        {"natural_query": "states", "sql": "SELECT name FROM state"},
    ]
    path = taught.root / PROBE_FILE
    path.parent.mkdir()
    path.write_text("".join(json.dumps({**row, "database_id": "geo"}) + "\n" for row in rows))
    stored = taught.stage("embedded_feedback")
    taught.tables.write("embedded_feedback", changed(stored))

    passed, said = verdicts("embedded_feedback")["recall_of_probes"]

    # 36 made of the examples, and one of the file: no example of the other one's template exists.
    assert passed
    assert said is not None
    assert "of 37 probes" in said


def test_a_broken_file_of_probes_stops_the_index_and_is_named(taught: Pipeline) -> None:
    path = taught.root / PROBE_FILE
    path.parent.mkdir()
    path.write_text('{"natural_query": "?"}\n')

    passed, said = verdicts("embedded_feedback")["recall_of_probes"]

    assert (passed, said) == (False, f"{path}, line 1: needs natural_query, sql and database_id, each a text")


def test_before_the_first_publication_there_is_nothing_to_compare_with(pipeline: Pipeline) -> None:
    register_database(pipeline.store, "geo", "sqlite", ddl=DDL)
    teach(pipeline, "Ohio")

    pipeline.run()

    assert pipeline.live().rows == 6


def test_a_live_index_whose_encoder_is_gone_is_replaced(taught: Pipeline) -> None:
    teach(taught, "Maine")
    (taught.root / "encoders").unlink()

    stored = taught.stage("embedded_feedback")
    taught.tables.write("embedded_feedback", changed(stored))
    passed, said = verdicts("embedded_feedback")["recall_of_probes"]

    assert passed
    assert said is not None
    assert said.startswith("what is live cannot be asked")


def changed(table: pa.Table) -> pa.Table:
    """Return the same examples from another source."""
    column = table.schema.get_field_index("source")
    return table.set_column(column, table.schema.field("source"), pa.array(["other"] * table.num_rows))
