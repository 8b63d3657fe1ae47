"""Where things stand, read from what is stored."""

import json
from pathlib import Path

import pytest

from feedback_pipeline.overview import overview, published
from feedback_pipeline_tests.defs.pipeline import Pipeline
from feedback_pipeline_tests.store.samples import settings_at

STAGES = ["raw_feedback", "checked_feedback", "verified_feedback", "deduped_feedback", "embedded_feedback"]


def test_nothing_stored_is_all_zeros(tmp_path: Path) -> None:
    state = overview(settings_at(tmp_path))

    assert [(stage.stage, stage.rows, stage.dropped) for stage in state.stages] == [
        (name, 0, {}) for name in [*STAGES, "example_index"]
    ]
    assert (state.index, state.releases) == (None, [])
    assert published(settings_at(tmp_path)) == (None,)


def test_rows_and_reasons_per_stage(samples: Pipeline) -> None:
    stages = {stage.stage: stage for stage in overview(samples.settings).stages}

    assert [stages[name].rows for name in STAGES] == [404, 396, 391, 360, 360]
    assert stages["checked_feedback"].dropped == {"names_resolve": 4, "parses": 2, "read_only": 2}
    assert stages["verified_feedback"].dropped == {"pending": 8, "rating below 4": 5}
    assert stages["deduped_feedback"].dropped == {"duplicate": 29, "conflict": 2}
    assert stages["example_index"].remark == "live version 1"
    assert stages["finetune_dataset"].remark.startswith("text2sql v1: ")


def test_reasons_are_ordered_by_how_often_they_apply(samples: Pipeline) -> None:
    for stage in overview(samples.settings).stages:
        assert list(stage.dropped.values()) == sorted(stage.dropped.values(), reverse=True)


def test_what_is_published_changes_with_a_new_version(samples: Pipeline) -> None:
    before = published(samples.settings)
    samples.decide([samples.ids()["c001"]], "rejected")
    samples.run()

    assert published(samples.settings) != before


@pytest.mark.parametrize("empty", [True, False])
def test_it_is_plain_json(sample_root: Path, tmp_path: Path, empty: bool) -> None:
    document = overview(settings_at(tmp_path if empty else sample_root)).as_dict()

    assert json.loads(json.dumps(document)) == document
    assert set(document) == {"stages", "index", "releases"}
