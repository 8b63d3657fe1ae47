"""A plot as an SVG document of its own, for what shows pictures and no pages."""

import base64
from collections.abc import Sequence
from xml.etree import ElementTree

from feedback_pipeline.insight.plots.charts import Chart, Mark
from feedback_pipeline.insight.plots.figure import Figure

COLOURS = {1: "#2059ad", 2: "#b35900", 3: "#1f7a4d", 4: "#9b3a86", 5: "#8a6d00", 6: "#566070"}
"""By style of a series; the same as on the page."""
_PAPER, _TEXT, _MUTED, _LINE = "#ffffff", "#1b2430", "#566070", "#d5dae1"
_HEAD = 46
"""Room above the plot for its title and legend."""


def svg(figure: Figure) -> str:
    """Return ``figure`` in its wide form with title, axes and legend; words where there is nothing to draw."""
    chart = figure.charts[0] if figure.charts else None
    width, height = (chart.size.width, chart.size.height) if chart else (640, 30)
    root = _element(
        None,
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height + _HEAD}",
        width=width,
        height=height + _HEAD,
        role="img",
        font_family="sans-serif",
        font_size=12,
    )
    _element(root, "rect", width=width, height=height + _HEAD, fill=_PAPER)
    _text(root, 8, 18, figure.title, fill=_TEXT, font_size=15, font_weight="bold")
    if chart is None:
        _text(root, 8, 44, figure.nothing, fill=_MUTED)
    else:
        _legend(root, figure.legend)
        _draw(_element(root, "g", transform=f"translate(0 {_HEAD})"), chart)
    return ElementTree.tostring(root, encoding="unicode")


def data_uri(document: str) -> str:
    """Return an SVG document as the address of a picture."""
    return f"data:image/svg+xml;base64,{base64.b64encode(document.encode()).decode()}"


def _legend(root: ElementTree.Element, legend: Sequence[tuple[str, int]]) -> None:
    x = 8.0
    for name, style in legend:
        _element(root, "rect", x=round(x, 1), y=30, width=10, height=10, fill=COLOURS[style])
        _text(root, x + 15, 39, name, fill=_MUTED)
        x += 15 + 7 * len(name) + 18


def _draw(plot: ElementTree.Element, chart: Chart) -> None:
    size = chart.size
    for tick in chart.y_ticks:
        _element(plot, "line", x1=size.left, x2=size.width - size.right, y1=tick.at, y2=tick.at, stroke=_LINE)
        _text(plot, size.left - 6, tick.at + 4, tick.label, fill=_MUTED, text_anchor="end")
    for tick in chart.x_ticks:
        _text(plot, tick.at, size.height - 6, tick.label, fill=_MUTED, text_anchor="middle")
    for mark in chart.marks:
        _draw_mark(plot, mark, is_line=chart.kind == "lines")


def _draw_mark(plot: ElementTree.Element, mark: Mark, *, is_line: bool) -> None:
    colour = COLOURS[mark.style]
    if mark.path:
        look = {"fill": "none", "stroke": colour, "stroke_width": 2} if is_line else {"fill": colour}
        _element(plot, "path", d=mark.path, **look)
    for x, y in mark.dots:
        _element(plot, "circle", cx=x, cy=y, r=3.2, fill=colour)


def _text(parent: ElementTree.Element, x: float, y: float, words: str, **attributes: str | float) -> None:
    _element(parent, "text", x=round(x, 1), y=round(y, 1), **attributes).text = words


def _element(parent: ElementTree.Element | None, tag: str, **attributes: str | float) -> ElementTree.Element:
    named = {name.replace("_", "-"): str(value) for name, value in attributes.items()}
    return ElementTree.Element(tag, named) if parent is None else ElementTree.SubElement(parent, tag, named)
