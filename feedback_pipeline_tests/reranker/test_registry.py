"""The model registry: versions that are whole or not there, and a pointer that moves at once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from feedback_pipeline.finetune.publishing.retention import RETENTION
from feedback_pipeline.reranker.models.model import Model
from feedback_pipeline.reranker.models.promotion import (
    DamagedPointerError,
    NothingToRollBackToError,
    PromotionRefusedError,
)
from feedback_pipeline.reranker.registry import ModelRegistry, UnknownModelError, note_in_store
from feedback_pipeline.reranker.scoring import ModelFolderError, open_scorer
from feedback_pipeline.store import Store, models_trained_on
from feedback_pipeline_tests.finetune.written import revoke, write_release
from feedback_pipeline_tests.reranker.models import DOCUMENTS, PASSAGES, QUERY, WHO, add_model, facts, write_model
from feedback_pipeline_tests.store.running import ROOT, together


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """Versions 1 to 3, none of them in production."""
    for number in (1, 2, 3):
        add_model(tmp_path, tmp_path, f"k{number}")
    return ModelRegistry(str(tmp_path))


def in_production(registry: ModelRegistry) -> int | None:
    model = registry.production()
    return model.version if model else None


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


def test_pruning_keeps_the_newest_and_what_was_in_production(registry: ModelRegistry, tmp_path: Path):
    for version in (1, 2):
        registry.promote(version, **WHO)
    for number in (4, 5, 6):
        add_model(tmp_path, tmp_path, f"k{number}")

    assert registry.prune(2) == [3, 4]
    assert registry.prune(2) == []

    left = [sorted(path.name for path in Path(model.path).iterdir()) for model in registry.models()]
    small = ["README.md", "manifest.json", "plots", "report.md"]
    whole = sorted([*small, "model"])
    assert left == [whole, whole, small, small, whole, whole]
    with pytest.raises(PromotionRefusedError, match=r"weights of reranker v3 were removed \(retention, keep 2\)"):
        registry.promote(3, force=True, **WHO)
    model = registry.rollback(**WHO)
    assert model
    assert model.version == 1


def test_a_model_that_was_just_taken_back_survives_pruning(registry: ModelRegistry, tmp_path: Path):
    registry.promote(1, **WHO)
    registry.promote(2, **WHO)
    registry.rollback(**WHO)

    assert registry.prune(1) == []

    registry.promote(2, **WHO)


def test_pruning_finishes_what_a_crash_has_left(registry: ModelRegistry, tmp_path: Path):
    folder = Path(registry.look_up(1).path)
    shutil.copytree(folder / "model", tmp_path / "left")
    registry.prune(1)
    shutil.copytree(tmp_path / "left", folder / "model")

    assert registry.prune(1) == []

    assert not (folder / "model").exists()


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


def test_two_who_promote_at_once_follow_each_other(registry: ModelRegistry):
    calls = [lambda version=version: registry.promote(version, **WHO) for version in (1, 2, 3, 1, 2, 3)]

    together(*calls)

    pointer = registry.production_pointer()
    assert pointer
    moves = [move.version for move in pointer.history]
    assert set(moves) == {1, 2, 3}
    assert pointer.version == moves[-1]


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


def test_an_object_store_holds_models_too(bucket: str, tmp_path: Path):
    registry = ModelRegistry(bucket)
    models = [add_model(bucket, tmp_path, key) for key in ("k1", "k2", "k2", "k3")]

    registry.promote(1, **WHO)
    registry.promote(3, **WHO)
    registry.rollback(**WHO)

    assert [model.version for model in models] == [1, 2, 2, 3]
    assert in_production(registry) == 1
    assert not list(registry.look_up(3).problems())
    assert registry.prune(1) == [2]
    fs, inner = fsspec.core.url_to_fs(f"{bucket}/models/reranker/v2")
    fs.invalidate_cache()
    assert sorted(path.removeprefix(f"{inner}/") for path in fs.find(inner)) == [
        "README.md",
        "manifest.json",
        "plots/loss.svg",
        "report.md",
    ]
    with fs.open(f"{inner.rsplit('/', 1)[0]}/v3/model/bm25/bm25.json", "wb") as file:
        file.write(b"{}")
    with pytest.raises(PromotionRefusedError, match="v3 is damaged"):
        registry.promote(3, **WHO)


ACTOR = """
import os, resource, signal, sys
from pathlib import Path
from feedback_pipeline.finetune.publishing import staging
from feedback_pipeline.reranker.models import adding, promotion
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.tables import files
from feedback_pipeline.tables.files import StorageError
from feedback_pipeline_tests.reranker.models import WHO, DOCUMENTS, facts

root, work, action, moment, room = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
steps = iter(range(10_000))

def dying(function):
    def call(*arguments, **more):
        # Before and after each step.
        for when in range(2):
            if next(steps) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            if not when:
                done = function(*arguments, **more)
        return done
    return call

os.fsync = dying(os.fsync)
os.replace = dying(os.replace)
Path.replace, Path.rename = dying(Path.replace), dying(Path.rename)
adding.shutil.copyfile = dying(adding.shutil.copyfile)
if room:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
registry = ModelRegistry(root)
try:
    if action == "add":
        registry.add(work, DOCUMENTS, facts("new"))
    else:
        registry.promote(2, reason="test", by="test")
except StorageError as error:
    sys.exit(str(error))
os._exit(0)
"""


def act(root: Path, action: str, *, dies_at: int = -1, room: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ACTOR, str(root), str(root / "work-new"), action, str(dies_at), str(room)]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)


def seen(registry: ModelRegistry) -> list[Model]:
    models = registry.models()
    assert not [problem for model in models for problem in model.problems()]
    return models


def test_killed_at_any_step_of_a_promotion_one_of_the_two_is_in_production(tmp_path: Path):
    moment, ends = 0, []
    while True:
        root = tmp_path / str(moment)
        for key in ("k1", "k2"):
            add_model(root, root, key)
        registry = ModelRegistry(str(root))
        registry.promote(1, **WHO)

        outcome = act(root, "promote", dies_at=moment)

        ends.append(in_production(registry))
        pointer = registry.production_pointer()
        assert pointer
        assert pointer.version == pointer.history[-1].version
        registry.promote(2, **WHO)
        assert in_production(registry) == 2
        if outcome.returncode == 0:
            break
        assert outcome.returncode == -9, outcome.stderr
        moment += 1
    assert ends == sorted(ends)
    assert set(ends) == {1, 2}
    assert moment >= 4


def test_killed_at_any_step_of_adding_the_model_is_whole_or_not_there(tmp_path: Path):
    moment, counts = 0, []
    while True:
        root = tmp_path / str(moment)
        add_model(root, root, "k1")
        registry = ModelRegistry(str(root))
        registry.promote(1, **WHO)
        write_model(root / "work-new")

        outcome = act(root, "add", dies_at=moment)

        counts.append(len(seen(registry)))
        assert in_production(registry) == 1
        assert registry.add(root / "work-new", DOCUMENTS, facts("new")).version == 2
        assert sorted(path.name for path in Path(registry.root).glob("*v*")) == ["v1", "v2"]
        if outcome.returncode == 0:
            break
        assert outcome.returncode == -9, outcome.stderr
        moment += 1
    assert counts == sorted(counts)
    assert set(counts) == {1, 2}
    assert moment >= 8


@pytest.mark.parametrize(("action", "room"), [("add", 10), ("add", 300), ("promote", 100)])
def test_a_full_disk_is_a_clear_error_and_production_is_untouched(tmp_path: Path, action: str, room: int):
    for key in ("k1", "k2"):
        add_model(tmp_path, tmp_path, key)
    registry = ModelRegistry(str(tmp_path))
    registry.promote(1, **WHO)
    write_model(tmp_path / "work-new")

    outcome = act(tmp_path, action, room=room)

    assert outcome.returncode == 1, outcome.stderr
    assert "cannot write" in outcome.stderr
    assert "free space" in outcome.stderr
    assert len(seen(registry)) == 2
    assert in_production(registry) == 1
    assert sorted(path.name for path in Path(registry.root).glob("*v*")) == ["v1", "v2"]


def test_the_manifest_is_canonical_json(tmp_path: Path):
    content = (Path(add_model(tmp_path, tmp_path, "k1").path) / "manifest.json").read_text()

    assert content == json.dumps(json.loads(content), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
