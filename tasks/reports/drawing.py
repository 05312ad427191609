"""Drawing: a canvas of matplotlib's, what stands around its axes, and SVG of it."""

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

if TYPE_CHECKING:
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
LINES = ("#4d7ea8", "#d98c1f", "#2e7d4f", "#b07cc6")
INK = "#7d8590"  # legible on white and on black


def canvas(rows: int) -> tuple[Any, "Axes"]:
    """Return a figure that is so many rows high, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.9 + 0.38 * max(rows, 1)))
    axes = figure.add_subplot()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9, left=False)
    axes.spines["bottom"].set_color(INK)
    axes.xaxis.label.set_color(INK)
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    return figure, axes


def to_svg(figure: Any, names: Sequence[str] = ()) -> str:
    """Return a figure as SVG; `names` stand left of the axes where these have no labels."""
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


def time_axis(axes: "Axes") -> None:
    """Let the horizontal axis show a few dates and times."""
    from matplotlib import dates

    locator: Any = dates.AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.get_offset_text().set_color(INK)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def legend(axes: "Axes", colours: Mapping[str, str]) -> None:
    """Name colours above the axes, each in its own; a legend of matplotlib's draws for longer."""
    left = 0.0
    for name, colour in colours.items():
        label = f"■ {name.replace('_', ' ')}"
        axes.annotate(
            label, (0, 1), xycoords="axes fraction", xytext=(72 * left, 7), color=colour,
            textcoords="offset points", fontsize=9, annotation_clip=False, gid=f"legend-{name}",
        )  # fmt: skip
        left += inches(label) + 0.25


def beside(axes: "Axes", text: str, point: tuple[float, float], side: int, system: Any) -> None:
    """Write a text to the left (-1) or the right (1) of a point in a system of coordinates."""
    axes.annotate(
        text, point, xycoords=system, xytext=(5 * side, 0), textcoords="offset points", va="center",
        ha="right" if side < 0 else "left", color=INK, fontsize=9, annotation_clip=False,
    )  # fmt: skip


def unmarked(name: str) -> str:
    """Return a label that matplotlib shows as it is: a dollar sign would begin a formula."""
    short = name if len(name) <= 40 else name[:39] + "…"
    clean = "".join(char if char.isprintable() else " " for char in short)
    return clean.replace("\\", "\\\\").replace("$", r"\$")


def number(value: float, sign: str = "") -> str:
    """Return a number to four digits, large ones in full: 12,340 and not 1.234e+04."""
    rounded = float(f"{value:.4g}")
    return f"{rounded:{sign},.0f}" if abs(rounded) >= 1000 else f"{rounded:{sign},.4g}"


def tick(value: float, _: float | None) -> str:
    """Return the label of a tick, as matplotlib asks for it."""
    return number(value)


def inches(label: str) -> float:
    """Return about how wide a label is, in type of 9 points."""
    return sum(1.0 if east_asian_width(char) in "WF" else 0.6 for char in label) * 9 / 72


def left_margin(labels: Sequence[str]) -> float:
    """Return the inches that the widest label takes left of the axes."""
    return 0.15 + max(map(inches, labels), default=0)


def _fit(figure: Any, names: Sequence[str]) -> None:
    """Make room for what stands around the axes; matplotlib's own way draws each chart twice."""
    (axes,) = figure.axes
    labels = names or axes.yaxis.get_major_formatter().format_ticks(axes.get_yticks())
    left = left_margin(labels) + (0.25 if axes.get_ylabel() else 0)
    bottom = 0.5 if axes.get_xlabel() or axes.xaxis.have_units() else 0.35
    top = 0.35 if any(text.get_gid() for text in axes.texts) else 0.1
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, bottom / height, 1 - 0.2 / width, 1 - top / height)
