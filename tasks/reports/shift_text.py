"""The shift report as Markdown: what ran, what it made, what was left out and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from tasks.reports import verdict
from tasks.reports.rendering import cell, link, plain
from tasks.runs.energy import spent
from tasks.text.figures import duration
from thirdshift.outcome import Ran, Shift
from thirdshift.settings import settings

_HELD_BACK = ("skipped", "deferred", "preempted")
_PAGES = (".html", ".md")


def markdown(shift: Shift, images: Mapping[str, str]) -> str:
    """Return the report as Markdown; `images` maps a chart's name to its address."""
    parts = [f"# Shift report, {_clock(shift.until, '%A %d %B %Y')}", shift.brief]
    parts += [_images(images, "timeline", "When each run was under way"), _ran(shift)]
    parts += [_learnt(shift), _made(shift), _not_done(shift)]
    parts += [_energy(shift, images), _memory(shift, images)]
    return "\n\n".join(part for part in parts if part) + "\n"


def folder_of(shift: Shift) -> Path:
    """Return where the report of a shift lies, from which its links lead."""
    return settings().reports_path / _clock(shift.until, "%Y-%m-%d-%H%M")


def _ran(shift: Shift) -> str:
    if not shift.runs:
        return "Nothing ran."
    head = "| at | run | outcome | took | energy | why |\n|---|---|---|---|---|---|"
    times = Counter(_line_of(run) for run in shift.runs)
    rows = (_row(run, times[_line_of(run)]) for run in worth_a_line(shift.runs))
    return "\n".join(["## What ran", "", head, *rows])


def worth_a_line(runs: Sequence[Ran]) -> list[Ran]:
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
        duration(run.seconds),
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
    paths = [Path(thing) for run in shift.runs for thing in run.outcome.produced]
    pages = [path for path in paths if path.name == verdict.PAGE and _is_ours(path)]
    return "\n\n".join(["## What was learnt", *map(verdict.excerpt, pages)]) if pages else ""


def _made(shift: Shift) -> str:
    lines = [f"- {_thing(thing, shift)}" for run in shift.runs for thing in run.outcome.produced]
    return "\n".join(["## What was made", "", *lines]) if lines else ""


def _thing(thing: str, shift: Shift) -> str:
    """Return what a run made; a page of ours becomes a link that works from this report."""
    path = Path(thing)
    return link(path, folder_of(shift)) if _is_ours(path) else plain(thing)


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(settings().home) and path.suffix in _PAGES and path.is_file()


def _not_done(shift: Shift) -> str:
    waits = [run for run in worth_a_line(shift.runs) if run.outcome.status == "waiting"]
    held_back = [run for run in worth_a_line(shift.runs) if run.outcome.status in _HELD_BACK]
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


def _memory(shift: Shift, images: Mapping[str, str]) -> str:
    figures = shift.memory
    total = sum(figures.documents.values())
    text = f"{total:,} documents in {figures.chunks:,} chunks, {figures.megabytes:,.1f} MB on disk."
    if figures.megabytes > settings().store.alarm_gb * 1000:
        text += f" **That is above the alarm of {settings().store.alarm_gb:g} GB.**"
    return "\n\n".join(["## Memory", text, _images(images, "memory", "Documents by kind")])


def _images(images: Mapping[str, str], name: str, caption: str) -> str:
    return f"![{caption}]({images[name]})" if name in images else ""


def _clock(moment: datetime, pattern: str) -> str:
    return moment.astimezone(settings().zone).strftime(pattern)
