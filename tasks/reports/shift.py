"""The shift report: gathered, drawn and written, a folder each with Markdown, HTML and charts."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tasks.machine.disk import write_whole
from tasks.memory.store import store
from tasks.reports import charts
from tasks.reports.rendering import data_uri, page
from tasks.reports.shift_text import folder_of, markdown
from thirdshift.outcome import MemoryFigures, Ran, Shift
from thirdshift.settings import settings


def memory_figures() -> MemoryFigures:
    """Count what memory holds now."""
    kinds = store().rows("documents", "status = 'active'", ["kind"])["kind"].to_pylist()
    return MemoryFigures(
        documents=dict(Counter(kinds).most_common()),
        chunks=store().count("chunks", "status = 'active'"),
        megabytes=round(store().size() / 1e6, 1),
    )


def write(shift: Shift) -> Path:
    """Write report.md, report.html and the charts into a folder; return the HTML's path.

    Files appear whole or not at all; a second report of the same minute replaces the first.
    `latest` beside the folders leads to the newest.
    """
    folder = folder_of(shift)
    drawn = _charts(shift)
    for name, svg in drawn.items():
        write_whole(folder / f"{name}.svg", svg)
    write_whole(folder / "report.md", markdown(shift, {name: f"{name}.svg" for name in drawn}))
    text = markdown(shift, {name: data_uri(svg) for name, svg in drawn.items()})
    write_whole(folder / "report.html", page(text, "Shift report"))
    _point(latest().parent, folder)
    return folder / "report.html"


def latest() -> Path:
    """Return where the newest report can always be found."""
    return settings().reports_path / "latest" / "report.html"


def _point(link: Path, folder: Path) -> None:
    part = link.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.symlink_to(folder.name)
    part.replace(link)


def artifact(shift: Shift) -> str:
    """Return the report as Markdown that carries its charts, for Prefect."""
    return markdown(shift, {name: data_uri(svg) for name, svg in _charts(shift).items()})


def _charts(shift: Shift) -> dict[str, str]:
    drawn = {}
    if shift.runs:
        drawn["timeline"] = charts.timeline(shift.runs, settings().zone)
    if metered := _metered(shift.runs):
        drawn["energy"] = charts.bars(metered, "joules")
    if shift.memory.documents:
        drawn["memory"] = charts.bars(shift.memory.documents, "documents")
    return drawn


def _metered(runs: Sequence[Ran]) -> dict[str, float]:
    """Return joules by run, named by flow and time, for those that were metered."""
    return {
        f"{run.flow} {run.started_at.astimezone(settings().zone):%H:%M:%S}": run.joules
        for run in runs
        if run.joules is not None
    }
