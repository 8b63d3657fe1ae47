"""The pictures of a training: its loss curves, and the gains with their intervals."""

from collections.abc import Mapping, Sequence

from feedback_pipeline.insight.plots import WIDE, Intervals, Series, intervals, lines, numbers, signed_fractions
from feedback_pipeline.insight.plots.figure import Figure, Table
from feedback_pipeline.reranker.candidates.training_loop import LossPoint
from feedback_pipeline.reranker.comparison.ranking_metrics import METRICS
from feedback_pipeline.reranker.evaluate import Gain
from feedback_pipeline.reranker.gate import PRIMARY, Comparison

_MOST_SLICES = 8


def loss_figure(part: str, curve: Sequence[LossPoint]) -> Figure:
    """Return the loss curve of one trained part."""
    name = part.replace("_", "-")
    labels = [str(point.step) for point in curve]
    values = [point.loss for point in curve]
    charts = ()
    if len(curve) > 1:
        charts = (lines(labels, [Series("loss", values, 1)], numbers(max(values)), WIDE, labels),)
    return Figure(
        name=f"loss_{part}",
        title=f"Training loss of the {name} by step",
        description="Mean loss of the steps since the point before.",
        nothing="No loss was logged.",
        legend=(("loss", 1),),
        charts=charts,
        table=Table(("step", "loss"), [(point.step, f"{point.loss:.4f}") for point in curve]),
        is_line=True,
    )


def gain_figures(comparisons: Sequence[Comparison]) -> list[Figure]:
    """Return two figures for each opponent: the gain by metric, and in the primary metric by slice."""
    figures = []
    for one in comparisons:
        by_metric = {metric: one.gains[metric] for metric in METRICS}
        figures.append(_gains(f"gain_over_{_slug(one.name)}", f"Gain over {one.name}, with 95 % intervals", by_metric))
        slices = dict(sorted(one.slices.items(), key=lambda item: (-item[1].queries, item[0]))[:_MOST_SLICES])
        title = f"Gain in {PRIMARY.replace('_', ' ')} over {one.name} by slice"
        figures.append(_gains(f"slices_over_{_slug(one.name)}", title, slices))
    return figures


def _gains(name: str, title: str, found: Mapping[str, Gain]) -> Figure:
    bounds = [
        None if one.estimate is None or one.low is None or one.high is None else (one.low, one.estimate, one.high)
        for one in found.values()
    ]
    furthest = max((abs(value) for bound in bounds if bound for value in bound), default=0.0)
    labels = [_short(label) for label in found]
    charts = ()
    if any(bounds):
        axis = signed_fractions(max(furthest, 0.01))
        charts = (intervals(labels, [Intervals("gain", bounds, 1)], axis, WIDE, list(found)),)
    rows = [(label, one.queries, _said(one)) for label, one in found.items()]
    return Figure(
        name=name,
        title=title,
        description="Points and intervals of paired differences; above zero the candidate is better.",
        nothing="No held-out query tells.",
        legend=(("gain", 1),),
        charts=charts,
        table=Table(("what", "queries", "gain"), rows),
    )


def _short(label: str) -> str:
    return label.removeprefix("source ").removeprefix("query of ").replace("_accuracy", "")


def _said(one: Gain) -> str:
    if one.estimate is None or one.low is None or one.high is None:
        return "–"
    return f"{one.estimate:+.3f} ({one.low:+.3f} to {one.high:+.3f})"


def _slug(name: str) -> str:
    return "".join(sign if sign.isalnum() else "_" for sign in name)
