"""Recall as a picture: one panel per evaluation set, a line per method, the 95 % intervals as strokes. SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from feedback_pipeline.evaluation.recall import MethodRecall, RecallTable
from feedback_pipeline.insight.plots import WIDE, Chart, Series, fractions, lines

_TEMPLATE = "recall.svg.j2"
_APART = 7
"""Units between methods, so that their intervals do not cover each other."""


class PlotFileError(ValueError):
    """The plot cannot be written under that name."""


@dataclass(frozen=True)
class Panel:
    """One evaluation set: the chart, and per method the strokes of its intervals as (x, top, bottom)."""

    title: str
    chart: Chart
    strokes: tuple[tuple[tuple[float, float, float], ...], ...]


def check_plot_file(path: Path) -> None:
    """Raise PlotFileError unless a plot can be written to ``path``."""
    if path.suffix.lower() != ".svg":
        raise PlotFileError(f"{path}: plots are written as SVG; name a file that ends in .svg")
    if not path.parent.is_dir():
        raise PlotFileError(f"{path}: there is no folder {path.parent}")


def write_plot(path: Path, tables: Sequence[RecallTable]) -> None:
    """Draw the recall of some tables, measured at the same k, into an SVG file. Raises PlotFileError or OSError."""
    check_plot_file(path)
    path.write_text(plot(tables), encoding="utf-8")


def plot(tables: Sequence[RecallTable]) -> str:
    """Return the SVG text of some tables."""
    from jinja2 import Environment, StrictUndefined

    source = files("feedback_pipeline.evaluation").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    methods = list(dict.fromkeys(one.method for table in tables for one in table.methods))
    panels = [_panel(table, methods) for table in tables]
    return template.render(panels=panels, methods=methods, size=WIDE, apart=_APART) + "\n"


def _panel(table: RecallTable, methods: Sequence[str]) -> Panel:
    labels = [f"first {k}" if k > 1 else "first" for k in table.ks]
    styles = [methods.index(one.method) for one in table.methods]

    def drawn(value: int) -> Chart:
        """Draw the recall (0), or the lower (1) or upper (2) end of its interval."""
        series = [
            Series(one.method, [_values(one, k)[value] for k in table.ks], style)
            for one, style in zip(table.methods, styles, strict=True)
        ]
        return lines(labels, series, fractions(), WIDE)

    chart, low, high = (drawn(value) for value in range(3))
    strokes = tuple(
        tuple((x, top, bottom) for (x, bottom), (_, top) in zip(below.dots, above.dots, strict=True))
        for below, above in zip(low.marks, high.marks, strict=True)
    )
    return Panel(f"{table.questions.name}: {len(table.questions.answerable.asked)} questions asked", chart, strokes)


def _values(one: MethodRecall, k: int) -> tuple[float | None, float | None, float | None]:
    share = one.recall(k)
    low, high = share.interval or (None, None)
    return share.value, low, high
