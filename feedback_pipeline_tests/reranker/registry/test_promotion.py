"""What is in production, and what may go there: a pointer that moves at once."""

from pathlib import Path

import pytest

from feedback_pipeline.finetune.publishing.retention import RETENTION
from feedback_pipeline.reranker.models.promotion import (
    DamagedPointerError,
    NothingToRollBackToError,
    PromotionRefusedError,
)
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline_tests.finetune.written import revoke, write_release
from feedback_pipeline_tests.reranker.models import WHO, add_model
from feedback_pipeline_tests.reranker.registry.looking import in_production
from feedback_pipeline_tests.store.running import together


def test_promotions_are_taken_back_one_after_the_other(registry: ModelRegistry):
    for version in (1, 3, 2):
        registry.promote(version, **WHO)

    back = [registry.rollback(**WHO) for _ in range(3)]

    assert [model.version if model else None for model in back] == [3, 1, None]
    assert registry.production() is None
    with pytest.raises(NothingToRollBackToError, match="retriever's own order is in production"):
        registry.rollback(**WHO)
    pointer = registry.production_pointer()
    assert pointer
    assert [(move.version, move.action) for move in pointer.history] == [
        (1, "promote"),
        (3, "promote"),
        (2, "promote"),
        (3, "rollback"),
        (1, "rollback"),
        (None, "rollback"),
    ]


def test_after_a_rollback_a_promotion_starts_from_what_is_there(registry: ModelRegistry):
    registry.promote(1, **WHO)
    registry.promote(2, **WHO)
    registry.rollback(**WHO)

    registry.promote(3, **WHO)

    model = registry.rollback(**WHO)
    assert model
    assert model.version == 1


def test_going_back_to_no_model_can_be_taken_back(registry: ModelRegistry):
    registry.promote(1, **WHO)
    registry.promote(2, **WHO)

    assert registry.rollback(to_base=True, **WHO) is None
    assert in_production(registry) is None

    model = registry.rollback(**WHO)
    assert model
    assert model.version == 2


def test_promoting_what_is_in_production_changes_nothing(registry: ModelRegistry):
    registry.promote(1, **WHO)
    before = Path(registry.pointer).read_bytes()

    registry.promote(1, reason="again", by="somebody")

    assert Path(registry.pointer).read_bytes() == before


def test_states_tell_what_became_of_each_model(registry: ModelRegistry, tmp_path: Path):
    add_model(tmp_path, tmp_path, "k4", gate={"promoted": False, "reasons": ["no gain"]})
    registry.promote(1, **WHO)
    registry.promote(2, **WHO)

    assert [registry.state_of(model) for model in registry.models()] == [
        "retired",
        "production",
        "candidate",
        "refused",
    ]


def test_what_the_gate_refused_needs_force_and_says_why(tmp_path: Path):
    add_model(tmp_path, tmp_path, "k1", gate={"promoted": False, "reasons": ["nDCG@10 -0.01", "source a is worse"]})
    registry = ModelRegistry(str(tmp_path))

    with pytest.raises(PromotionRefusedError, match=r"refused reranker v1: nDCG@10 -0.01; source a is worse.*--force"):
        registry.promote(1, **WHO)
    assert in_production(registry) is None

    registry.promote(1, force=True, **WHO)
    assert in_production(registry) == 1


def test_a_damaged_model_is_refused_even_by_force(registry: ModelRegistry):
    registry.promote(1, **WHO)
    path = Path(registry.look_up(2).path) / "model" / "bm25" / "bm25.json"
    path.write_bytes(path.read_bytes().replace(b"9", b"8"))
    (Path(registry.look_up(3).path) / "model" / "model.json").unlink()

    with pytest.raises(PromotionRefusedError, match=r"v2 is damaged: .*bm25.json is not what the manifest says"):
        registry.promote(2, force=True, **WHO)
    with pytest.raises(PromotionRefusedError, match=r"v3 is damaged: .*model.json is missing"):
        registry.promote(3, force=True, **WHO)

    assert in_production(registry) == 1


@pytest.mark.parametrize("manifest", ["{", "[]", "{}", '{"training_key": "x", "candidate": "y", "dataset": 1}'])
def test_a_damaged_manifest_is_a_state_and_stops_nobody(registry: ModelRegistry, tmp_path: Path, manifest: str):
    (Path(registry.look_up(2).path) / "manifest.json").write_text(manifest)

    assert [registry.state_of(model) for model in registry.models()] == ["candidate", "damaged", "candidate"]
    assert add_model(tmp_path, tmp_path, "k4").version == 4
    assert registry.prune(1) == [1, 3]
    with pytest.raises(PromotionRefusedError, match=r"v2 is damaged"):
        registry.promote(2, force=True, **WHO)


@pytest.mark.parametrize("pointer", ["{", "[1]", '{"version": "1"}', '{"version": true}', '{"history": []}'])
def test_a_damaged_pointer_is_named_and_not_written_over(registry: ModelRegistry, pointer: str):
    Path(registry.pointer).write_text(pointer)

    for call in (
        registry.production,
        lambda: registry.promote(1, **WHO),
        lambda: registry.rollback(**WHO),
        lambda: registry.prune(1),
    ):
        with pytest.raises(DamagedPointerError, match=r"production.json is damaged .*restore it from a backup"):
            call()

    assert Path(registry.pointer).read_text() == pointer


def test_a_model_whose_dataset_was_revoked_needs_force(registry: ModelRegistry, tmp_path: Path):
    release = write_release(tmp_path, 1, name="reranker")
    registry.promote(1, **WHO)
    registry.promote(2, **WHO)
    revoke(release, replaced_by=2)

    assert registry.look_up(3).revoked_dataset() == "reranker@v1"
    with pytest.raises(PromotionRefusedError, match=r"v3 was trained on reranker@v1, from which somebody was erased"):
        registry.promote(3, **WHO)
    with pytest.raises(PromotionRefusedError, match=r"v1 was trained on reranker@v1"):
        registry.rollback(**WHO)
    assert in_production(registry) == 2

    assert registry.rollback(force=True, **WHO)
    assert in_production(registry) == 1


def test_a_dataset_that_went_because_of_its_age_is_no_reason(registry: ModelRegistry, tmp_path: Path):
    revoke(write_release(tmp_path, 1, name="reranker"), reason="retention, keep 1", replaced_by=2, kind=RETENTION)

    assert registry.look_up(1).revoked_dataset() is None
    registry.promote(1, **WHO)


def test_two_who_promote_at_once_follow_each_other(registry: ModelRegistry):
    calls = [lambda version=version: registry.promote(version, **WHO) for version in (1, 2, 3, 1, 2, 3)]

    together(*calls)

    pointer = registry.production_pointer()
    assert pointer
    moves = [move.version for move in pointer.history]
    assert set(moves) == {1, 2, 3}
    assert pointer.version == moves[-1]
