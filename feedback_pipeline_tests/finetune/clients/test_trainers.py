"""Real trainers on a release: they take our configs as they are, and what docs/trainers.md shows runs."""

# TRL exports lazily, where pyright does not see it.
# pyright: reportPrivateImportUsage=false

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss, TripletLoss
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer
from typer.testing import CliRunner

from feedback_pipeline.cli import app
from feedback_pipeline.finetune.content.configs import CONFIGS, PROVENANCE
from feedback_pipeline.finetune.reading.opened import OpenedRelease, open_release
from feedback_pipeline.finetune.reading.pull import pull
from feedback_pipeline_tests.finetune.clients.guide import README, blocks
from feedback_pipeline_tests.finetune.clients.tiny_model import save_causal_model, save_cross_encoder, save_encoder
from feedback_pipeline_tests.finetune.file_server import serving

STEPS = 20
LOGGED = 5
MODEL, ENCODER = "Qwen/Qwen2.5-Coder-0.5B-Instruct", "sentence-transformers/all-MiniLM-L6-v2"
CROSS_ENCODER = "cross-encoder/ms-marco-MiniLM-L6-v2"
"""What the guide names, and what a small one is put in the place of."""
SIZE = "max_length=4096"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model is slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def release(root: Path) -> OpenedRelease:
    return open_release("text2sql", version="v2", root=root)


@pytest.fixture(scope="module")
def texts(release: OpenedRelease) -> list[str]:
    frame = release.to_pandas("prompt_completion")
    return [*frame["prompt"], *frame["completion"]]


@pytest.fixture(scope="module")
def model(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_causal_model(tmp_path_factory.mktemp("model"), texts)


@pytest.fixture(scope="module")
def encoder(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_encoder(tmp_path_factory.mktemp("encoder"), texts)


@pytest.fixture(scope="module")
def cross_encoder(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_cross_encoder(tmp_path_factory.mktemp("cross-encoder"), texts)


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "output_dir": str(folder / "trained"),
        "max_steps": STEPS,
        "per_device_train_batch_size": 4,
        "learning_rate": 0.01,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "seed": 0,
        "use_cpu": True,
        "bf16": False,
        "disable_tqdm": True,
        **more,
    }


def losses(trainer: Any) -> list[float]:
    return [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize(
    ("config", "trainer_class", "args_class", "options"),
    [
        ("sft", SFTTrainer, SFTConfig, {}),
        ("sft", SFTTrainer, SFTConfig, {"assistant_only_loss": True}),
        ("prompt_completion", SFTTrainer, SFTConfig, {}),
        ("repair", SFTTrainer, SFTConfig, {}),
        ("preference", DPOTrainer, DPOConfig, {}),
        ("kto", KTOTrainer, KTOConfig, {}),
    ],
    ids=["sft", "sft-answers", "prompt_completion", "repair", "preference", "kto"],
)
def test_trl_takes_a_config_as_it_is_and_the_loss_falls(
    config: str,
    trainer_class: type[Any],
    args_class: type[Any],
    options: dict[str, Any],
    release: OpenedRelease,
    model: str,
    tmp_path: Path,
) -> None:
    train = release.load(config)["train"]
    trainer = trainer_class(model=model, args=args_class(**settings(tmp_path), **options), train_dataset=train)

    trainer.train()

    assert train.column_names == next(one for one in CONFIGS if one.name == config).schema.names
    assert set(PROVENANCE.names) < set(train.column_names)
    assert len(losses(trainer)) == STEPS
    assert mean(losses(trainer)[-LOGGED:]) < mean(losses(trainer)[:LOGGED]) / 2


def test_trl_takes_a_config_that_is_streamed(release: OpenedRelease, model: str, tmp_path: Path) -> None:
    train = release.load("sft", "train", streaming=True)
    trainer = SFTTrainer(model=model, args=SFTConfig(**settings(tmp_path)), train_dataset=train)

    trainer.train()

    assert mean(losses(trainer)[-LOGGED:]) < mean(losses(trainer)[:LOGGED]) / 2


@pytest.mark.parametrize("loss_class", [MultipleNegativesRankingLoss, TripletLoss])
def test_sentence_transformers_trains_on_the_triplets_of_the_guide_and_the_loss_falls(
    loss_class: type[Any], pulled: Path, encoder: str, tmp_path: Path
) -> None:
    # What a mean of few tokens tells apart takes a while to learn.
    steps = 3 * STEPS
    making, _, _ = code_of("Retrieval of SQL").partition("model = ")
    exec(making, {})
    triplets = datasets.load_dataset("parquet", data_files="triplets.parquet", split="train")
    small = SentenceTransformer(encoder, device="cpu")
    args = SentenceTransformerTrainingArguments(
        **settings(tmp_path, per_device_train_batch_size=16, max_steps=steps, learning_rate=0.003)
    )
    trainer = SentenceTransformerTrainer(model=small, args=args, train_dataset=triplets, loss=loss_class(small))

    trainer.train()

    assert triplets.column_names == ["anchor", "positive", "negative"]
    assert not any(right == wrong for right, wrong in zip(triplets["positive"], triplets["negative"], strict=True))
    assert mean(losses(trainer)[-LOGGED:]) < 0.75 * mean(losses(trainer)[:LOGGED])


@pytest.fixture
def pulled(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder ``text2sql`` of v1 where the guide expects it: in the working directory, ``reranker`` beside it."""
    monkeypatch.chdir(tmp_path)
    pull(str(root), "text2sql@v1", tmp_path / "text2sql")
    pull(str(root), "reranker@v1", tmp_path / "reranker")
    return tmp_path / "text2sql"


def code_of(heading: str) -> str:
    return "\n".join(block.code for block in blocks("python") if block.heading == heading)


def made_small(code: str, model: str, encoder: str, cross_encoder: str = CROSS_ENCODER) -> str:
    """Return code of the guide with small models, and for a machine without GPU."""
    for name, small in ((MODEL, model), (ENCODER, encoder), (CROSS_ENCODER, cross_encoder)):
        code = code.replace(name, small)
    return code.replace(SIZE, f"{SIZE}, use_cpu=True, bf16=False")


HEADINGS = list(dict.fromkeys(block.heading for block in blocks("python")))


def test_the_guide_shows_how_to_train_with_each_trainer() -> None:
    assert {"SFT", "DPO", "KTO"} <= set(HEADINGS)
    assert {"Reranker: bi-encoder", "Reranker: cross-encoder", "Reranker: lists"} <= set(HEADINGS)


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_code_of_the_guide_runs(heading: str, pulled: Path, model: str, encoder: str, cross_encoder: str) -> None:
    code, names = code_of(heading), {}

    exec(made_small(code, model, encoder, cross_encoder), names)

    if trainer := names.get("trainer"):
        assert any(name in code for name in (MODEL, ENCODER, CROSS_ENCODER))
        assert trainer.state.global_step == trainer.state.max_steps > 0


def test_the_training_that_the_readme_shows_runs(pulled: Path, model: str, encoder: str) -> None:
    (code,) = (block.code for block in blocks("python", README) if MODEL in block.code)
    names: dict[str, Any] = {}

    exec(made_small(code, model, encoder), names)

    assert set(names["data"]) == {"train", "validation", "test"}


def test_the_messages_of_the_guide_are_those_a_model_was_trained_on(pulled: Path) -> None:
    names: dict[str, Any] = {}

    exec(code_of("Asking the trained model"), names)

    chats = open_release(str(pulled)).to_arrow("sft")["messages"].to_pylist()
    assert names["messages"] in [chat[:2] for chat in chats]


def test_rows_drawn_by_weight_come_as_often_as_they_weigh(pulled: Path) -> None:
    names: dict[str, Any] = {}

    exec(code_of("Weights"), names)

    drawn = names["train"].to_pandas()
    heavy, light = ((drawn["weight"] == weight).sum() for weight in (2.0, 1.0))
    assert 1.4 < heavy / light < 2.8


def test_the_commands_of_the_guide_run(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks("sh") for line in block.code.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("feedback-pipeline ")]

    with serving(root) as server:
        places = {"s3://bucket/feedback": str(root), "https://data.example.com/feedback": server.url}
        results = [CliRunner().invoke(app, [places.get(word, word) for word in command[1:]]) for command in commands]

    said = {" ".join(command): result.output for command, result in zip(commands, results, strict=True)}
    assert [result.exit_code for result in results] == [0] * len(commands), said
    assert {command[2] for command in commands} >= {"pull", "check", "list", "show", "diff", "export", "pin", "prune"}
    assert "105 added, 6 removed" in said["feedback-pipeline dataset diff text2sql v1 v2"]
