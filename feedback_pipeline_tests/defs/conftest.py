"""A pipeline that has learned something, made once and copied for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_pipeline.store import register_database
from feedback_pipeline_tests.defs.pipeline import Pipeline, copy_root, correction, pipeline_at

DDL = "CREATE TABLE river (name TEXT, state TEXT); CREATE TABLE state (name TEXT);"


@pytest.fixture(scope="session")
def learned_root(tmp_path_factory: pytest.TempPathFactory, exported_root: Path) -> Path:
    """Three corrections of the database ``geo``: the first two live, the third pending."""
    root = tmp_path_factory.mktemp("learned") / "data"
    with pipeline_at(root, exported_root / "encoders") as pipeline:
        register_database(pipeline.store, "geo", "sqlite", ddl=DDL)
        ids = pipeline.submit(*(correction(number) for number in (1, 2, 3)))
        pipeline.decide(ids[:2], "verified")
        pipeline.run()
    return root


@pytest.fixture
def learned(learned_root: Path, exported_root: Path, tmp_path: Path) -> Iterator[Pipeline]:
    """A copy of ``learned_root`` of the test's own."""
    with pipeline_at(copy_root(learned_root, tmp_path / "learned"), exported_root / "encoders") as pipeline:
        yield pipeline


@pytest.fixture
def ids(learned: Pipeline) -> list[str]:
    """The ids of the three corrections."""
    by_key = learned.ids()
    return [by_key[f"key-{number}"] for number in (1, 2, 3)]
