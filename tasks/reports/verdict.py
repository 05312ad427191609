"""A verdict as Markdown with charts, as a page of its own, and as a record beside it."""

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
from thirdshift.evaluation import AnsweredTwice, Criterion, Verdict

PAGE = "verdict.html"
_SHOWN = 10  # answers before and after; the record holds all
_FEW = 4  # of them in a report


def write(verdict: Verdict, folder: Path, course: str = "") -> Path:
    """Write verdict.json and a page into a folder; return the page, which is written last."""
    write_whole(folder / "verdict.json", verdict.model_dump_json(indent=2), durable=True)
    html = page(markdown(verdict, course), title=f"Verdict on {verdict.candidate}")
    write_whole(folder / PAGE, html, durable=True)
    return folder / PAGE


def excerpt(page: Path) -> str:
    """Return what a report tells of a verdict: its word, and the owner's prompts answered twice."""
    verdict = Verdict.model_validate_json(page.with_name("verdict.json").read_text("utf-8"))
    owners = [answer for answer in verdict.answers if answer.wanted]
    word = "is better and is served" if verdict.promoted else "was refused"
    sentence = f"**{plain(verdict.candidate)}** {word}. {plain(verdict.reason)}."
    return f"{sentence}\n\n{_table(owners[:_FEW])}"


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
    return "\n".join([head, *map(_row, criteria)])


def _row(criterion: Criterion) -> str:
    change = criterion.change
    cells = [
        "holds" if criterion.held else "**does not hold**",
        f"{criterion.name}, {criterion.unit}",
        f"{criterion.base:.3f}",
        f"{criterion.candidate:.3f}",
        f"{change.mean:+.3f} ({change.low:+.3f} to {change.high:+.3f})",
        str(change.n),
        criterion.wanted,
    ]
    return "| " + " | ".join(cells) + " |"


def _charts(criteria: Sequence[Criterion]) -> list[str]:
    """Draw the changes, a chart a unit, since nats and shares share no axis."""
    drawn = []
    for unit in dict.fromkeys(criterion.unit for criterion in criteria):
        alike = [criterion for criterion in criteria if criterion.unit == unit]
        changes = {criterion.name: criterion.change for criterion in alike}
        held = [criterion.held for criterion in alike]
        svg = charts.intervals(changes, held, f"change, {unit}")
        drawn.append(f"![Change in {unit}]({data_uri(svg)})")
    return drawn


def _answers(answers: Sequence[AnsweredTwice]) -> str:
    return _table([*answers[:_SHOWN], *answers[-_SHOWN // 2 :]])


def _table(answers: Sequence[AnsweredTwice]) -> str:
    head = "| prompt | before | after | accepted |\n|---|---|---|---|"
    rows = [
        f"| {cell(row.prompt)} | {cell(row.base)} | {cell(row.candidate)} | {cell(row.wanted)} |"
        for row in answers
    ]
    return "\n".join([head, *rows])
