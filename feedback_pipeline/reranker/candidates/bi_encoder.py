"""The bi-encoder, fine-tuned: queries come closer to what users found helpful, and further from what they did not.

Loss: multiple negatives ranking (Henderson et al. 2017) over the rated or mined negative of each triplet and all other
passages of the batch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feedback_pipeline.curation.encoder import ModelNotFoundError, model_folder
from feedback_pipeline.reranker.candidates.config import TrainingConfig
from feedback_pipeline.reranker.candidates.mining import Triplet
from feedback_pipeline.reranker.candidates.training_loop import (
    LossPoint,
    Progress,
    Recipe,
    prepare_libraries,
    run,
    sampled,
)


def load_encoder(config: TrainingConfig) -> Any:
    """Return the untrained ``SentenceTransformer`` with the tokens of ``config``. Raises ModelNotFoundError."""
    prepare_libraries(config)
    from sentence_transformers import SentenceTransformer

    device = None if config.device == "auto" else config.device
    folder = model_folder(config.encoder)
    try:
        # A folder that is named like a model of the hub would be looked up there.
        model = SentenceTransformer(str(folder), device=device, local_files_only=True)
    except OSError as error:
        if error.errno is not None:
            raise
        raise ModelNotFoundError(f"the model in {folder} is incomplete ({error}); download it there again") from error
    model.max_seq_length = min(config.max_tokens, model.max_seq_length or config.max_tokens)
    return model


def train_bi_encoder(
    triplets: Sequence[Triplet], config: TrainingConfig, work: Path, progress: Progress
) -> tuple[Any, list[LossPoint]]:
    """Return the trained model and its loss curve; checkpoints lie in ``work``."""
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    drawn = sampled(list(triplets), [one.weight for one in triplets], config.seed)
    columns = {
        "anchor": [one.anchor for one in drawn],
        "positive": [one.positive for one in drawn],
        "negative": [one.negative for one in drawn],
    }
    model = load_encoder(config)
    recipe = Recipe(
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
        MultipleNegativesRankingLoss(model),
        unique_texts=True,
    )
    return model, run(model, recipe, columns, work, config, progress)
