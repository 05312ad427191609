"""The shift report: what ran, what it made, what it left out and why; Markdown, HTML, charts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tasks.machine.disk import write_whole
from tasks.memory.store import store
from tasks.reports import charts, verdict
from tasks.reports.rendering import (
    cell,
    data_uri,
    link,
    page,
    plain,
)
from tasks.runs.energy import spent
from thirdshift.outcome import Ran
from thirdshift.records import Record
from thirdshift.settings import settings

_HELD_BACK = ("skipped", "deferred", "preempted")
_PAGES = (".html", ".md")


class MemoryFigures(Record):
    """What memory holds."""

    documents: dict[str, int]  # by kind
    chunks: int
    megabytes: float


class Shift(Record):
    """All that a report says."""

    since: datetime
    until: datetime
    runs: list[Ran]
    lost: list[str]  # runs that ended without an outcome, a line each
    memory: MemoryFigures
    brief: str = ""


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
    folder = _folder(shift)
    folder.mkdir(parents=True, exist_ok=True)
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


def _folder(shift: Shift) -> Path:
    return settings().reports_path / shift.until.astimezone(_zone()).strftime("%Y-%m-%d-%H%M")


def artifact(shift: Shift) -> str:
    """Return the report as Markdown that carries its charts, for Prefect."""
    return markdown(shift, {name: data_uri(svg) for name, svg in _charts(shift).items()})


def markdown(shift: Shift, images: Mapping[str, str]) -> str:
    """Return the report as Markdown; `images` maps a chart's name to its address."""
    parts = [f"# Shift report, {_clock(shift.until, '%A %d %B %Y')}", shift.brief]
    parts += [_images(images, "timeline", "When each run was under way"), _ran(shift)]
    parts += [_learnt(shift), _made(shift), _not_done(shift)]
    parts += [_energy(shift, images), _memory(shift, images)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _charts(shift: Shift) -> dict[str, str]:
    drawn = {}
    if shift.runs:
        drawn["timeline"] = charts.timeline(shift.runs, _zone())
    if metered := _metered(shift.runs):
        drawn["energy"] = charts.bars(metered, "joules")
    if shift.memory.documents:
        drawn["memory"] = charts.bars(shift.memory.documents, "documents")
    return drawn


def _ran(shift: Shift) -> str:
    if not shift.runs:
        return "Nothing ran."
    head = "| at | run | outcome | took | energy | why |\n|---|---|---|---|---|---|"
    times = Counter(_line_of(run) for run in shift.runs)
    rows = (_row(run, times[_line_of(run)]) for run in told(shift.runs))
    return "\n".join(["## What ran", "", head, *rows])


def told(runs: Sequence[Ran]) -> list[Ran]:
    """Return what is worth a line: the last try of each run, and the last idle run of a flow.

    A run that waited all night is one line, not forty; an hourly look that found nothing too.
    """
    return list({_line_of(run): run for run in runs}.values())


def _line_of(run: Ran) -> str:
    return f"{run.flow} found nothing" if run.outcome.status == "nothing_to_do" else run.run


def _row(run: Ran, times: int) -> str:
    energy = "not metered" if run.joules is None else f"{run.joules:,.0f} J"
    cells = [
        _clock(run.started_at, "%H:%M:%S"),
        run.flow.replace("_", " "),
        f"**{run.outcome.status.replace('_', ' ')}**",
        _duration(run.seconds),
        energy,
        cell(run.outcome.reason) + _often(run, times),
    ]
    return "| " + " | ".join(cells) + " |"


def _often(run: Ran, times: int) -> str:
    if times < 2:
        return ""
    return f" ({times} times)" if run.outcome.status == "nothing_to_do" else f" (try {times})"


def _learnt(shift: Shift) -> str:
    """Show every verdict of the shift: the same prompts, answered before and after."""
    things = [Path(thing) for run in shift.runs for thing in run.outcome.produced]
    told = [verdict.excerpt(one) for one in things if one.name == verdict.PAGE and _is_ours(one)]
    return "\n\n".join(["## What was learnt", *told]) if told else ""


def _made(shift: Shift) -> str:
    lines = [f"- {_thing(thing, shift)}" for run in shift.runs for thing in run.outcome.produced]
    return "\n".join(["## What was made", "", *lines]) if lines else ""


def _thing(thing: str, shift: Shift) -> str:
    """Return what a run made; a page of ours becomes a link that works from this report."""
    path = Path(thing)
    return link(path, _folder(shift)) if _is_ours(path) else plain(thing)


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(settings().home) and path.suffix in _PAGES and path.is_file()


def _not_done(shift: Shift) -> str:
    waits = [run for run in told(shift.runs) if run.outcome.status == "waiting"]
    held_back = [run for run in told(shift.runs) if run.outcome.status in _HELD_BACK]
    failed = [run for run in shift.runs if run.outcome.status == "failed"]
    lines = [f"- **Waiting for you**: {plain(run.outcome.reason)}" for run in waits]
    lines += [
        f"- {run.flow}, {run.outcome.status}: {plain(run.outcome.reason)}" for run in held_back
    ]
    lines += [f"- **{run.flow} failed**: {plain(run.outcome.reason)}" for run in failed]
    lines += [f"- {plain(line)}" for line in shift.lost]
    return "\n".join(["## What was not done, and why", "", *(lines or ["- Nothing was left out."])])


def _energy(shift: Shift, images: Mapping[str, str]) -> str:
    total = spent(shift.runs)
    if total is None:
        return ""
    budget = settings().energy.night_kj
    text = f"{total / 1e3:,.1f} kJ, of the whole machine while these runs were under way"
    text += f"; the budget of a night is {budget:,g} kJ." if budget else "."
    if budget and total > budget * 1e3:
        text += " **That is above it.**"
    return "\n\n".join(["## Energy", text, _images(images, "energy", "Joules per run")])


def _metered(runs: Sequence[Ran]) -> dict[str, float]:
    """Return joules by run, named by flow and time, for those that were metered."""
    return {
        f"{run.flow} {_clock(run.started_at, '%H:%M:%S')}": run.joules
        for run in runs
        if run.joules is not None
    }


def _memory(shift: Shift, images: Mapping[str, str]) -> str:
    figures = shift.memory
    total = sum(figures.documents.values())
    text = f"{total:,} documents in {figures.chunks:,} chunks, {figures.megabytes:,.1f} MB on disk."
    if figures.megabytes > settings().store.alarm_gb * 1000:
        text += f" **That is above the alarm of {settings().store.alarm_gb:g} GB.**"
    return "\n\n".join(["## Memory", text, _images(images, "memory", "Documents by kind")])


def _images(images: Mapping[str, str], name: str, caption: str) -> str:
    return f"![{caption}]({images[name]})" if name in images else ""


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def _zone() -> ZoneInfo:
    return settings().zone


def _clock(moment: datetime, pattern: str) -> str:
    return moment.astimezone(_zone()).strftime(pattern)
