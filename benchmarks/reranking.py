"""Ranking 100 passages: the exported cross-encoder beside ``CrossEncoder.rank`` with the same weights, and the others.

Weights are random on top of MiniLM: what they say is no matter here, only how long it takes to say it.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.retrieval.results import Durations, Result, in_turns, p50
from feedback_pipeline.curation.encoder import BUNDLED, model_folder
from feedback_pipeline.example_index.fair_limit import processors
from feedback_pipeline.reranker.scoring import BlendScorer, Bm25Statistics, ModelFolder, PartSpec, open_scorer
from feedback_pipeline.reranker.scoring.onnx_export import export_part

PEER, TORCH, ONNX = "CrossEncoder.rank", "cross-encoder, torch", "cross-encoder, ONNX"
BI, BI_AGAIN = "bi-encoder, ONNX, new passages", "bi-encoder, ONNX, passages seen before"
BLEND = "blend (base, BM25, cross-encoder), ONNX"
_MAX_TOKENS = 256
_SPREAD = 40
"""Standard deviation of the length of passages, in words."""

_PROCESS = """
import sys, time
started = time.perf_counter()
{imports}
{opened}
{asked}
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(time.perf_counter() - started, int(status["VmHWM"].split()[0]) / 1024)
"""
_OURS = {
    "imports": "from pathlib import Path; from feedback_pipeline.reranker.scoring import open_scorer",
    "opened": "scorer = open_scorer(Path(sys.argv[1]))",
    "asked": "scorer.score('a refund', ['five days'])",
}
_THEIRS = {
    "imports": "from sentence_transformers import CrossEncoder",
    "opened": "model = CrossEncoder(sys.argv[1] + '/cross_encoder/torch', device='cpu', local_files_only=True)",
    "asked": "model.rank('a refund', ['five days'])",
}


def measure(passages: int, tokens: int, rounds: int, *, as_json: bool = False) -> None:
    """Print p50 and p95 of one ranking in each way, their ratios, and what a process that ranks costs."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_models(folder)
        seconds, spent = _durations(folder, passages, tokens, rounds)
        result = Result(f"ranking {passages} passages of about {tokens} tokens", seconds)
        notes = [*_ratios("time", seconds), *_ratios("processor time", spent), *_processes(folder / ONNX)]
        result.notes = [*notes, f"load of the machine: {os.getloadavg()[0]:.1f} on {processors()} processors"]
    result.show(Console(stderr=as_json))
    if as_json:
        Console().print_json(json.dumps(result.as_dict()))


def _write_models(folder: Path) -> None:
    import torch
    from sentence_transformers import CrossEncoder, SentenceTransformer

    torch.manual_seed(1)
    minilm, parts = str(model_folder(BUNDLED)), folder / "parts"
    CrossEncoder(minilm, num_labels=1, device="cpu").save_pretrained(str(parts / "cross_encoder" / "torch"))
    SentenceTransformer(minilm, device="cpu").save_pretrained(str(parts / "base" / "torch"))
    export_part(parts / "cross_encoder", "cross_encoder")
    export_part(parts / "base", "base_cosine")
    Bm25Statistics.from_passages(_texts(1_000, 200, seed=2)).write(parts / "bm25")
    cross, base, bm25 = (
        PartSpec("cross_encoder", "cross_encoder"),
        PartSpec("base_cosine", "base"),
        PartSpec("bm25", "bm25"),
    )
    for name, specs in {ONNX: (cross,), BI: (base,), BLEND: (base, bm25, cross)}.items():
        (folder / name).mkdir()
        for spec in specs:
            (folder / name / spec.folder).symlink_to(parts / spec.folder)
        ModelFolder(name, specs, _MAX_TOKENS).write(folder / name)


def _durations(folder: Path, passages: int, tokens: int, rounds: int) -> tuple[Durations, Durations]:
    from sentence_transformers import CrossEncoder

    peer: Any = CrossEncoder(str(folder / "parts" / "cross_encoder" / "torch"), device="cpu", local_files_only=True)
    peer.max_seq_length = _MAX_TOKENS
    scorers = {name: open_scorer(folder / name) for name in (ONNX, BI, BLEND)}
    scorers[TORCH] = open_scorer(folder / ONNX, "torch", "cpu")
    ways = {PEER: peer.rank, **{name: _ranking(scorer) for name, scorer in scorers.items()}}
    asked = [(_texts(1, 10, number)[0], _texts(passages, tokens, -number)) for number in range(rounds + 1)]
    in_turns(ways, asked[:1])
    spent: Durations = {name: [] for name in (*ways, BI_AGAIN)}
    seconds = in_turns({name: _counted(way, spent[name]) for name, way in ways.items()}, asked[1:])
    again = _counted(_ranking(scorers[BI]), spent[BI_AGAIN])
    seconds |= in_turns({BI_AGAIN: again}, [("something else", texts) for _, texts in asked[1:]])
    return seconds, spent


def _counted(way: Callable[..., object], spent: list[float]) -> Callable[..., object]:
    """Note the processor time of each call too: another program takes none of it, and it takes some of the clock's."""

    def call(*arguments: Any) -> object:
        started = time.process_time()
        result = way(*arguments)
        spent.append(time.process_time() - started)
        return result

    return call


def _ranking(scorer: BlendScorer) -> Any:
    return lambda query, passages: np.argsort(-scorer.score(query, passages), kind="stable")


def _texts(count: int, tokens: int, seed: int) -> list[str]:
    """Return made-up texts of common English word pieces, each of which is one token."""
    chance = random.Random(seed)
    vocabulary = (model_folder(BUNDLED) / "vocab.txt").read_text(encoding="utf-8").split()
    words = [word for word in vocabulary[2_000:20_000] if word.isalpha()]
    lengths = (max(3, int(chance.gauss(tokens, min(_SPREAD, tokens / 4)))) for _ in range(count))
    return [" ".join(chance.choices(words, k=length)) for length in lengths]


def _ratios(what: str, spent: Durations) -> list[str]:
    others = {name: p50(times) for name, times in spent.items() if name != PEER}
    own = p50(spent[PEER])
    return [
        f"{what} of {PEER} / {name}: {own / other:.2f} ({own:.3g} s / {other:.3g} s)" for name, other in others.items()
    ]


def _processes(folder: Path) -> list[str]:
    """Return how long a process takes from its start to its first ranking, and its largest memory."""
    notes = []
    for name, steps in {ONNX: _OURS, PEER: _THEIRS}.items():
        where = folder if name == ONNX else folder.parent / "parts"
        command = [sys.executable, "-c", _PROCESS.format(**steps), str(where)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        runs = [subprocess.run(command, capture_output=True, text=True, check=True, env=environment) for _ in range(3)]
        started, memory = min(tuple(map(float, run.stdout.split()[-2:])) for run in runs)
        notes.append(f"{name}: {started:.2f} s from import to the first ranking, {memory:.0f} MiB at most")
    return notes
