"""Several who move the pointer at once: nobody's move is undone by one that was decided before it."""

import errno
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feedback_pipeline.reranker import registry as registry_module
from feedback_pipeline.reranker.models import pointer
from feedback_pipeline.reranker.models.promotion import ProductionMovedError
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.tables.files import StorageError, filesystem
from feedback_pipeline_tests.reranker.models import WHO, Who, add_model
from feedback_pipeline_tests.reranker.registry.looking import in_production

ANN: Who = {"reason": "better on the German sources", "by": "cli:ann"}
GATE: Who = {"reason": "surely better", "by": "gate"}


@pytest.fixture
def stored(bucket: str, tmp_path: Path) -> ModelRegistry:
    """Versions 1 to 3 on an object store; 1 is in production."""
    for number in (1, 2, 3):
        add_model(bucket, tmp_path, f"k{number}")
    registry = ModelRegistry(bucket)
    registry.promote(1, **WHO)
    return registry


def moves(registry: ModelRegistry) -> list[tuple[str, int | None, str]]:
    now = registry.production_pointer()
    return [(move.action, move.version, move.by) for move in now.history] if now else []


def just_before(
    patch: pytest.MonkeyPatch, module: object, function: str, move: Callable[[], object], times: int = 1
) -> None:
    """Let somebody else ``move`` right before ``function`` is called, so many times in all."""
    real, left = getattr(module, function), [move] * times

    def late(*arguments: object, **more: object) -> object:
        if left:
            left.pop()()
        return real(*arguments, **more)

    patch.setattr(module, function, late)


def test_who_waited_for_a_promotion_does_not_put_another_one_over_it(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
):
    registry.promote(1, **WHO)
    reading, go_on = threading.Event(), threading.Event()
    real = registry_module.refuse_unfit

    def slowly(*arguments, **more):
        reading.set()
        assert go_on.wait(20)
        real(*arguments, **more)

    monkeypatch.setattr(registry_module, "refuse_unfit", slowly)
    with ThreadPoolExecutor(2) as pool:
        person = pool.submit(registry.promote, 2, **ANN)
        assert reading.wait(20)
        decided_on = registry.production_pointer()
        gate = pool.submit(registry.promote, 3, expected=decided_on, **GATE)
        go_on.set()
        person.result(20)
        with pytest.raises(ProductionMovedError) as refused:
            gate.result(20)

    assert str(refused.value) == (
        "reranker v3 was to replace reranker v1, but production was moved meanwhile: reranker v2 is there now (promote "
        "by cli:ann: better on the German sources). It stays. To promote reranker v3 all the same: feedback-pipeline "
        "model promote v3"
    )
    assert moves(registry) == [("promote", 1, "test"), ("promote", 2, "cli:ann")]


def test_what_is_as_expected_is_replaced(registry: ModelRegistry):
    registry.promote(1, expected=None, **GATE)
    registry.promote(2, expected=registry.production_pointer(), **GATE)

    assert in_production(registry) == 2


def test_the_first_promotion_is_expected_to_be_the_first(registry: ModelRegistry):
    registry.promote(1, **ANN)

    with pytest.raises(ProductionMovedError, match=r"v3 was to replace no model, .* reranker v1 is there now"):
        registry.promote(3, expected=None, **GATE)

    assert in_production(registry) == 1


def test_what_a_person_tried_and_took_back_stays_back(registry: ModelRegistry):
    registry.promote(1, **WHO)
    decided_on = registry.production_pointer()
    registry.promote(3, **ANN)
    registry.rollback(**ANN)

    with pytest.raises(ProductionMovedError, match=r"to replace reranker v1.*: reranker v1 is there now \(rollback by"):
        registry.promote(3, expected=decided_on, **GATE)

    assert in_production(registry) == 1


def test_a_promotion_that_somebody_has_made_already_is_no_error(registry: ModelRegistry):
    registry.promote(3, **ANN)

    assert registry.promote(3, expected=None, **GATE).version == 3

    assert moves(registry) == [("promote", 3, "cli:ann")]


@pytest.mark.parametrize(("module", "function"), [(registry_module, "refuse_unfit"), (pointer, "_write")])
def test_on_an_object_store_a_rollback_during_a_promotion_is_in_the_history(
    stored: ModelRegistry, monkeypatch: pytest.MonkeyPatch, module: object, function: str
):
    # While the files are read, and after the pointer has been read for the last time.
    with monkeypatch.context() as patch:
        just_before(patch, module, function, lambda: ModelRegistry.rollback(stored, **ANN))
        stored.promote(2, **WHO)

    assert moves(stored) == [("promote", 1, "test"), ("rollback", None, "cli:ann"), ("promote", 2, "test")]
    assert stored.rollback(**WHO) is None


@pytest.mark.parametrize(("module", "function"), [(registry_module, "refuse_unfit"), (pointer, "_write")])
def test_on_an_object_store_too_the_gate_does_not_undo_what_a_person_did_meanwhile(
    stored: ModelRegistry, monkeypatch: pytest.MonkeyPatch, module: object, function: str
):
    decided_on = stored.production_pointer()
    with monkeypatch.context() as patch:
        just_before(patch, module, function, lambda: ModelRegistry.rollback(stored, **ANN))
        with pytest.raises(ProductionMovedError, match=r"no model is there now \(rollback by cli:ann"):
            stored.promote(3, expected=decided_on, **GATE)

    assert moves(stored) == [("promote", 1, "test"), ("rollback", None, "cli:ann")]


def test_on_an_object_store_two_first_promotions_are_both_in_the_history(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for key in ("k1", "k2"):
        add_model(bucket, tmp_path, key)
    registry = ModelRegistry(bucket)

    just_before(monkeypatch, pointer, "_write", lambda: registry.promote(1, **ANN))
    registry.promote(2, **WHO)

    assert moves(registry) == [("promote", 1, "cli:ann"), ("promote", 2, "test")]


def test_a_pointer_that_never_stands_still_is_an_error(stored: ModelRegistry, monkeypatch: pytest.MonkeyPatch):
    others = iter([2, 1] * 5)
    seen = pointer._replaced

    def overtaken(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr(pointer, "_replaced", seen)
            stored.promote(next(others), **ANN)
        return seen(*arguments)

    monkeypatch.setattr(pointer, "_replaced", overtaken)

    with pytest.raises(ProductionMovedError, match=r"production.json was moved by somebody else 5 times in a row"):
        stored.promote(3, **WHO)

    assert len(moves(stored)) == 6


def test_a_put_whose_answer_was_lost_counts_once(stored: ModelRegistry, monkeypatch: pytest.MonkeyPatch):
    write = pointer._write

    def answer_lost(*arguments) -> None:
        write(*arguments)
        raise StorageError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(pointer, "_write", answer_lost)
        stored.promote(2, **WHO)

    assert moves(stored) == [("promote", 1, "test"), ("promote", 2, "test")]


def test_a_store_that_cannot_be_written_is_an_error(stored: ModelRegistry, monkeypatch: pytest.MonkeyPatch):
    def refusing(*_, **__) -> None:
        raise PermissionError("Access Denied")

    with monkeypatch.context() as patch:
        patch.setattr(filesystem(stored.pointer)[0], "pipe_file", refusing)
        with pytest.raises(StorageError, match=r"cannot write s3://.*production.json: Access Denied"):
            stored.promote(2, **WHO)

    assert in_production(stored) == 1


def test_a_store_that_knows_no_conditions_is_written_all_the_same(
    stored: ModelRegistry, monkeypatch: pytest.MonkeyPatch
):
    fs, _ = filesystem(stored.pointer)
    put, refused = fs.pipe_file, []

    def unconditional(path: str, content: bytes, **conditions: str) -> None:
        if conditions:
            refused.append(conditions)
            raise OSError(errno.ENOSYS, "A header you provided implies functionality that is not implemented")
        put(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(fs, "pipe_file", unconditional)
        stored.promote(2, **WHO)
        stored.rollback(**WHO)

    assert moves(stored)[1:] == [("promote", 2, "test"), ("rollback", 1, "test")]
    assert [list(conditions) for conditions in refused] == [["IfMatch"], ["IfMatch"]]
