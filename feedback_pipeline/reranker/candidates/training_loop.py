"""Running a trainer of sentence-transformers so that it can be watched, killed and taken up again."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_pipeline.reranker.candidates.config import TrainingConfig
from feedback_pipeline.reranker.candidates.failures import UNREADABLE, DamagedWorkError, tells_of_damage

Progress = Callable[[int, int, float], None]
"""Told (steps done, steps in all, loss)."""

_LOGGED = 40
"""Points of a loss curve, about."""
_CHECKPOINTS = 5


@dataclass(frozen=True)
class LossPoint:
    """The mean loss of the steps since the point before."""

    step: int
    loss: float


@dataclass(frozen=True)
class Recipe:
    """What one stage of training is made of.

    Attributes:
        trainer: trainer class of sentence-transformers.
        arguments: its class of arguments.
        loss: made for the model.
        unique_texts: no text comes twice in a batch: in-batch negatives would be false.
    """

    trainer: Any
    arguments: Any
    loss: Any
    unique_texts: bool = False


def prepare_libraries(config: TrainingConfig) -> None:
    """Switch off progress bars, and the hub unless a model of it is named.

    Before sentence-transformers is imported: what it and huggingface_hub find then holds for the process.
    """
    if not config.needs_hub:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def run(
    model: Any,
    recipe: Recipe,
    columns: dict[str, list[Any]],
    folder: Path,
    config: TrainingConfig,
    progress: Progress,
) -> list[LossPoint]:
    """Train ``model`` on ``columns`` and return its loss curve.

    Checkpoints lie in ``folder``; where one is there, training goes on from it, to the same result.

    Raises:
        DamagedWorkError: the checkpoint cannot be read.
        OSError: the disk is full or the folder cannot be written.
    """
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback

    disable_progress_bars()
    dataset = Dataset.from_dict(columns)
    steps = -(-len(dataset) // config.batch_size) * config.epochs
    trainer = recipe.trainer(
        model=model,
        args=_arguments(recipe, folder, config, steps),
        train_dataset=dataset,
        loss=recipe.loss,
        callbacks=[_reporting(progress), stepping := _stepping()],
    )
    # It prints every figure, which the progress tells already.
    trainer.remove_callback(PrinterCallback)
    found = last_checkpoint(folder)
    try:
        trainer.train(resume_from_checkpoint=str(found) if found else None)
    except UNREADABLE as error:
        # All of a checkpoint is read before the first step; what fails later is no fault of it.
        if found is None or stepping.has_begun or not tells_of_damage(error):
            raise
        raise DamagedWorkError(found, error) from error
    return [LossPoint(one["step"], round(float(one["loss"]), 6)) for one in trainer.state.log_history if "loss" in one]


def _arguments(recipe: Recipe, folder: Path, config: TrainingConfig, steps: int) -> Any:
    import torch

    on_cpu = config.device == "cpu" or (config.device == "auto" and not torch.accelerator.is_available())
    return recipe.arguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        warmup_steps=max(1, steps // 10),
        seed=config.seed,
        data_seed=config.seed,
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        batch_sampler="no_duplicates" if recipe.unique_texts else "batch_sampler",
        logging_steps=max(1, steps // _LOGGED),
        save_strategy="steps",
        save_steps=max(5, steps // _CHECKPOINTS),
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
    )


def last_checkpoint(folder: Path) -> Path | None:
    """Return the last checkpoint that is whole; its state is what the trainer writes last."""
    whole = [path for path in folder.glob("checkpoint-*") if _is_whole(path)]
    return max(whole, key=lambda path: int(path.name.split("-")[-1]), default=None)


def _is_whole(checkpoint: Path) -> bool:
    try:
        return "global_step" in json.loads((checkpoint / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False


def _reporting(progress: Progress) -> Any:
    from transformers import TrainerCallback

    class Reporting(TrainerCallback):
        """Tells how far the training is each time a loss is logged."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            if logs and "loss" in logs:
                progress(state.global_step, state.max_steps, float(logs["loss"]))

    return Reporting()


def _stepping() -> Any:
    from transformers import TrainerCallback

    class Stepping(TrainerCallback):
        """Knows whether the first step has begun."""

        has_begun = False

        def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            self.has_begun = True

    return Stepping()


def sampled(items: list[Any], weights: list[float], seed: int) -> list[Any]:
    """Return as many items, drawn in proportion to their weights: so ratings of many users teach more than of one.

    Order and choice follow from the seed.
    """
    import numpy as np

    if not items:
        return []
    shares = np.array(weights, np.float64)
    drawn = np.random.default_rng(seed).choice(len(items), size=len(items), p=shares / shares.sum())
    return [items[number] for number in drawn]
