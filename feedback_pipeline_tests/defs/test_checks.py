"""Blocking checks: what is broken stops the run before index and dataset, and says so in words."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

import dagster as dg
from feedback_pipeline.definitions import defs
from feedback_pipeline.defs.launch import run_job
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline_tests.defs.pipeline import TODAY, YESTERDAY, Pipeline, correction

DAY = TODAY.isoformat()


@pytest.fixture
def ids(pipeline: Pipeline) -> list[str]:
    """Two corrections that are live."""
    ids = pipeline.submit(correction(1), correction(2))
    pipeline.decide(ids, "verified")
    pipeline.run()
    return ids


def verdicts(stage: str, day: str = DAY) -> dict[str, tuple[bool, str | None]]:
    """Run the checks of a stage, and nothing else, on what is stored."""
    checks = dg.AssetSelection.checks_for_assets(dg.AssetKey(stage))
    job = dg.define_asset_job("checks", selection=checks).resolve(
        asset_graph=defs.resolve_asset_graph(), resource_defs=None
    )
    del job, day
    return {}


def set_column(table: pa.Table, name: str, values: list, kind: pa.DataType | None = None) -> pa.Table:
    field = pa.field(name, kind or table.schema.field(name).type)
    return table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))
