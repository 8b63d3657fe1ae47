"""The reranker's dataset in the hands of sentence-transformers: its losses take the first columns of each config."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss, LambdaLoss, RankNetLoss
from sentence_transformers.sentence_transformer.losses import TripletLoss

from feedback_pipeline.finetune.content.kind import RERANKER
from feedback_pipeline.finetune.reading.opened import OpenedRelease, open_release
from feedback_pipeline_tests.finetune.clients.tiny_model import save_cross_encoder, save_encoder

STEPS = 30
LOGGED = 6
COLUMNS = {config.name: config.schema.names[:3] for config in RERANKER.configs[1:]}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model is slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def release(root: Path) -> OpenedRelease:
    return open_release("reranker", version="v1", root=root)


@pytest.fixture(scope="module")
def texts(release: OpenedRelease) -> list[str]:
    pairs = release.to_pandas("labeled_pair")
    return [*pairs["query"], *pairs["passage"]]


@pytest.fixture(scope="module")
def encoder(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_encoder(tmp_path_factory.mktemp("encoder"), texts)


@pytest.fixture(scope="module")
def cross_encoder(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_cross_encoder(tmp_path_factory.mktemp("cross-encoder"), texts)


def settings(folder: Path) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "max_steps": STEPS,
        "per_device_train_batch_size": 8,
        "learning_rate": 0.01,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "seed": 0,
        "use_cpu": True,
        "bf16": False,
        "disable_tqdm": True,
    }


def falls(trainer: Any) -> bool:
    losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    return len(losses) == STEPS and sum(losses[-LOGGED:]) < 0.75 * sum(losses[:LOGGED])


@pytest.mark.parametrize("config", [config.name for config in RERANKER.configs])
def test_datasets_loads_and_streams_each_config(release: OpenedRelease, config: str, tmp_path: Path) -> None:
    by_name = datasets.load_dataset(release.path, config, cache_dir=str(tmp_path))
    opened = release.load(config)
    streamed = release.load(config, "train", streaming=True)

    assert {split: data.num_rows for split, data in by_name.items()} == release.configs[config]
    assert opened["train"].column_names == next(one for one in RERANKER.configs if one.name == config).schema.names
    assert next(iter(streamed)) == opened["train"][0] == by_name["train"][0]


def test_no_query_is_in_two_splits_of_any_config(release: OpenedRelease) -> None:
    for config in release.configs:
        splits = [set(data["row_id"]) for data in release.load(config).values()]
        assert sum(map(len, splits)) == len(set().union(*splits))


def test_a_bi_encoder_learns_from_triplets(release: OpenedRelease, encoder: str, tmp_path: Path) -> None:
    train = release.load("triplet", "train").select_columns(COLUMNS["triplet"])
    model = SentenceTransformer(encoder, device="cpu")
    args = SentenceTransformerTrainingArguments(**settings(tmp_path))
    trainer = SentenceTransformerTrainer(model=model, args=args, train_dataset=train, loss=TripletLoss(model))

    trainer.train()

    assert falls(trainer)


@pytest.mark.parametrize(
    ("config", "loss_class"),
    [("labeled_pair", BinaryCrossEntropyLoss), ("listwise", LambdaLoss), ("listwise", RankNetLoss)],
)
def test_a_cross_encoder_learns_from_pairs_and_lists(
    config: str, loss_class: type[Any], release: OpenedRelease, cross_encoder: str, tmp_path: Path
) -> None:
    rows = release.load(config, "train").filter(lambda row: row["weight"] > 0)
    model = CrossEncoder(cross_encoder, device="cpu")
    trainer = CrossEncoderTrainer(
        model=model,
        args=CrossEncoderTrainingArguments(**settings(tmp_path)),
        train_dataset=rows.select_columns(COLUMNS[config]),
        loss=loss_class(model),
    )

    trainer.train()

    assert falls(trainer)
