"""The cross-encoder: reads query and passage together.

One that starts from a bi-encoder has a head that knows nothing, and rated pairs are too few to teach it: it is warmed
up first on the scores of a light model (distillation with mean squared error, Hofstätter et al. 2020), then trained on
the rated pairs with binary cross-entropy (Nogueira and Cho 2019). ``FEEDBACK_RERANKER_BASE`` names one that needs no
warm-up.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from feedback_pipeline.curation.encoder import model_folder
from feedback_pipeline.reranker.candidates.config import TrainingConfig
from feedback_pipeline.reranker.candidates.failures import tells_of_damage
from feedback_pipeline.reranker.candidates.training_loop import (
    LossPoint,
    Progress,
    Recipe,
    prepare_libraries,
    run,
    sampled,
)
from feedback_pipeline.reranker.rated_queries import RatedQuery, passages_of

_STRANGERS = 2
"""Passages of other queries that a query is warmed up with, besides its own."""

Teacher = Callable[[Sequence[str], Sequence[Sequence[str]]], list[np.ndarray]]
"""Scores the passages of queries, like ``Scorer.score_batch``."""


class RerankerBaseError(LookupError):
    """The cross-encoder that FEEDBACK_RERANKER_BASE names cannot be had."""


def load_cross_encoder(config: TrainingConfig) -> Any:
    """Return the ``CrossEncoder`` to start from, with one label. Raises RerankerBaseError."""
    prepare_libraries(config)
    from sentence_transformers import CrossEncoder
    from transformers import set_seed

    # The new head is drawn at random.
    set_seed(config.seed)
    start = str(config.base_folder or config.base or model_folder(config.encoder))
    device = None if config.device == "auto" else config.device
    try:
        model = CrossEncoder(start, num_labels=1, device=device, local_files_only=not config.needs_hub)
    except (OSError, ValueError, RuntimeError) as error:
        if config.base is None or not tells_of_damage(error):
            raise
        raise RerankerBaseError(
            f"FEEDBACK_RERANKER_BASE={start!r} is no cross-encoder that can be loaded ({error}); name a folder or a "
            "Hugging Face model with one label, or unset it to start from the bundled model"
        ) from error
    model.max_seq_length = min(2 * config.max_tokens, model.max_seq_length or 2 * config.max_tokens)
    return model


def train_cross_encoder(
    queries: Sequence[RatedQuery], teacher: Teacher, config: TrainingConfig, work: Path, progress: Progress
) -> tuple[Any, list[LossPoint]]:
    """Return the trained model and its loss curve of both stages; checkpoints lie in ``work``."""
    from sentence_transformers import CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss, MSELoss

    model, warmed = load_cross_encoder(config), []
    if config.base is None:
        recipe = Recipe(CrossEncoderTrainer, CrossEncoderTrainingArguments, MSELoss(model))
        once = replace(config, epochs=1, learning_rate=2 * config.learning_rate)
        warmed = run(model, recipe, _warm_up_pairs(queries, teacher, config.seed), work / "warm-up", once, progress)
    recipe = Recipe(CrossEncoderTrainer, CrossEncoderTrainingArguments, BinaryCrossEntropyLoss(model))
    curve = run(model, recipe, _rated_pairs(queries, config.seed), work / "rated", config, progress)
    offset = warmed[-1].step if warmed else 0
    return model, warmed + [LossPoint(one.step + offset, one.loss) for one in curve]


def _warm_up_pairs(queries: Sequence[RatedQuery], teacher: Teacher, seed: int) -> dict[str, list[Any]]:
    chance, corpus = np.random.default_rng(seed), passages_of(queries)
    lists = []
    for one in queries:
        strangers = [corpus[place] for place in chance.integers(len(corpus), size=_STRANGERS)]
        lists.append(list(dict.fromkeys([*one.passages, *strangers])))
    scores = teacher([one.query for one in queries], lists)
    return {
        "query": [one.query for one, passages in zip(queries, lists, strict=True) for _ in passages],
        "passage": [passage for passages in lists for passage in passages],
        "label": [float(score) for given in scores for score in given],
    }


def _rated_pairs(queries: Sequence[RatedQuery], seed: int) -> dict[str, list[Any]]:
    pairs = [
        (one.query, passage, label, weight)
        for one in queries
        for label, passages, weights in (
            (1.0, one.positives, one.positive_weights),
            (0.0, one.negatives, one.negative_weights),
        )
        for passage, weight in zip(passages, weights, strict=True)
    ]
    drawn = sampled(pairs, [weight for *_, weight in pairs], seed)
    return {name: [pair[place] for pair in drawn] for place, name in enumerate(("query", "passage", "label"))}
