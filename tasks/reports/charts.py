"""Charts for reports: drawn to SVG, readable in light and dark, without any outside request."""

import io
import warnings
from collections.abc import Mapping, Sequence
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import east_asian_width

from thirdshift.evaluation import Interval
from thirdshift.outcome import Ran

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLOURS = {
    "done": "#2e7d4f",
    "nothing_to_do": "#8a9a94",
    "skipped": "#c9a227",
    "deferred": "#d98c1f",
    "preempted": "#b07cc6",
    "waiting": "#3f9fbf",
    "failed": "#b3392f",
}
_LINES = ("#4d7ea8", "#d98c1f", "#2e7d4f", "#b07cc6")
_BAR = 15  # points, of 27 that a row has
_FEW = 30  # points that are each worth a dot
_INK = "#7d8590"  # legible on white and on black


def timeline(runs: Sequence[Ran], zone: tzinfo) -> str:
    """Draw when each run was under way, a row per flow, coloured by outcome; return SVG."""
    flows = list(dict.fromkeys(run.flow for run in runs))
    figure, axes = _canvas(rows=len(flows))
    for run in runs:
        start: Any = run.started_at.astimezone(zone).replace(tzinfo=None)
        colour = COLOURS[run.outcome.status]
        width: Any = timedelta(seconds=max(run.seconds, 0.01))
        axes.barh(flows.index(run.flow), width, left=start, color=colour, height=0.5)
        axes.plot([start], [flows.index(run.flow)], marker="|", color=colour, markersize=14)
    axes.set_yticks(range(len(flows)), flows)
    axes.invert_yaxis()
    _clock(axes)
    _legend(axes, {run.outcome.status: COLOURS[run.outcome.status] for run in runs})
    return _svg(figure)


def bars(values: Mapping[str, float], unit: str) -> str:
    """Draw one horizontal bar per name, its value beside it; return SVG."""
    return _ranked(values, [_LINES[0]] * len(values), unit, "")


def intervals(values: Mapping[str, Interval], held: Sequence[bool], unit: str) -> str:
    """Draw each name's mean and confidence interval around zero, red where it did not hold."""
    figure, axes = _canvas(rows=len(values))
    for at, (one, good) in enumerate(zip(values.values(), held, strict=True)):
        colour = COLOURS["done" if good else "failed"]
        axes.plot([one.low, one.high], [at, at], color=colour, linewidth=3, alpha=0.6)
        axes.plot([one.mean], [at], marker="o", color=colour)
    axes.axvline(0, color=_INK, linewidth=1)
    axes.set_yticks(range(len(values)), list(values))
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_xlabel(unit)
    return _svg(figure)


def curves(points: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str) -> str:
    """Draw one line per name through its (x, y) points, a dot at each of a few; return SVG."""
    figure, axes = _canvas(rows=7)
    drawn = dict(zip(points, _LINES, strict=False))
    for name, colour in drawn.items():
        marker = "o" if len(points[name]) <= _FEW else ""
        axes.plot(*zip(*points[name], strict=True), color=colour, marker=marker, linewidth=1.6)
    axes.set_xlabel(x)
    axes.set_ylabel(y, color=_INK)
    axes.grid(axis="y", alpha=0.25)
    _legend(axes, drawn)
    return _svg(figure)


class Marks(NamedTuple):
    """What is marked in a series: moments of anomalies and shifts, and whether it has a trend."""

    anomalies: Sequence[Any] = ()
    shifts: Sequence[Any] = ()
    trend: bool = False


def series(values: "pd.Series", marks: Marks, unit: str) -> str:
    """Draw a series over time with its trend, anomalies and shifts; return SVG."""
    figure, axes = _canvas(rows=6)
    shown: Any = values.astype(float)
    axes.plot(shown.index, shown.to_numpy(), color=_LINES[0], linewidth=1.1)
    if marks.trend:
        axes.plot(*_line(shown), color=_INK, linewidth=1, linestyle="--")
    there = shown[shown.index.isin(list(marks.anomalies))]
    axes.scatter(there.index, there.to_numpy(), color=COLOURS["failed"], s=26, zorder=3)
    for moment in marks.shifts:
        axes.axvline(moment, color=COLOURS["deferred"], linewidth=1.2)
    axes.set_ylabel(unit, color=_INK)
    axes.locator_params(axis="y", nbins=5)
    axes.yaxis.set_major_formatter(_tick)
    _clock(axes)
    known = {"anomaly": bool(marks.anomalies), "shift": bool(marks.shifts), "trend": marks.trend}
    colours = {"anomaly": COLOURS["failed"], "shift": COLOURS["deferred"], "trend": _INK}
    if any(known.values()):
        _legend(axes, {name: colours[name] for name, there in known.items() if there})
    return _svg(figure)


def changes(values: Mapping[str, float], unit: str) -> str:
    """Draw a horizontal bar per name, up and down in two colours; return SVG."""
    colours = [COLOURS["done"] if value >= 0 else COLOURS["failed"] for value in values.values()]
    return _ranked(values, colours, unit, "+")


def _ranked(values: Mapping[str, float], colours: Sequence[str], unit: str, sign: str) -> str:
    """Draw bars between their names and their values; an axis would say nothing more."""
    figure, axes = _canvas(rows=len(values))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.hlines(range(len(values)), 0, list(values.values()), colors=colours, linewidth=_BAR)
    axes.axvline(0, color=_INK, linewidth=0.8)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel(unit)
    names = [_unmarked(name) for name in values]
    axes.set_xlim(*_reach(list(values.values()), sign, figure.get_figwidth() - _left(names)))
    for at, (name, value) in enumerate(zip(names, values.values(), strict=True)):
        _beside(axes, name, (0, at), -1, axes.get_yaxis_transform())
        _beside(axes, _told(value, sign), (value, at), -1 if value < 0 else 1, "data")
    return _svg(figure, names)


def _reach(values: Sequence[float], sign: str, inches: float) -> tuple[float, float]:
    """Return the limits by which bars and the values beside them fill so many inches."""
    told = [(value < 0, _inches(_told(value, sign)) + 0.1) for value in values]
    before = max((width for below, width in told if below), default=0.0)
    behind = max((width for below, width in told if not below), default=0.0)
    low, high = min(0, *values), max(0, *values)
    one = ((high - low) or 1) / max(inches - before - behind, 1)
    return low - before * one, high + behind * one


def _beside(axes: "Axes", text: str, at: tuple[float, float], side: int, on: Any) -> None:
    """Write a text to the left (-1) or the right (1) of a point."""
    axes.annotate(
        text, at, xycoords=on, xytext=(5 * side, 0), textcoords="offset points", va="center",
        ha="right" if side < 0 else "left", color=_INK, fontsize=9, annotation_clip=False,
    )  # fmt: skip


def _line(values: Any) -> tuple[Any, Any]:
    import numpy as np

    present = values.dropna()
    at = present.index.astype("int64").to_numpy()
    slope, level = np.polyfit(at - at[0], present.to_numpy(), 1)
    ends = np.array([0, at[-1] - at[0]])
    return present.index[[0, -1]], slope * ends + level


def _unmarked(name: str) -> str:
    """Return a label that matplotlib shows as it is: a dollar sign would begin a formula."""
    short = name if len(name) <= 40 else name[:39] + "…"
    clean = "".join(char if char.isprintable() else " " for char in short)
    return clean.replace("\\", "\\\\").replace("$", r"\$")


def _canvas(rows: int) -> tuple[Any, "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.9 + 0.38 * max(rows, 1)))
    axes = figure.add_subplot()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors=_INK, labelsize=9, left=False)
    axes.spines["bottom"].set_color(_INK)
    axes.xaxis.label.set_color(_INK)
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    return figure, axes


def _clock(axes: "Axes") -> None:
    from matplotlib import dates

    locator: Any = dates.AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.get_offset_text().set_color(_INK)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _legend(axes: "Axes", colours: Mapping[str, str]) -> None:
    """Name colours above the axes, each in its own; a legend of matplotlib's draws for longer."""
    at = 0.0
    for name, colour in colours.items():
        told = f"■ {name.replace('_', ' ')}"
        axes.annotate(
            told, (0, 1), xycoords="axes fraction", xytext=(72 * at, 7), color=colour,
            textcoords="offset points", fontsize=9, annotation_clip=False, gid=f"legend-{name}",
        )  # fmt: skip
        at += _inches(told) + 0.25


def _tick(value: float, _: float | None) -> str:
    return _told(value)


def _told(value: float, sign: str = "") -> str:
    """Return a number to four digits, large ones in full: 12,340 and not 1.234e+04."""
    rounded = float(f"{value:.4g}")
    return f"{rounded:{sign},.0f}" if abs(rounded) >= 1000 else f"{rounded:{sign},.4g}"


def _fit(figure: Any, names: Sequence[str]) -> None:
    """Make room for what stands around the axes; matplotlib's own way draws each chart twice."""
    (axes,) = figure.axes
    labels = names or axes.yaxis.get_major_formatter().format_ticks(axes.get_yticks())
    left = _left(labels) + (0.25 if axes.get_ylabel() else 0)
    bottom = 0.5 if axes.get_xlabel() or axes.xaxis.have_units() else 0.35
    top = 0.35 if any(text.get_gid() for text in axes.texts) else 0.1
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, bottom / height, 1 - 0.2 / width, 1 - top / height)


def _left(labels: Sequence[str]) -> float:
    return 0.15 + max(map(_inches, labels), default=0)


def _inches(label: str) -> float:
    """Return about how wide a label is, in type of 9 points."""
    return sum(1.0 if east_asian_width(char) in "WF" else 0.6 for char in label) * 9 / 72


def _svg(figure: Any, names: Sequence[str] = ()) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "thirdshift", "font.family": "sans-serif"}
    # Text stays text, so the reader's fonts draw it: that ours lacks a glyph does not matter.
    # The fixed salt makes charts repeatable.
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        _fit(figure, names)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]
