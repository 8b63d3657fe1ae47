"""Trainings that are killed, promotions that never come, work folders cut short, datasets revoked meanwhile."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.reranker.candidates.config import TrainingConfig
from feedback_pipeline.reranker.candidates.cross_encoder import RerankerBaseError
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker_ratings import HEARD, RELEASED, stored_voices
from feedback_pipeline.reranker_training import config_of, retrain, training_key
from feedback_pipeline_tests.reranker.handbook import released, thumbs
from feedback_pipeline_tests.reranker.models import add_model
from feedback_pipeline_tests.reranker.training.deployment import Deployment

pytest.importorskip("datasets", reason="training needs the extra 'train'")


_TRAIN = """
import sys
from feedback_pipeline.reranker_ratings import HEARD, RELEASED, stored_voices
from feedback_pipeline.reranker_training import retrain
from feedback_pipeline.store import open_store
from feedback_pipeline_tests.reranker.handbook import settings_of
settings = settings_of(sys.argv[1], reranker_candidates="bi_encoder", reranker_epochs=6)
retrain(open_store(settings), settings, lambda what, done, total, loss: print(what, done, flush=True))
"""


def test_a_killed_training_goes_on_from_its_checkpoint(tmp_path: Path, exported: Path) -> None:
    root = tmp_path / "data"
    deployment = Deployment(root, exported, reranker_candidates="bi_encoder", reranker_epochs=6)
    released(deployment.store, deployment.settings, thumbs(30))
    _killed_at_a_checkpoint(root)
    assert deployment.registry.versions() == []

    steps: list[int] = []
    done = retrain(
        deployment.store, deployment.settings, lambda _what, step, _total, loss: steps.append(step) if loss else None
    )

    assert done.is_new
    assert steps[0] > 5
    assert len(done.report["loss"]["bi_encoder"]) > len(steps)
    deployment.store.close()


def _killed_at_a_checkpoint(root: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _TRAIN, str(root)], env={**os.environ, "HF_HUB_OFFLINE": "1"})
    try:
        deadline = time.monotonic() + 120
        while not list(root.glob("training/reranker/*/checkpoints/*/checkpoint-*/trainer_state.json")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_a_training_that_failed_has_heard_nothing(tmp_path: Path, exported: Path) -> None:
    deployment = Deployment(
        tmp_path / "data", exported, reranker_candidates="cross_encoder", reranker_base=str(tmp_path)
    )
    released(deployment.store, deployment.settings, thumbs(30))

    with pytest.raises(RerankerBaseError):
        retrain(deployment.store, deployment.settings)

    assert stored_voices(deployment.settings, HEARD) is None
    deployment.store.close()


def test_what_is_released_while_a_training_runs_is_new_to_the_next(tmp_path: Path, exported: Path) -> None:
    deployment = Deployment(tmp_path / "data", exported)
    released(deployment.store, deployment.settings, thumbs(30))

    def meanwhile(what: str, *_: Any) -> None:
        if what == "comparing with production":
            released(deployment.store, deployment.settings, thumbs(50)[60:])

    retrain(deployment.store, deployment.settings, meanwhile)

    voices, heard = (stored_voices(deployment.settings, stage) for stage in (RELEASED, HEARD))
    assert voices is not None
    assert heard is not None
    assert (voices.count(), voices.count(heard.keys)) == (2 * 50, 2 * 20)
    deployment.store.close()


def test_a_damaged_work_folder_is_thrown_away(tmp_path: Path, exported: Path) -> None:
    root = tmp_path / "data"
    deployment = Deployment(root, exported)
    released(deployment.store, deployment.settings, thumbs(60))
    work = root / "training" / "reranker" / training_key(*_what(deployment))[:16]
    work.mkdir()
    (work / "triplets.json").write_text('{"cut sh')
    for model in (root / "training" / "reranker").glob("base-*/onnx/model.onnx"):
        model.write_bytes(model.read_bytes()[:1_000])

    done = retrain(deployment.store, deployment.settings)

    assert done.is_new
    deployment.store.close()


def _what(deployment: Deployment) -> tuple[Release, TrainingConfig]:
    release = ReleaseCatalog(deployment.settings.storage_root).latest("reranker")
    assert release is not None
    return release, config_of(deployment.settings)


def test_a_promotion_that_a_crash_prevented_is_made_up_for(
    tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = Deployment(tmp_path / "data", exported)
    with monkeypatch.context() as patched:
        patched.setattr(ModelRegistry, "promote", _dying)
        with pytest.raises(KeyboardInterrupt):
            deployment.retrained_on(thumbs(120))
    assert deployment.registry.production() is None

    retrain(deployment.store, deployment.settings)

    assert deployment.registry.look_up("production").version == 1
    deployment.store.close()


def _dying(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_what_somebody_promotes_while_the_gate_decides_stays(
    tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = Deployment(tmp_path / "data", exported)
    theirs = add_model(tmp_path / "data", tmp_path, "theirs")
    promote = ModelRegistry.promote

    def outrun(registry: ModelRegistry, version: int, **asked: Any) -> Any:
        promote(registry, theirs.version, reason="we like it", by="ann")
        return promote(registry, version, **asked)

    with monkeypatch.context() as patched:
        patched.setattr(ModelRegistry, "promote", outrun)
        done = deployment.retrained_on(thumbs(120))

    live = deployment.registry.production()
    assert done.promoted
    assert live is not None
    assert live.version == theirs.version
    deployment.store.close()


def test_a_dataset_revoked_meanwhile_becomes_no_model(tmp_path: Path, exported: Path) -> None:
    deployment = Deployment(tmp_path / "data", exported)
    released(deployment.store, deployment.settings, thumbs(120))
    catalog = ReleaseCatalog(deployment.settings.storage_root)

    def revoking(what: str, *_: Any) -> None:
        release = catalog.look_up("reranker@v1")
        if what == "comparing with production" and not release.revoked:
            catalog.write_manifest(release, {**release.manifest, "revoked": {"reason": "erasure", "replaced_by": None}})

    with pytest.raises(LookupError, match="revoked"):
        retrain(deployment.store, deployment.settings, revoking)

    assert deployment.registry.versions() == []
    assert not [path for path in (tmp_path / "data" / "training" / "reranker").iterdir() if _holds_data(path)]
    deployment.store.close()


def _holds_data(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith("base-")
