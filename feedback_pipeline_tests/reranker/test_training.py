"""The whole loop on a small scale, with real training: ratings, dataset, candidates, gate, registry, promotion."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.reranker import Reranker
from feedback_pipeline.reranker.candidates.config import TrainingConfig
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker.train import NothingToTrainError
from feedback_pipeline.reranker_ratings import HEARD, RELEASED, stored_voices
from feedback_pipeline.reranker_training import Retrained, config_of, retrain, training_key
from feedback_pipeline.store import list_models, open_store
from feedback_pipeline.store.interactions import Interaction
from feedback_pipeline_tests.reranker.handbook import (
    heading,
    helpful,
    query_of,
    released,
    settings_of,
    thumbs,
)

pytest.importorskip("datasets", reason="training needs the extra 'train'")


class Deployment:
    """A storage root with a store, and the base retriever already exported where another has done it."""

    def __init__(self, root: Path, exported: Path | None = None, **settings: Any):
        self.settings = settings_of(root, **settings)
        self.store = open_store(self.settings)
        if exported:
            shutil.copytree(exported / "training", root / "training")

    def retrained_on(self, interactions: Iterable[Interaction]) -> Retrained:
        released(self.store, self.settings, interactions)
        return retrain(self.store, self.settings)

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.settings.storage_root)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Retrained]]:
    """A deployment whose users agree, trained once with a bi-encoder."""
    root = tmp_path_factory.mktemp("trained")
    deployment = Deployment(root, reranker_candidates="bi_encoder,blend")
    yield deployment, deployment.retrained_on(thumbs(120))
    deployment.store.close()


@pytest.fixture
def exported(trained: tuple[Deployment, Retrained]) -> Path:
    return Path(trained[0].settings.storage_root)


def refusal(root: Path, exported: Path, interactions: Iterable[Interaction], **settings: Any) -> list[str]:
    """Train on something dubious, and return why it was refused; nothing is in production then."""
    deployment = Deployment(root, exported, **settings)
    done = deployment.retrained_on(interactions)
    deployment.store.close()
    assert not done.promoted
    assert deployment.registry.production() is None
    return done.model.reasons


def test_what_users_agree_on_goes_live(trained: tuple[Deployment, Retrained]) -> None:
    deployment, done = trained

    live = deployment.registry.production()

    assert done.promoted
    assert live is not None
    assert live.version == done.model.version
    assert any(reason.startswith("better than base") for reason in done.model.reasons)


def test_the_live_model_prefers_what_users_prefer(trained: tuple[Deployment, Retrained]) -> None:
    topic = "brass sundial"
    passages = [heading(topic), helpful(topic)]

    with Reranker.open(root=trained[0].settings.storage_root) as reranker:
        ranked = reranker.rank(query_of(topic), passages)

    assert [one["corpus_id"] for one in ranked] == [1, 0]


def test_the_report_lies_beside_the_model(trained: tuple[Deployment, Retrained]) -> None:
    folder = Path(trained[1].model.path)

    report = (folder / "report.md").read_text()

    assert report.startswith("# Reranker promoted")
    assert "## Candidates on the validation split" in report
    assert all((folder / name).is_file() for name in ("report.json", "README.md", "plots/gain_over_base.svg"))
    assert (folder / "plots" / "loss_bi_encoder.svg").is_file()
    assert "query" not in (folder / "report.json").read_text().replace("queries", "").replace("query of", "").replace(
        "max_queries", ""
    ).replace("per_query", "")


def test_the_loss_curve_falls(trained: tuple[Deployment, Retrained]) -> None:
    curve = [loss for _, loss in trained[1].report["loss"]["bi_encoder"]]

    assert len(curve) > 3
    assert curve[-1] < curve[0]


def test_the_same_data_is_trained_on_once(trained: tuple[Deployment, Retrained]) -> None:
    deployment, first = trained

    again = retrain(deployment.store, deployment.settings)

    assert not again.is_new
    assert again.model == first.model
    assert deployment.registry.versions() == [first.model.version]


def test_what_people_took_back_is_not_promoted_again(tmp_path: Path, exported: Path) -> None:
    deployment = Deployment(tmp_path / "data", exported)
    deployment.retrained_on(thumbs(120))
    deployment.registry.rollback(reason="users complain", by="ann")

    retrain(deployment.store, deployment.settings)

    assert deployment.registry.production() is None
    deployment.store.close()


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


def test_the_store_knows_what_a_model_was_trained_on(trained: tuple[Deployment, Retrained]) -> None:
    noted = [(model.name, model.dataset, model.version) for model in list_models(trained[0].store)]

    assert noted == [("reranker v1", "reranker", 1)]


def test_what_the_model_has_heard_is_nothing_new(trained: tuple[Deployment, Retrained]) -> None:
    deployment, done = trained
    released, heard = (stored_voices(deployment.settings, stage) for stage in (RELEASED, HEARD))

    assert done.is_new
    assert released is not None
    assert heard is not None
    assert released.count() > 0
    assert released.count(heard.keys) == 0


def test_swapped_thumbs_are_refused(tmp_path: Path, exported: Path) -> None:
    swapped = [one for number, one in enumerate(thumbs(120, swapped=True)) if number // 2 % 5 >= 2]

    reasons = refusal(tmp_path / "data", exported, swapped)

    assert any("the ratings contradict the passages" in reason for reason in reasons)


def test_one_user_alone_is_refused(tmp_path: Path, exported: Path) -> None:
    reasons = refusal(tmp_path / "data", exported, thumbs(120, users=1))

    assert "the ratings are worth those of 1.0 equally busy users" in reasons[0]


def test_few_ratings_are_refused(tmp_path: Path, exported: Path) -> None:
    reasons = refusal(tmp_path / "data", exported, thumbs(25), reranker_min_held_out=30)

    assert "held-out queries with good and bad passages are worth" in reasons[0]


def test_one_user_with_two_puppets_is_refused(tmp_path: Path, exported: Path) -> None:
    flood = [Interaction(**{**vars(one), "user_id": "flooder"}) for one in thumbs(120)]
    puppets = [
        Interaction(**{**vars(one), "client_key": f"p{n}", "user_id": f"p{n}"}) for n, one in enumerate(flood[:2])
    ]

    reasons = refusal(tmp_path / "data", exported, [*flood, *puppets])

    assert "equally busy users; a promotion needs 3" in reasons[0]


def test_ratings_without_a_user_are_those_of_one(tmp_path: Path, exported: Path) -> None:
    reasons = refusal(
        tmp_path / "data", exported, [Interaction(**{**vars(one), "user_id": None}) for one in thumbs(120)]
    )

    assert "worth those of 1.0 equally busy users" in reasons[0]


@pytest.mark.parametrize("thumb", [1, -1])
def test_thumbs_of_one_kind_teach_nothing(tmp_path: Path, exported: Path, thumb: int) -> None:
    deployment = Deployment(tmp_path / "data", exported)

    with pytest.raises(NothingToTrainError, match="good and bad passages"):
        deployment.retrained_on([Interaction(**{**vars(one), "feedback": thumb}) for one in thumbs(30)])

    assert deployment.registry.versions() == []
    deployment.store.close()


def test_before_any_release_there_is_nothing_to_train(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path / "data")

    with pytest.raises(NothingToTrainError, match="feedback-pipeline run"):
        retrain(deployment.store, deployment.settings)
    deployment.store.close()


_TRAIN = """
import sys
from feedback_pipeline.reranker_training import retrain
from feedback_pipeline.store import open_store
from feedback_pipeline_tests.reranker.handbook import settings_of
settings = settings_of(sys.argv[1], reranker_candidates="bi_encoder", reranker_epochs=6)
retrain(open_store(settings), settings, lambda what, done, total, loss: print(what, done, flush=True))
"""


def test_a_killed_training_goes_on_from_its_checkpoint(tmp_path: Path, exported: Path) -> None:
    root = tmp_path / "data"
    deployment = Deployment(root, exported, reranker_candidates="bi_encoder", reranker_epochs=6)
    released(deployment.store, deployment.settings, thumbs(60))
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
