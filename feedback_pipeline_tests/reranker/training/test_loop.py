"""The whole loop on a small scale, with real training: ratings, dataset, candidates, gate, registry, promotion."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_pipeline.reranker import Reranker
from feedback_pipeline.reranker.train import NothingToTrainError
from feedback_pipeline.reranker_ratings import HEARD, RELEASED, stored_voices
from feedback_pipeline.reranker_training import Retrained, retrain
from feedback_pipeline.store import list_models
from feedback_pipeline_tests.reranker.handbook import heading, helpful, query_of, released, thumbs
from feedback_pipeline_tests.reranker.training.deployment import Deployment

pytest.importorskip("datasets", reason="training needs the extra 'train'")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, exported: Path) -> Iterator[tuple[Deployment, Retrained]]:
    """A deployment whose users agree, trained once with a bi-encoder."""
    root = tmp_path_factory.mktemp("trained")
    deployment = Deployment(root, exported, reranker_candidates="bi_encoder,blend")
    yield deployment, deployment.retrained_on(thumbs(120))
    deployment.store.close()


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


def test_a_cross_encoder_is_warmed_up_before_it_learns_from_ratings(tmp_path: Path, exported: Path) -> None:
    deployment = Deployment(tmp_path / "data", exported, reranker_candidates="cross_encoder")
    released(deployment.store, deployment.settings, thumbs(30))
    told: list[tuple[int, int]] = []

    done = retrain(
        deployment.store,
        deployment.settings,
        lambda _what, step, total, loss: told.append((step, total)) if loss else None,
    )

    (warm_up, warm_up_total), (rated, rated_total) = (max(one) for one in _stages(told))
    curve = done.report["loss"]["cross_encoder"]
    assert (warm_up, rated) == (warm_up_total, rated_total)
    assert [step for step, _ in curve][-1] == warm_up_total + rated_total
    with Reranker.open(done.model.version, root=deployment.settings.storage_root) as reranker:
        assert len(reranker.rank(query_of("brass sundial"), [heading("x"), helpful("x"), ""])) == 3
    deployment.store.close()


def _stages(told: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Split steps where they begin anew."""
    starts = [place for place, (step, _) in enumerate(told) if place == 0 or step < told[place - 1][0]]
    return [told[start:end] for start, end in zip(starts, [*starts[1:], len(told)], strict=True)]


def test_the_same_data_is_trained_on_once(trained: tuple[Deployment, Retrained]) -> None:
    deployment, first = trained

    again = retrain(deployment.store, deployment.settings)

    assert not again.is_new
    assert again.model == first.model
    assert deployment.registry.versions() == [first.model.version]


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


def test_what_people_took_back_is_not_promoted_again(tmp_path: Path, exported: Path) -> None:
    deployment = Deployment(tmp_path / "data", exported)
    deployment.retrained_on(thumbs(120))
    deployment.registry.rollback(reason="users complain", by="ann")

    retrain(deployment.store, deployment.settings)

    assert deployment.registry.production() is None
    deployment.store.close()


def test_before_any_release_there_is_nothing_to_train(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path / "data")

    with pytest.raises(NothingToTrainError, match="feedback-pipeline run"):
        retrain(deployment.store, deployment.settings)
    deployment.store.close()
