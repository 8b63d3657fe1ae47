"""The sensor that asks for a training: when enough is new, once for each dataset, and never too often."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from feedback_pipeline.defs.resources import Feedback, _opened
from feedback_pipeline.defs.retraining import DATASET_TAG, retrain_reranker_sensor
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker_ratings import RELEASED, note_heard, stored_voices
from feedback_pipeline.settings import get_settings
from feedback_pipeline_tests.reranker.handbook import released, thumbs
from feedback_pipeline_tests.reranker.models import facts, write_model

Rate = Callable[..., None]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("FEEDBACK_STORAGE_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("FEEDBACK_RETRAIN_TRIPLETS", "60")
    get_settings.cache_clear()
    _opened.cache_clear()
    yield tmp_path / "data"
    _opened.cache_clear()
    get_settings.cache_clear()


@pytest.fixture
def rate(root: Path) -> Rate:
    """Have users rate the answers about so many topics, and bring them into a dataset."""

    def rated(count: int, users: int = 7) -> None:
        released(Feedback().store, get_settings(), thumbs(count, users=users))

    return rated


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def asked(instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(instance, cursor=cursor) as context:
        answer = retrain_reranker_sensor(context, feedback=Feedback())
    assert isinstance(answer, dg.SensorResult | dg.SkipReason)
    return answer


def words(answer: dg.SensorResult | dg.SkipReason) -> str:
    reason = answer if isinstance(answer, dg.SkipReason) else answer.skip_reason
    return str(reason.skip_message) if reason else ""


def request(answer: dg.SensorResult | dg.SkipReason) -> dg.RunRequest:
    assert isinstance(answer, dg.SensorResult)
    assert answer.run_requests, words(answer)
    (only,) = answer.run_requests
    return only


def ran(instance: dg.DagsterInstance, tags: dict[str, str], status: DagsterRunStatus) -> None:
    """Note a run of the job that ended so."""
    run = dg.DagsterRun(job_name="retrain_reranker", tags=tags, status=status)
    instance.add_run(run)


def train_on_all(root: Path, **more: Any) -> None:
    """Put a model into the registry that has heard everything so far."""
    release = ReleaseCatalog(str(root)).latest("reranker")
    assert release is not None
    dataset = {"name": "reranker", "version": release.version, "digest": release.digest}
    refused = facts(release.digest, dataset=dataset, gate={"promoted": False, "reasons": []})
    ModelRegistry(str(root)).add(write_model(root / "work"), {}, refused | more)
    note_heard(get_settings(), stored_voices(get_settings(), RELEASED))


def test_before_there_is_a_dataset_it_waits(root: Path, instance: dg.DagsterInstance) -> None:
    assert words(asked(instance)) == "no reranker dataset has been released yet"


def test_it_says_how_much_is_missing(rate: Rate, instance: dg.DagsterInstance) -> None:
    rate(20)

    assert words(asked(instance)) == "40 of 60 effective triplets"


def test_enough_triplets_ask_for_a_training(root: Path, rate: Rate, instance: dg.DagsterInstance) -> None:
    rate(40)

    wanted = request(asked(instance))

    release = ReleaseCatalog(str(root)).latest("reranker")
    assert release is not None
    assert wanted.run_key == f"reranker-{release.digest[:32]}-1"
    assert wanted.tags["reason"] == "80 of 60 effective triplets"


def test_a_restart_asks_for_the_same_run(rate: Rate, instance: dg.DagsterInstance) -> None:
    rate(40)

    first, second = request(asked(instance)), request(asked(instance, cursor=None))

    assert first.run_key == second.run_key


def test_what_was_trained_on_is_not_trained_on_again(root: Path, rate: Rate, instance: dg.DagsterInstance) -> None:
    rate(40)
    train_on_all(root)

    assert words(asked(instance)) == "reranker v1 has been trained on; nothing is new since"


def test_only_what_is_new_since_the_last_training_counts(root: Path, rate: Rate, instance: dg.DagsterInstance) -> None:
    rate(40)
    train_on_all(root)
    rate(60)

    assert words(asked(instance)) == "40 of 60 effective triplets"


def test_votes_of_one_user_on_one_question_count_once(rate: Rate, instance: dg.DagsterInstance) -> None:
    rate(40, users=1)

    assert words(asked(instance)) == "40 of 60 effective triplets"


def test_trainings_keep_their_distance(rate: Rate, instance: dg.DagsterInstance) -> None:
    rate(40)
    ran(instance, {}, DagsterRunStatus.SUCCESS)

    assert "the last training began less than 20 hours ago" in words(asked(instance))


def test_a_training_under_way_is_waited_for(rate: Rate, instance: dg.DagsterInstance) -> None:
    rate(40)
    ran(instance, {}, DagsterRunStatus.STARTED)

    assert "the last training began" in words(asked(instance))


def test_a_failed_training_is_asked_for_again_and_not_for_ever(rate: Rate, instance: dg.DagsterInstance) -> None:
    rate(40)
    keys = []
    for _ in range(3):
        wanted = request(asked(instance))
        keys.append(str(wanted.run_key)[-1])
        ran(instance, {DATASET_TAG: wanted.tags[DATASET_TAG]}, DagsterRunStatus.FAILURE)

    assert keys == ["1", "2", "3"]
    assert "has failed 3 times" in words(asked(instance))


def test_what_has_been_counted_is_not_counted_again(rate: Rate, instance: dg.DagsterInstance) -> None:
    rate(20)
    first = asked(instance)
    assert isinstance(first, dg.SensorResult)

    second = asked(instance, first.cursor)

    assert isinstance(second, dg.SensorResult)
    assert (words(second), second.cursor) == (words(first), first.cursor)


def test_a_promotion_that_was_decided_and_not_made_is_asked_for(
    root: Path, rate: Rate, instance: dg.DagsterInstance
) -> None:
    rate(40)
    train_on_all(root, gate={"promoted": True, "reasons": ["better"]}, parent=None)

    assert request(asked(instance)).tags["reason"] == "a promotion was decided and not made"


@pytest.mark.parametrize("cursor", ["{", "[]", '{"state": 7}'])
def test_a_damaged_cursor_is_none(rate: Rate, instance: dg.DagsterInstance, cursor: str) -> None:
    rate(20)

    assert words(asked(instance, cursor)) == "40 of 60 effective triplets"
