"""The report of a training, promoted or not: as JSON for machines, as Markdown with plots for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from feedback_pipeline.insight.plots.figure import Figure
from feedback_pipeline.insight.plots.svg import svg
from feedback_pipeline.reranker.candidates.training_loop import LossPoint
from feedback_pipeline.reranker.comparison.held_out import DISTRACTORS
from feedback_pipeline.reranker.comparison.ranking_metrics import METRICS
from feedback_pipeline.reranker.comparison.report_plots import gain_figures, loss_figure
from feedback_pipeline.reranker.evaluate import SURFACED
from feedback_pipeline.reranker.gate import Decision
from feedback_pipeline.tables.files import json_bytes


@dataclass(frozen=True)
class TrainingReport:
    """All that is told of one training.

    Attributes:
        candidate: the chosen one.
        dataset: ``name``, ``version`` and ``digest``.
        decision: the gate's.
        validation: means of each candidate on the validation split.
        parts: of the chosen model, with coefficients.
        training: the configuration.
        data: counts of what was trained on.
        curves: loss curves of everything that was trained.
    """

    candidate: str
    dataset: dict[str, Any]
    decision: Decision
    validation: Mapping[str, Mapping[str, float | None]]
    parts: list[dict[str, Any]]
    training: dict[str, Any]
    data: dict[str, Any]
    curves: Mapping[str, list[LossPoint]]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "candidate": self.candidate,
            "dataset": self.dataset,
            "gate": self.decision.as_dict(),
            "validation": {name: dict(means) for name, means in self.validation.items()},
            "parts": self.parts,
            "training": self.training,
            "data": self.data,
            "loss": {part: [[point.step, point.loss] for point in curve] for part, curve in self.curves.items()},
        }

    def figures(self) -> list[Figure]:
        """Return the plots: gains over each opponent, loss curves."""
        losses = [loss_figure(part, curve) for part, curve in self.curves.items() if curve]
        return [*gain_figures(self.decision.comparisons), *losses]

    def markdown(self) -> str:
        """Return what people read."""
        return (
            _environment()
            .get_template("report.md.j2")
            .render(**self.as_dict(), metrics=METRICS, distractors=DISTRACTORS, surfaced=SURFACED)
        )

    def documents(self) -> dict[str, bytes]:
        """Return the files that lie beside the model, by path."""
        plots = {f"plots/{figure.name}.svg": svg(figure).encode() for figure in self.figures()}
        listed = "".join(f"\n![{figure.title}](plots/{figure.name}.svg)\n" for figure in self.figures())
        report = f"{self.markdown()}\n## Plots\n{listed}"
        return {"report.json": json_bytes(self.as_dict()), "report.md": report.encode(), **plots}


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("feedback_pipeline.reranker", "templates"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown made of numbers and our own names
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["figure"] = lambda value: "–" if value is None else f"{value:.3f}"
    environment.filters["points"] = lambda value: "–" if value is None else f"{100 * value:+.1f}"
    environment.filters["interval"] = _interval
    return environment


def _interval(gain: Mapping[str, Any]) -> str:
    if gain["low"] is None:
        return "–"
    return f"{100 * gain['low']:+.1f} to {100 * gain['high']:+.1f}"
