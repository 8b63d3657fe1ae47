"""A plot as a picture of its own."""

import base64
from datetime import date
from xml.etree import ElementTree

from feedback_pipeline.insight.plots import WIDE, Intervals, Series, Size, intervals, signed_fractions
from feedback_pipeline.insight.plots import stacked_bars as bars
from feedback_pipeline.insight.plots.figure import Figure, Table, charts_of
from feedback_pipeline.insight.plots.scale import amounts
from feedback_pipeline.insight.plots.svg import COLOURS, data_uri, svg

SVG = "{http://www.w3.org/2000/svg}"


def figure(title: str = "Thumbs", values: tuple[int, ...] = (1, 2)) -> Figure:
    series = [Series("up & <down>", list(values), 2)]
    charts = charts_of(bars, [date(2026, 1, day) for day in range(1, len(values) + 1)], series, amounts)
    return Figure("thumbs", title, "How it was.", "Nothing yet.", (("up & <down>", 2),), charts, Table((), []))


def test_a_picture_has_title_axes_legend_and_bars() -> None:
    root = ElementTree.fromstring(svg(figure()))

    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts[:2] == ["Thumbs", "up & <down>"]
    assert {"1 Jan", "2 Jan", "0", "2"} <= set(texts)
    [path] = root.iter(f"{SVG}path")
    assert path.get("fill") == COLOURS[2]


def test_everything_lies_within_the_picture() -> None:
    root = ElementTree.fromstring(svg(figure()))

    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert (width, height) == (WIDE.width, WIDE.height + 46)
    for element in root.iter(f"{SVG}text"):
        assert 0 <= float(element.attrib["x"]) <= width
        assert 0 <= float(element.attrib["y"]) <= height


def test_where_there_is_nothing_to_draw_words_say_so() -> None:
    root = ElementTree.fromstring(svg(figure(values=(0, 0))))

    assert [element.text for element in root.iter(f"{SVG}text")] == ["Thumbs", "Nothing yet."]


def test_words_cannot_become_markup() -> None:
    document = svg(figure("</svg><script>alert(1)</script>"))

    assert "<script>" not in document
    assert next(ElementTree.fromstring(document).iter(f"{SVG}text")).text == "</svg><script>alert(1)</script>"


def test_the_address_of_a_picture_holds_all_of_it() -> None:
    head, content = data_uri(svg(figure())).split(",")

    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(content).decode() == svg(figure())


def test_intervals_stand_around_zero() -> None:
    size = Size(width=200, height=100, left=0, right=0, top=0, bottom=0)
    values = [(-0.5, -0.25, 0.0), None]

    chart = intervals(["1", "2"], [Intervals("harms", values, 2)], signed_fractions(0.5), size)

    assert chart.marks[0].path == "M50 100V50"
    assert chart.marks[0].dots == ((50.0, 75.0),)
    assert [tick.label for tick in chart.y_ticks][:2] == ["−50%", "−40%"]
    assert next(tick.at for tick in chart.y_ticks if tick.label == "0") == 50
