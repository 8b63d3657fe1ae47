"""Where things lie in a plot, in the units of its ``viewBox``: pure numbers, no markup and no colours.

``scale`` chooses axes, ``charts`` places bars and lines, ``figure`` is a plot with its numbers, ``svg`` draws one for
what is no page. A page draws the same chart in two widths, because text that
is scaled down with a plot cannot be read on a phone.
"""

from feedback_pipeline.insight.plots.charts import (
    NARROW,
    WIDE,
    Chart,
    Intervals,
    Series,
    Size,
    intervals,
    lines,
    stacked_bars,
)
from feedback_pipeline.insight.plots.scale import Axis, amounts, durations, fractions, numbers, signed_fractions

__all__ = [
    "NARROW",
    "WIDE",
    "Axis",
    "Chart",
    "Intervals",
    "Series",
    "Size",
    "amounts",
    "durations",
    "fractions",
    "intervals",
    "lines",
    "numbers",
    "signed_fractions",
    "stacked_bars",
]
