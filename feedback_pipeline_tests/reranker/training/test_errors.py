"""What ends a training is told as what it is, and what was trained stays unless it cannot be read."""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from feedback_pipeline.curation.encoder import ModelNotFoundError
from feedback_pipeline.reranker import train
from feedback_pipeline.reranker.candidates import training_loop
from feedback_pipeline.reranker.candidates.config import TrainingConfig
from feedback_pipeline.reranker.candidates.failures import DamagedWorkError
from feedback_pipeline.reranker.candidates.training_loop import LossPoint
from feedback_pipeline.reranker.candidates.work_files import read_rows
from feedback_pipeline.reranker.rated_queries import rated_queries
from feedback_pipeline.reranker.scoring import ModelFolder
from feedback_pipeline.reranker.scoring.onnx_export import PartExportError
from feedback_pipeline.reranker.train import Candidates, TrainingData, train_candidates
from feedback_pipeline.tables.files import StorageError
from feedback_pipeline_tests.reranker.samples import queries, query

pytest.importorskip("datasets", reason="training needs the extra 'train'")

LIGHT = TrainingConfig(candidates=("blend",), max_tokens=48, device="cpu")
TRAINED = TrainingConfig(candidates=("bi_encoder",), max_tokens=48, device="cpu", epochs=6)


class Trainings:
    """A folder below which trainings work, with the base retriever already exported."""

    def __init__(self, root: Path):
        rows = rated_queries(queries([query(number) for number in range(40)]))
        self.data = TrainingData(rows[:30], rows[30:])
        self.work = root / "work"
        self.told: list[str] = []

    def train(self, config: TrainingConfig = LIGHT, during: Callable[[str, int], None] | None = None) -> Candidates:
        def report(what: str, done: int, _total: int, _loss: float | None) -> None:
            self.told.append(what)
            if during:
                during(what, done)

        return train_candidates(self.data, config, self.work, report)

    @property
    def starts_over(self) -> list[str]:
        return [one for one in self.told if one.startswith("starting over")]

    def leave(self, name: str, content: str = "kept") -> Path:
        """Leave a file in the work folder, as an earlier attempt would."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path


@pytest.fixture
def trainings(tmp_path: Path, exported: Path) -> Trainings:
    (base,) = (exported / "training" / "reranker").glob("base-*")
    for path in (path for path in base.rglob("*") if path.is_file()):
        place = tmp_path / base.name / path.relative_to(base)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, place)
    return Trainings(tmp_path)


def raising(error: BaseException) -> Callable[..., Any]:
    def raise_it(*_: Any, **__: Any) -> Any:
        raise error

    return raise_it


def exported_base(trainings: Trainings) -> list[Path]:
    return sorted(trainings.work.parent.glob("base-*/onnx/model.onnx"))


@pytest.mark.parametrize(
    "error",
    [
        PartExportError("differs from the model by 0.2"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
    ],
)
def test_what_is_no_fault_of_the_files_leaves_them_and_is_told_as_it_is(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    kept = trainings.leave("checkpoints/bi_encoder/kept")
    monkeypatch.setattr(train, "train_bi_encoder", raising(error))

    with pytest.raises(type(error)) as raised:
        trainings.train(TRAINED)

    assert raised.value is error
    assert trainings.starts_over == []
    assert kept.exists()
    assert exported_base(trainings)


def test_memory_that_runs_out_at_a_checkpoint_does_not_make_it_damaged(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _interrupted(trainings)
    monkeypatch.setattr(
        training_loop, "_stepping", lambda: _failing_before_steps(torch.OutOfMemoryError("CUDA out of memory"))
    )

    with pytest.raises(torch.OutOfMemoryError):
        trainings.train(TRAINED)

    assert trainings.starts_over == []
    assert list(trainings.work.glob("checkpoints/bi_encoder/checkpoint-*"))


def _failing_before_steps(error: Exception) -> Any:
    from transformers import TrainerCallback

    class Failing(TrainerCallback):
        has_begun = False

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            raise error

    return Failing()


def _interrupted(trainings: Trainings) -> Path:
    """Train until a checkpoint is there, and return the last one."""

    def interrupt(what: str, done: int) -> None:
        if what == "training the bi-encoder" and done > 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainings.train(TRAINED, interrupt)
    return max(trainings.work.glob("checkpoints/bi_encoder/checkpoint-*"), key=lambda path: int(path.name[11:]))


def test_a_model_that_is_not_there_is_no_full_disk(trainings: Trainings, tmp_path: Path) -> None:
    kept = trainings.leave("checkpoints/bi_encoder/kept")

    with pytest.raises(ModelNotFoundError, match="FEEDBACK_EMBEDDING_MODEL"):
        trainings.train(TrainingConfig(encoder=str(tmp_path / "nowhere")))

    assert kept.exists()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 576 vs 470"),
    ],
)
def test_a_full_disk_is_told_as_one(trainings: Trainings, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(train, "train_bi_encoder", raising(error))

    with pytest.raises(StorageError, match=f"cannot write {trainings.work}: .*free space, then run again"):
        trainings.train(TRAINED)

    assert trainings.starts_over == []


def test_a_file_in_the_way_is_told_as_one(trainings: Trainings) -> None:
    trainings.leave("checkpoints", "a file where a folder belongs")

    with pytest.raises(StorageError) as raised:
        trainings.train(TRAINED)

    assert "free space" not in str(raised.value)
    assert str(trainings.work / "checkpoints") in str(raised.value)
    assert "then run again" in str(raised.value)
    assert trainings.starts_over == []


def test_what_may_not_be_read_is_not_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "curve.json"
    monkeypatch.setattr(Path, "read_text", raising(PermissionError(errno.EACCES, "Permission denied", str(path))))

    with pytest.raises(PermissionError):
        read_rows(path, LossPoint)


@pytest.mark.parametrize("content", ['[{"step": 1, "loss', '[{"unknown": 1}]', '{"no": "list"}', "\x00" * 80, "[1]"])
def test_a_file_that_was_cut_short_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "curve.json"
    path.write_text(content)

    with pytest.raises(DamagedWorkError, match=re.escape(f"{path} cannot be read")) as raised:
        read_rows(path, LossPoint)

    assert raised.value.place == path


def test_triplets_that_cannot_be_read_are_made_again(trainings: Trainings) -> None:
    triplets = trainings.leave("triplets.json", '[{"anchor": "cut sh')
    (base,) = exported_base(trainings)
    exported_at = base.stat().st_mtime_ns

    def stop(what: str, _done: int) -> None:
        if what == "mining hard negatives":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainings.train(TRAINED, stop)

    assert not triplets.exists()
    assert len(trainings.starts_over) == 1
    assert str(triplets) in trainings.starts_over[0]
    assert base.stat().st_mtime_ns == exported_at


def test_a_checkpoint_that_cannot_be_read_is_thrown_away(trainings: Trainings) -> None:
    def stop(what: str, _done: int) -> None:
        if what.startswith("starting over"):
            raise KeyboardInterrupt

    checkpoint = _interrupted(trainings)

    for name in ("model.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt"):
        content = (checkpoint / name).read_bytes()
        (checkpoint / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(KeyboardInterrupt):
            trainings.train(TRAINED, stop)
        assert str(checkpoint) in trainings.told[-1]
        (checkpoint / name).write_bytes(content)


def test_a_damaged_base_retriever_is_exported_again_for_a_training_that_is_new(trainings: Trainings) -> None:
    (model,) = exported_base(trainings)
    content = model.read_bytes()
    model.unlink()
    model.write_bytes(content[:1_000])

    made = trainings.train()

    assert len(made.trained) == 1
    assert len(trainings.starts_over) == 1


def test_it_starts_over_once(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        train, "train_bi_encoder", raising(DamagedWorkError(Path("checkpoint-5"), ValueError("cut short")))
    )

    with pytest.raises(DamagedWorkError):
        trainings.train(TRAINED)

    assert len(trainings.starts_over) == 1


def test_length_counts_what_the_bi_encoder_reads(trainings: Trainings) -> None:
    (made,) = trainings.train().trained

    described = ModelFolder.read(made.folder)

    (length,) = [part for part in described.parts if part.kind == "length"]
    assert (length.max_tokens, described.max_tokens) == (48, 96)
