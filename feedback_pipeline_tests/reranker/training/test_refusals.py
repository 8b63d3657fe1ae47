"""Ratings that a promotion must not rest on: swapped, few, of one user, of one kind."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.reranker.train import NothingToTrainError
from feedback_pipeline.store.interactions import Interaction
from feedback_pipeline_tests.reranker.handbook import thumbs
from feedback_pipeline_tests.reranker.training.deployment import Deployment

pytest.importorskip("datasets", reason="training needs the extra 'train'")


def refusal(root: Path, exported: Path, interactions: Iterable[Interaction], **settings: Any) -> list[str]:
    """Train on something dubious, and return why it was refused; nothing is in production then."""
    deployment = Deployment(root, exported, **settings)
    done = deployment.retrained_on(interactions)
    deployment.store.close()
    assert not done.promoted
    assert deployment.registry.production() is None
    return done.model.reasons


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


@pytest.mark.parametrize("thumb", [1, -1])
def test_thumbs_of_one_kind_teach_nothing(tmp_path: Path, exported: Path, thumb: int) -> None:
    deployment = Deployment(tmp_path / "data", exported)

    with pytest.raises(NothingToTrainError, match="good and bad passages"):
        deployment.retrained_on([Interaction(**{**vars(one), "feedback": thumb}) for one in thumbs(30)])

    assert deployment.registry.versions() == []
    deployment.store.close()


def test_ratings_without_a_user_are_those_of_one(tmp_path: Path, exported: Path) -> None:
    reasons = refusal(
        tmp_path / "data", exported, [Interaction(**{**vars(one), "user_id": None}) for one in thumbs(120)]
    )

    assert "worth those of 1.0 equally busy users" in reasons[0]
