"""`thirdshift analyses`: what is analysed at night, checked, tried and added."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from deployments.cli.console import (
    Json,
    err,
    grid,
    out,
    print_json,
    waiting,
)
from thirdshift.errors import ThirdShiftError
from thirdshift.settings import settings

if TYPE_CHECKING:
    from tasks.analysis.quarantine import Quarantined

app = typer.Typer(
    no_args_is_help=True,
    help="""What is analysed at night: a YAML file each.

    Example: thirdshift analyses add sales.csv
    """,
)


@app.command("list")
def list_them(as_json: Json = False) -> None:
    """List the analyses, where their data come from and when they run."""
    from tasks.analysis.definitions import files, read

    rows = []
    for name, file in files().items():
        try:
            analysis = read(file)
            row = {"source": analysis.source.kind, "schedule": analysis.schedule or "", "wrong": ""}
        except ThirdShiftError as error:
            row = {"source": "", "schedule": "", "wrong": error.what}
        rows.append({"name": name, "file": str(file)} | row)
    if as_json:
        return print_json(rows)
    table = grid("name", "source", "schedule", "file")
    for row in rows:
        table.add_row(row["name"], row["source"], row["schedule"], row["file"])
        if row["wrong"]:
            err.print(row["wrong"], markup=False, soft_wrap=True)
    out.print(table if rows else "There are none: `thirdshift analyses add FILE` makes one.")


@app.command()
def check(name: str) -> None:
    """Fetch the data of an analysis and check them, without a report; exit 1 where they fail.

    Example: thirdshift analyses check shop-sales
    """
    from tasks.analysis.definitions import find
    from tasks.analysis.examination import examine
    from tasks.analysis.extraction.extract import extract
    from tasks.analysis.quarantine import Quarantined

    analysis = find(name)
    try:
        with waiting("Checking"):
            cube, _ = examine(extract(analysis), analysis)
    except Quarantined as error:
        _show(error)
        raise typer.Exit(1) from None
    notes = "".join(f" {note[0].upper()}{note[1:]}." for note in cube.notes)
    out.print(f"{cube.rows:,} rows, all as expected.{notes}", markup=False)


def _show(quarantined: "Quarantined") -> None:
    table = grid("column", "expectation", "rows", "values")
    for failure in quarantined.failures:
        rows, values = ", ".join(map(str, failure.rows)), ", ".join(failure.values)
        table.add_row(*map(escape, (failure.column, failure.reason, rows, values[:200])))
    out.print(table)
    out.print(quarantined.remedy, markup=False, soft_wrap=True)


@app.command()
def run(name: str) -> None:
    """Analyse now, through Prefect, and print where the report lies.

    Example: thirdshift analyses run shop-sales
    """
    from deployments.shift import run_deployment

    with waiting(name) as report:
        state = run_deployment(f"analyse-{name}", {"analysis": name}, report)
    out.print(f"{name}: {state.name}. {state.message or ''}", markup=False)
    if state.is_completed() and (path := _last_page(name)):
        out.print(f"Report: {path}", markup=False, soft_wrap=True)
    raise typer.Exit(int(not state.is_completed()))


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="An analysis (YAML), or data to draft one from.")],
    name: Annotated[str, typer.Option(help="What to call it; else as the file is called.")] = "",
    force: Annotated[bool, typer.Option(help="Replace one of the same name.")] = False,
) -> None:
    """Add an analysis to the home folder; a data file is looked at, and one is drafted for it.

    Example: thirdshift analyses add sales.csv --name sales
    """
    from tasks.analysis.drafting import add_analysis

    target = add_analysis(file, name, force=force)
    out.print(f"{target}\nCheck it with `thirdshift analyses check {target.stem}`.", soft_wrap=True)
    out.print(f"It is scheduled when `thirdshift up` starts: see {settings().analyses_path}.")


def _last_page(name: str) -> str:
    from tasks.analysis.archive import last_report

    last = last_report(name)
    return last.report if last else ""
