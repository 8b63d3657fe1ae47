"""Adding models: versions that are whole or not there, and are found again."""

import json
import shutil
from pathlib import Path

import pytest

from feedback_pipeline.reranker.registry import ModelRegistry, UnknownModelError, note_in_store
from feedback_pipeline.reranker.scoring import ModelFolderError, open_scorer
from feedback_pipeline.store import Store, models_trained_on
from feedback_pipeline_tests.reranker.models import DOCUMENTS, PASSAGES, QUERY, WHO, add_model, facts, write_model
from feedback_pipeline_tests.store.running import together


def test_a_model_is_added_with_all_that_belongs_to_it(tmp_path: Path):
    model = add_model(tmp_path, tmp_path, "k1")

    registry = ModelRegistry(str(tmp_path))
    assert (model.version, model.name, model.dataset) == (1, "reranker v1", "reranker@v1")
    assert registry.models() == [model]
    assert [file["path"] for file in model.manifest["files"]] == [
        "README.md",
        "model/bm25/bm25.json",
        "model/model.json",
        "plots/loss.svg",
        "report.md",
    ]
    assert not list(model.problems())
    assert open_scorer(Path(model.path) / "model").score(QUERY, PASSAGES).argmax() == 1
    assert {"code_version", "git_revision", "parent", "added_at", "metrics"} <= model.manifest.keys()
    assert registry.state_of(model) == "candidate"
    assert registry.production() is None


def test_the_same_training_is_added_once(tmp_path: Path):
    first = add_model(tmp_path, tmp_path, "k1")

    again = add_model(tmp_path, tmp_path, "k1", rare="shop")

    assert again == first
    assert ModelRegistry(str(tmp_path)).versions() == [1]


def test_a_model_knows_which_one_was_in_production_when_it_was_made(registry: ModelRegistry, tmp_path: Path):
    registry.promote(2, **WHO)

    assert add_model(tmp_path, tmp_path, "k4").manifest["parent"] == 2


def test_what_cannot_be_served_is_not_added(tmp_path: Path):
    folder = write_model(tmp_path / "work")
    (folder / "bm25" / "bm25.json").unlink()

    with pytest.raises(ModelFolderError, match=r"bm25.json not found"):
        ModelRegistry(str(tmp_path)).add(folder, DOCUMENTS, facts("k1"))
    with pytest.raises(ValueError, match="must name training_key"):
        ModelRegistry(str(tmp_path)).add(folder, DOCUMENTS, {"candidate": "x", "dataset": {}, "gate": {}})

    assert ModelRegistry(str(tmp_path)).versions() == []


@pytest.mark.parametrize(("reference", "version"), [(2, 2), ("2", 2), ("v2", 2), ("latest", 3), ("production", 1)])
def test_models_are_looked_up(registry: ModelRegistry, reference: str | int, version: int):
    registry.promote(1, **WHO)

    assert registry.look_up(reference).version == version


@pytest.mark.parametrize("reference", ["v9", "x", "", "production"])
def test_an_unknown_model_is_an_error_that_tells_what_there_is(registry: ModelRegistry, reference: str):
    with pytest.raises(UnknownModelError, match="there are v1, v2, v3"):
        registry.look_up(reference)


def test_a_number_is_never_used_twice(registry: ModelRegistry, tmp_path: Path):
    registry.promote(3, **WHO)
    shutil.rmtree(registry.look_up(3).path)

    assert add_model(tmp_path, tmp_path, "k9").version == 4
    with pytest.raises(UnknownModelError, match="no reranker model '3'"):
        registry.production()


def test_a_root_may_have_any_name(tmp_path: Path):
    root = tmp_path / "data [old] *"

    assert [add_model(root, tmp_path, key).version for key in ("k1", "k2")] == [1, 2]
    assert ModelRegistry(str(root)).promote(2, **WHO).version == 2


def test_models_that_are_added_at_once_have_versions_of_their_own(tmp_path: Path):
    calls = [lambda key=key: add_model(tmp_path, tmp_path, key) for key in ("a", "b", "c", "a2", "b2")]

    models = together(*calls)

    assert sorted(model.version for model in models) == [1, 2, 3, 4, 5]
    assert not [problem for model in models for problem in model.problems()]


def test_the_store_knows_what_a_model_was_trained_on(registry: ModelRegistry, store: Store):
    for _ in range(2):
        note_in_store(store, registry.look_up(2))

    (noted,) = models_trained_on(store, [("reranker", 1)])
    assert (noted.name, noted.note) == ("reranker v2", f"in {registry.look_up(2).path}")


def test_the_manifest_is_canonical_json(tmp_path: Path):
    content = (Path(add_model(tmp_path, tmp_path, "k1").path) / "manifest.json").read_text()

    assert content == json.dumps(json.loads(content), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
