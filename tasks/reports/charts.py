"""Charts for reports: SVG, readable in light and dark, without any outside request."""

from collections.abc import Mapping, Sequence
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.reports import drawing
from tasks.reports.drawing import COLOURS, INK, LINES
from thirdshift.evaluation import Interval
from thirdshift.outcome import Ran

if TYPE_CHECKING:
    import pandas as pd

_BAR = 15  # points, of 27 that a row has
_FEW = 30  # points that are each worth a dot


def timeline(runs: Sequence[Ran], zone: tzinfo) -> str:
    """Draw when each run was under way, a row per flow, coloured by outcome; return SVG."""
    flows = list(dict.fromkeys(run.flow for run in runs))
    figure, axes = drawing.canvas(rows=len(flows))
    for run in runs:
        start: Any = run.started_at.astimezone(zone).replace(tzinfo=None)
        colour = COLOURS[run.outcome.status]
        width: Any = timedelta(seconds=max(run.seconds, 0.01))
        axes.barh(flows.index(run.flow), width, left=start, color=colour, height=0.5)
        axes.plot([start], [flows.index(run.flow)], marker="|", color=colour, markersize=14)
    axes.set_yticks(range(len(flows)), flows)
    axes.invert_yaxis()
    drawing.time_axis(axes)
    drawing.legend(axes, {run.outcome.status: COLOURS[run.outcome.status] for run in runs})
    return drawing.to_svg(figure)


def bars(values: Mapping[str, float], unit: str) -> str:
    """Draw one horizontal bar per name, its value beside it; return SVG."""
    return _ranked(values, [LINES[0]] * len(values), unit, "")


def intervals(values: Mapping[str, Interval], held: Sequence[bool], unit: str) -> str:
    """Draw each name's mean and confidence interval around zero, red where it did not hold."""
    figure, axes = drawing.canvas(rows=len(values))
    for row, (interval, holds) in enumerate(zip(values.values(), held, strict=True)):
        colour = COLOURS["done" if holds else "failed"]
        axes.plot([interval.low, interval.high], [row, row], color=colour, linewidth=3, alpha=0.6)
        axes.plot([interval.mean], [row], marker="o", color=colour)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(len(values)), list(values))
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_xlabel(unit)
    return drawing.to_svg(figure)


def curves(points: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str) -> str:
    """Draw one line per name through its (x, y) points, a dot at each of a few; return SVG."""
    figure, axes = drawing.canvas(rows=7)
    drawn = dict(zip(points, LINES, strict=False))
    for name, colour in drawn.items():
        marker = "o" if len(points[name]) <= _FEW else ""
        axes.plot(*zip(*points[name], strict=True), color=colour, marker=marker, linewidth=1.6)
    axes.set_xlabel(x)
    axes.set_ylabel(y, color=INK)
    axes.grid(axis="y", alpha=0.25)
    drawing.legend(axes, drawn)
    return drawing.to_svg(figure)


class Marks(NamedTuple):
    """What is marked in a series: moments of anomalies and shifts, and whether it has a trend."""

    anomalies: Sequence[Any] = ()
    shifts: Sequence[Any] = ()
    trend: bool = False


def series(values: "pd.Series", marks: Marks, unit: str) -> str:
    """Draw a series over time with its trend, anomalies and shifts; return SVG."""
    figure, axes = drawing.canvas(rows=6)
    shown: Any = values.astype(float)
    axes.plot(shown.index, shown.to_numpy(), color=LINES[0], linewidth=1.1)
    if marks.trend:
        axes.plot(*_line(shown), color=INK, linewidth=1, linestyle="--")
    there = shown[shown.index.isin(list(marks.anomalies))]
    axes.scatter(there.index, there.to_numpy(), color=COLOURS["failed"], s=26, zorder=3)
    for moment in marks.shifts:
        axes.axvline(moment, color=COLOURS["deferred"], linewidth=1.2)
    axes.set_ylabel(unit, color=INK)
    axes.locator_params(axis="y", nbins=5)
    axes.yaxis.set_major_formatter(drawing.tick)
    drawing.time_axis(axes)
    marked = {"anomaly": bool(marks.anomalies), "shift": bool(marks.shifts), "trend": marks.trend}
    colours = {"anomaly": COLOURS["failed"], "shift": COLOURS["deferred"], "trend": INK}
    if any(marked.values()):
        drawing.legend(axes, {name: colours[name] for name, there in marked.items() if there})
    return drawing.to_svg(figure)


def changes(values: Mapping[str, float], unit: str) -> str:
    """Draw a horizontal bar per name, up and down in two colours; return SVG."""
    colours = [COLOURS["done" if value >= 0 else "failed"] for value in values.values()]
    return _ranked(values, colours, unit, "+")


def _ranked(values: Mapping[str, float], colours: Sequence[str], unit: str, sign: str) -> str:
    """Draw bars between their names and their values; an axis would say nothing more."""
    figure, axes = drawing.canvas(rows=len(values))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.hlines(range(len(values)), 0, list(values.values()), colors=colours, linewidth=_BAR)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel(unit)
    names = [drawing.unmarked(name) for name in values]
    width = figure.get_figwidth() - drawing.left_margin(names)
    axes.set_xlim(*_reach(list(values.values()), sign, width))
    for row, (name, value) in enumerate(zip(names, values.values(), strict=True)):
        drawing.beside(axes, name, (0, row), -1, axes.get_yaxis_transform())
        side = -1 if value < 0 else 1
        drawing.beside(axes, drawing.number(value, sign), (value, row), side, "data")
    return drawing.to_svg(figure, names)


def _reach(values: Sequence[float], sign: str, inches: float) -> tuple[float, float]:
    """Return the limits by which bars and the values beside them fill so many inches."""
    widths = [(value < 0, drawing.inches(drawing.number(value, sign)) + 0.1) for value in values]
    before = max((width for below, width in widths if below), default=0.0)
    behind = max((width for below, width in widths if not below), default=0.0)
    low, high = min(0, *values), max(0, *values)
    scale = ((high - low) or 1) / max(inches - before - behind, 1)
    return low - before * scale, high + behind * scale


def _line(values: Any) -> tuple[Any, Any]:
    """Return the ends of the least-squares line through a series: two moments, two heights."""
    import numpy as np

    present = values.dropna()
    moments = present.index.astype("int64").to_numpy()
    slope, level = np.polyfit(moments - moments[0], present.to_numpy(), 1)
    ends = np.array([0, moments[-1] - moments[0]])
    return present.index[[0, -1]], slope * ends + level
