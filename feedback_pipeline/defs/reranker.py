"""[training] The reranker loop: ratings → triplets → dataset → model, promoted only where it is surely better."""

from typing import Any

import dagster as dg

from feedback_pipeline.defs.release_metadata import release_metadata
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.insight.plots.svg import data_uri
from feedback_pipeline.reranker.candidates.config import CODE_VERSION
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker_ratings import judge_ratings
from feedback_pipeline.reranker_release import release_reranker
from feedback_pipeline.reranker_training import Retrained, retrain
from feedback_pipeline.tables.files import read_bytes

_COMMON = {"group_name": "training", "owners": ["team:data-engineering"]}


@dg.asset(deps=["raw_interactions"], kinds={"numpy", "parquet"}, code_version="1", **_COMMON)
def reranker_triplets(feedback: Feedback) -> dg.MaterializeResult:
    """What users' thumbs say of the passages of each question; what became nothing is kept with its reason."""
    judged = judge_ratings(feedback.settings)
    shown = {name: value for name, value in judged.counts.items() if name != "dropped"}
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": judged.stored.rows,
            "effective_triplets": judged.effective,
            "dropped": dg.MetadataValue.json(judged.counts["dropped"]),
            "path": judged.stored.path,
            **shown,
        },
        data_version=dg.DataVersion(judged.stored.digest[:16]),
    )


@dg.asset(deps=[reranker_triplets], kinds={"parquet", "huggingface"}, code_version="1", pool="releases", **_COMMON)
def reranker_dataset(context: dg.AssetExecutionContext, feedback: Feedback) -> dg.MaterializeResult:
    """Release ``reranker/vN``: triplets, labelled pairs and lists; unchanged input releases nothing."""

    def report(what: str, done: int, total: int) -> None:
        context.log.info(f"{what}: {done:,} of {total:,} rows")

    result = release_reranker(feedback.store, feedback.settings, report)
    if result.release is None:
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, "published": False})
    metadata = release_metadata(feedback.releases, result)
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(result.release.digest[:16]))


@dg.asset(
    deps=[reranker_dataset],
    kinds={"sentencetransformers", "onnx"},
    code_version=str(CODE_VERSION),
    pool="reranker_training",
    **_COMMON,
)
def reranker_model(context: dg.AssetExecutionContext, feedback: Feedback) -> dg.MaterializeResult:
    """Train on the latest release, hold the best candidate against what is live, and promote it if it is better."""

    def report(what: str, done: int, total: int, loss: float | None) -> None:
        context.log.info(f"{what}: step {done} of {total}" + ("" if loss is None else f", loss {loss:.4f}"))

    retrained = retrain(feedback.store, feedback.settings, report)
    state = ModelRegistry(feedback.settings.storage_root).state_of(retrained.model)
    return dg.MaterializeResult(
        metadata=_metadata(retrained, state), data_version=dg.DataVersion(f"v{retrained.model.version}")
    )


def _metadata(retrained: Retrained, state: str) -> dict[str, Any]:
    model, told = retrained.model, retrained.report
    gate = told["gate"]
    figures = {
        f"held_out_{name.replace('@', '_at_')}": value for name, value in gate["means"].items() if value is not None
    }
    return {
        "version": f"v{model.version}",
        "trained": retrained.is_new,
        "passed_gate": gate["promoted"],
        "state": state,
        "reasons": dg.MetadataValue.md("\n".join(f"- {reason}" for reason in gate["reasons"])),
        "candidate": told["candidate"],
        "dataset": f"{told['dataset']['name']} v{told['dataset']['version']}",
        "path": dg.MetadataValue.path(model.path),
        **figures,
        **_pictures(retrained),
        "report": dg.MetadataValue.md(read_bytes(f"{model.path}/README.md").decode()),
        "loss": dg.MetadataValue.json({part: curve for part, curve in told["loss"].items() if curve}),
    }


def _pictures(retrained: Retrained) -> dict[str, dg.MetadataValue]:
    path = retrained.model.path
    files = [file["path"] for file in retrained.model.manifest["files"] if file["path"].startswith("plots/")]
    return {
        f"plot_{name.removeprefix('plots/').removesuffix('.svg')}": dg.MetadataValue.md(
            f"![{name}]({data_uri(read_bytes(f'{path}/{name}').decode())})"
        )
        for name in files
    }
