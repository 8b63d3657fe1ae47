"""Parts exported to ONNX score like the models they came from, in a process without torch."""

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedback_pipeline.curation.encoder import BUNDLED, model_folder
from feedback_pipeline.reranker import Reranker
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker.scoring import (
    Bm25Statistics,
    ModelFolder,
    ModelFolderError,
    PartScorer,
    PartSpec,
    onnx_parts,
    open_part,
    open_scorer,
)
from feedback_pipeline.reranker.scoring.onnx_export import PartExportError, export_part
from feedback_pipeline.reranker.scoring.onnx_parts import OnnxBiEncoder, OnnxCrossEncoder
from feedback_pipeline.reranker.scoring.torch_parts import TorchCrossEncoder
from feedback_pipeline_tests.reranker.models import DOCUMENTS, WHO, facts
from feedback_pipeline_tests.store.running import together

QUERY = "How long does a refund take?"
PASSAGES = ["Refunds take five working days.", "", "🙂 ﷺ 日本語 " * 40, "Opening hours"]
LONG = ["word " * 20_000, "x" * 100_000, " " * 100_000 + "the end", "Long-winded, punctuated: text; " * 200]
PAIRS = [
    *((QUERY, passage) for passage in [*PASSAGES, *LONG]),
    ("", "a"),
    ("日本語 🙂 naïve", "日本語"),
    ("refund " * 126, "refund " * 126),
    ("refund " * 127, "refund " * 126),
    ("refund? " * 300, LONG[0]),
    ("refund? " * 300, "short"),
]
CROSS, BI = PartSpec("cross_encoder", "cross_encoder"), PartSpec("bi_encoder", "bi_encoder")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with a cross-encoder of random weights on top of MiniLM, and MiniLM, both exported."""
    import torch
    from sentence_transformers import CrossEncoder, SentenceTransformer

    folder, minilm = tmp_path_factory.mktemp("model"), str(model_folder(BUNDLED))
    torch.manual_seed(7)
    cross_encoder: Any = CrossEncoder(minilm, num_labels=1, device="cpu")
    with torch.no_grad():
        # A new head says nearly the same of everything.
        cross_encoder[0].model.classifier.weight.mul_(50)
    cross_encoder.save_pretrained(str(folder / CROSS.folder / "torch"))
    SentenceTransformer(minilm, device="cpu").save_pretrained(str(folder / BI.folder / "torch"))
    for spec in (CROSS, BI):
        export_part(folder / spec.folder, spec.kind)
    Bm25Statistics.from_passages(PASSAGES).write(folder / "bm25")
    parts = (CROSS, PartSpec("bi_encoder", "bi_encoder", 0.3, 0.2, 2.0), PartSpec("bm25", "bm25", coefficient=0.1))
    ModelFolder("blend", parts, 256).write(folder)
    return folder


@pytest.fixture(scope="module")
def torch_cross_encoder(folder: Path) -> PartScorer:
    return open_part(folder, CROSS, 256, "torch", "cpu")


def test_a_cross_encoder_scores_as_sentence_transformers_does(folder: Path, torch_cross_encoder: Any):
    exported = open_part(folder, CROSS, 256)

    scores = exported.pair_scores(PAIRS)

    import torch

    expected = torch_cross_encoder.model.predict(PAIRS, activation_fn=torch.nn.Identity())
    assert np.abs(scores - expected).max() < 1e-3
    assert expected.std() > 0.1
    # Its own order is the same one: a sigmoid keeps it.
    ranked = torch_cross_encoder.model.rank(QUERY, PASSAGES)
    assert [one["corpus_id"] for one in ranked] == np.argsort(-scores[: len(PASSAGES)]).tolist()


def test_a_bi_encoder_scores_as_sentence_transformers_does(folder: Path):
    scores = open_part(folder, BI, 256).pair_scores(PAIRS)

    assert np.abs(scores - open_part(folder, BI, 256, "torch", "cpu").pair_scores(PAIRS)).max() < 1e-3
    assert np.abs(scores).max() < 1 + 1e-5


def test_fewer_tokens_are_looked_at_where_the_model_says_so(folder: Path, torch_cross_encoder: Any):
    part = open_part(folder, CROSS, 16)

    cut = part.pair_scores(PAIRS[:6])

    torch_cross_encoder.model.max_seq_length = 16
    expected = torch_cross_encoder.pair_scores(PAIRS[:6])
    torch_cross_encoder.model.max_seq_length = 256
    assert np.abs(cut - expected).max() < 1e-3
    assert open_part(folder, CROSS, 9_999).max_tokens == 512  # pyright: ignore[reportAttributeAccessIssue]


def test_scores_do_not_depend_on_what_is_scored_beside(folder: Path):
    scorer = open_scorer(folder)
    passages = [*PASSAGES, *(f"{'word ' * length}refund" for length in range(1, 60, 3))]

    scores = scorer.score(QUERY, passages)

    alone = [open_scorer(folder).score(QUERY, [passage])[0] for passage in passages[:5]]
    np.testing.assert_allclose(scores[:5], alone, atol=1e-4)
    batch = scorer.score_batch([QUERY, "five"], [passages, passages[::-1]])
    np.testing.assert_allclose(batch[0], scores, atol=1e-4)


def test_many_callers_get_the_scores_of_one(folder: Path):
    scorer = open_scorer(folder)
    expected = scorer.score(QUERY, PASSAGES)

    found = together(*(lambda: scorer.score(QUERY, PASSAGES) for _ in range(8)))

    for scores in found:
        np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_passages_are_embedded_once(folder: Path, monkeypatch: pytest.MonkeyPatch):
    part = OnnxBiEncoder(folder / BI.folder / "onnx", 256)
    run, rows = part._run, []
    monkeypatch.setattr(part, "_run", lambda batch: rows.extend(batch) or run(batch))

    first = part.pair_scores([("one", "a"), ("one", "b")])
    again = part.pair_scores([("two", "b"), ("one", "a")])

    assert len(rows) == 4
    assert again[1] == first[0]


def test_a_pair_that_comes_twice_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch):
    part = OnnxCrossEncoder(folder / CROSS.folder / "onnx", 256)
    run, rows = part._run, []
    monkeypatch.setattr(part, "_run", lambda batch: rows.extend(batch) or run(batch))

    scores = part.pair_scores([("one", "a"), ("one", "b"), ("one", "a")])

    assert len(rows) == 2
    assert scores[0] == scores[2] != scores[1]


@pytest.mark.parametrize("spec", [CROSS, BI])
def test_many_texts_are_read_some_at_a_time(folder: Path, spec: PartSpec, monkeypatch: pytest.MonkeyPatch):
    pairs = [(f"question {number % 7}", f"passage {number % 23}") for number in range(60)]
    expected = open_part(folder, spec, 256).pair_scores(pairs)
    part: Any = open_part(folder, spec, 256)
    run, sizes = part._run, []
    monkeypatch.setattr(onnx_parts, "_ITEMS_AT_A_TIME", 8)
    monkeypatch.setattr(part, "_run", lambda rows: sizes.append(len(rows)) or run(rows))

    found = part.pair_scores(pairs)

    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert max(sizes) == 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_process_scores_too(folder: Path):
    scorer = open_scorer(folder)
    expected = scorer.score(QUERY, PASSAGES)
    receiver, sender = multiprocessing.Pipe(duplex=False)

    child = multiprocessing.get_context("fork").Process(
        target=lambda: sender.send(scorer.score(QUERY, PASSAGES)), daemon=True
    )
    child.start()

    assert receiver.poll(60)
    np.testing.assert_allclose(receiver.recv(), expected, atol=1e-4)
    child.join(60)


PROGRAM = """
import json, resource, sys
from feedback_pipeline.reranker import Reranker
reranker = Reranker.open("production", sys.argv[1], refresh_seconds=0.05)
ranked = reranker.rank("How long does a refund take?", ["Opening hours.", "", "Refunds take five working days."])
print(json.dumps([reranker.version, len(ranked), sorted({name.split(".")[0] for name in sys.modules})]))
"""


def test_a_trained_model_serves_without_torch(folder: Path, tmp_path: Path):
    registry = ModelRegistry(str(tmp_path))
    registry.promote(registry.add(folder, DOCUMENTS, facts("k1")).version, **WHO)

    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)

    version, ranked, modules = json.loads(done.stdout)
    assert (version, ranked, done.stderr) == (1, 3, "")
    assert {"onnxruntime", "tokenizers"} <= set(modules)
    heavy = {"torch", "transformers", "sentence_transformers", "sqlalchemy", "daft", "pandas", "dagster", "lancedb"}
    assert set(modules).isdisjoint(heavy)


def test_weights_that_were_damaged_are_found_before_they_answer(folder: Path, tmp_path: Path, caplog):
    registry = ModelRegistry(str(tmp_path))
    model = registry.add(folder, DOCUMENTS, facts("k1"))
    registry.promote(1, **WHO)
    weights = Path(model.path) / "model" / CROSS.folder / "onnx" / "model.onnx.data"
    with weights.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"damage")

    reranker = Reranker.open("production", tmp_path, refresh_seconds=0)

    assert reranker.is_base
    assert "model.onnx.data is not what the manifest says" in caplog.text


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.data", "tokenizer.json", "encoder.json"])
def test_a_part_that_lost_a_file_is_named(folder: Path, tmp_path: Path, name: str):
    _linked(folder / CROSS.folder / "onnx", tmp_path / "cross_encoder" / "onnx")
    (tmp_path / "cross_encoder" / "onnx" / name).unlink()

    with pytest.raises(ModelFolderError, match=rf"{name} not found in .*onnx: the model is incomplete"):
        open_part(tmp_path, CROSS, 256)


@pytest.mark.parametrize(
    ("name", "content"), [("model.onnx", "x"), ("tokenizer.json", "{}"), ("encoder.json", '{"further_files": []}')]
)
def test_a_part_that_cannot_be_read_is_named(folder: Path, tmp_path: Path, name: str, content: str):
    onnx = tmp_path / "cross_encoder" / "onnx"
    _linked(folder / CROSS.folder / "onnx", onnx)
    (onnx / name).unlink()
    (onnx / name).write_text(content)

    with pytest.raises(ModelFolderError, match=rf"the model in {onnx} cannot be read"):
        open_part(tmp_path, CROSS, 256)


def test_an_export_that_scores_otherwise_is_refused_and_the_former_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _write_tiny(tmp_path / "torch", labels=1)
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "former").touch()
    scores = TorchCrossEncoder.pair_scores
    monkeypatch.setattr(TorchCrossEncoder, "pair_scores", lambda *given: scores(*given) + 0.002)

    with pytest.raises(PartExportError, match=r"differs from the model by 0\.002 .*FEEDBACK_RERANKER_BASE"):
        export_part(tmp_path, "cross_encoder")

    assert [path.name for path in (tmp_path / "onnx").iterdir()] == ["former"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["onnx", "torch"]


def test_what_cannot_be_exported_is_explained(tmp_path: Path):
    _write_tiny(tmp_path / "two" / "torch", labels=2)

    with pytest.raises(PartExportError, match="has 2 labels; ranking needs one with num_labels=1"):
        export_part(tmp_path / "two", "cross_encoder")
    with pytest.raises(ModelFolderError, match="holds no model"):
        export_part(tmp_path, "cross_encoder")
    with pytest.raises(ValueError, match="'bm25' has no ONNX form"):
        export_part(tmp_path, "bm25")


def _write_tiny(folder: Path, *, labels: int) -> None:
    """Write a cross-encoder of one small layer."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    size: dict[str, Any] = {
        "num_labels": labels,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    BertForSequenceClassification(BertConfig(**size)).save_pretrained(str(folder))
    AutoTokenizer.from_pretrained(str(model_folder(BUNDLED))).save_pretrained(str(folder))


def _linked(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in source.iterdir():
        os.link(path, target / path.name)
