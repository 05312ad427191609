"""How a verdict is told: Markdown with charts, a page of its own, and the record beside it."""

from collections.abc import Sequence
from pathlib import Path

from tasks.machine.disk import write_whole
from tasks.reports import charts
from tasks.reports.rendering import (
    cell,
    data_uri,
    page,
    plain,
)
from thirdshift.evaluation import Answered, Criterion, Verdict

PAGE = "verdict.html"
_SHOWN = 10  # answers before and after; the record holds all
_FEW = 4  # of them in a report


def write(verdict: Verdict, folder: Path, course: str = "") -> Path:
    """Write verdict.json and a page into a folder; return the page, which is written last."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "verdict.json", verdict.model_dump_json(indent=2))
    html = page(markdown(verdict, course), title=f"Verdict on {verdict.candidate}")
    write_whole(folder / PAGE, html)
    return folder / PAGE


def excerpt(page: Path) -> str:
    """Return what a report tells of a verdict: its word, and the owner's prompts answered twice."""
    told = Verdict.model_validate_json(page.with_name("verdict.json").read_text("utf-8"))
    mine = [one for one in told.answers if one.wanted]
    word = "is better and is served" if told.promoted else "was refused"
    said = f"**{plain(told.candidate)}** {word}. {plain(told.reason)}."
    return f"{said}\n\n{_table(mine[:_FEW])}"


def markdown(verdict: Verdict, course: str = "") -> str:
    """Return the whole story; `course` is Markdown about the training."""
    word = "promoted" if verdict.promoted else "rejected"
    parts = [f"# {plain(verdict.candidate)}: {word}", plain(verdict.reason) + "."]
    parts += ["## What was measured", _criteria(verdict.criteria), *_charts(verdict.criteria)]
    parts += ["## The same prompts, before and after", _answers(verdict.answers)]
    if course:
        parts += ["## How it was trained", course]
    return "\n\n".join(parts) + "\n"


def _criteria(criteria: Sequence[Criterion]) -> str:
    head = "| | criterion | base | candidate | change (interval) | over | wanted |\n" + "|---" * 7
    return "\n".join([head, *(_row(one) for one in criteria)])


def _row(one: Criterion) -> str:
    change = f"{one.change.mean:+.3f} ({one.change.low:+.3f} to {one.change.high:+.3f})"
    cells = ["holds" if one.held else "**does not hold**", f"{one.name}, {one.unit}"]
    cells += [f"{one.base:.3f}", f"{one.candidate:.3f}", change, str(one.change.n), one.wanted]
    return "| " + " | ".join(cells) + " |"


def _charts(criteria: Sequence[Criterion]) -> list[str]:
    """Draw the changes, a chart a unit, since nats and shares share no axis."""
    drawn = []
    for unit in dict.fromkeys(one.unit for one in criteria):
        mine = [one for one in criteria if one.unit == unit]
        changes = {one.name: one.change for one in mine}
        svg = charts.intervals(changes, [one.held for one in mine], f"change, {unit}")
        drawn.append(f"![Change in {unit}]({data_uri(svg)})")
    return drawn


def _answers(answers: Sequence[Answered]) -> str:
    return _table([*answers[:_SHOWN], *answers[-_SHOWN // 2 :]])


def _table(answers: Sequence[Answered]) -> str:
    head = "| prompt | before | after | accepted |\n|---|---|---|---|"
    rows = [
        f"| {cell(one.prompt)} | {cell(one.base)} | {cell(one.candidate)} | {cell(one.wanted)} |"
        for one in answers
    ]
    return "\n".join([head, *rows])
