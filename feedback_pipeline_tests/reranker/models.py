"""Model folders and versions of the registry made in milliseconds: what tells them apart is what BM25 finds rare."""

from pathlib import Path
from typing import Any, TypedDict

from feedback_pipeline.reranker.models.model import Model
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker.scoring import Bm25Statistics, ModelFolder, PartSpec

QUERY = "refund shop"
PASSAGES = ["nothing of the kind", "a refund", "the shop"]


class Who(TypedDict):
    """Why the pointer is moved, and by whom."""

    reason: str
    by: str


WHO: Who = {"reason": "test", "by": "test"}
DOCUMENTS = {"README.md": b"# reranker\n", "report.md": b"better\n", "plots/loss.svg": b"<svg/>"}


def write_model(folder: Path, *, rare: str = "refund", sign: float = 1.0) -> Path:
    """Write the folder of a model that puts passages with ``rare`` first (last, with a sign of -1)."""
    known = [f"{word} {number}" for word in ("refund", "shop") for number in range(2 if word == rare else 9)]
    Bm25Statistics.from_passages(known).write(folder / "bm25")
    ModelFolder("bm25", (PartSpec("bm25", "bm25", coefficient=sign),)).write(folder)
    return folder


def facts(key: str, **changes: Any) -> dict[str, Any]:
    """Return what a manifest tells."""
    return {
        "training_key": key,
        "candidate": "blend",
        "dataset": {"name": "reranker", "version": 1, "digest": "d1"},
        "metrics": {"ndcg@10": 0.5},
        "gate": {"promoted": True, "reasons": ["nDCG@10 +0.05 (+0.02 to +0.08)"]},
        **changes,
    }


def add_model(root: Path | str, work: Path, key: str, *, rare: str = "refund", sign: float = 1.0, **more: Any) -> Model:
    """Add a model to the registry below ``root``."""
    folder = write_model(work / f"work-{key}", rare=rare, sign=sign)
    return ModelRegistry(str(root)).add(folder, DOCUMENTS, facts(key, **more))
