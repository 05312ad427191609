"""The `thirdshift` command. Each command parses, calls one room below, and prints."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from deployments.cli import (
    adapters,
    analyses,
    drafts,
    examples,
    feedback,
    refine,
    sources,
)
from deployments.cli.console import (
    err,
    grid,
    out,
    print_json,
    waiting,
)
from deployments.cli.memory import (
    ask,
    forget,
    ingest,
    reindex,
    search,
)
from thirdshift.errors import ThirdShiftError
from thirdshift.settings import settings
from thirdshift.template import template

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A private AI that works the third shift and reports in the morning.",
)
app.add_typer(analyses.app, name="analyses")
app.add_typer(feedback.app, name="feedback")
app.add_typer(examples.app, name="examples")
app.add_typer(refine.app, name="refine")
app.add_typer(adapters.app, name="adapters")
for _command in (ingest, search, ask, forget, reindex, feedback.prefer):
    app.command()(_command)
app.add_typer(sources.app, name="sources")
app.add_typer(drafts.app, name="drafts")
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command()
def setup() -> None:
    """Make the home folder and a settings file with every key explained."""
    for folder in (settings().home, settings().run_path, settings().logs_path):
        folder.mkdir(parents=True, exist_ok=True)
    if not settings().file.exists():
        settings().file.write_text(template(), encoding="utf-8")
    out.print(f"Home: {settings().home}\nSettings: {settings().file}", soft_wrap=True)


@app.command()
def shift(
    paths: Annotated[list[Path] | None, typer.Argument(help="Read these; else samples.")] = None,
) -> None:
    """Run one whole shift now and end with the path of its report."""
    from deployments.shift import run_shift

    setup()
    raise typer.Exit(run_shift(paths or [], out))


@app.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once all is up.")] = False,
) -> None:
    """Start everything and keep it up, until Ctrl-C or `thirdshift down`."""
    from deployments.services import supervise
    from deployments.shift import needed_programs

    setup()
    supervise.up(needed_programs(), foreground=not detach)
    if detach:
        with waiting("Starting") as report:
            supervise.wait_ready(120, report)
        out.print(f"Up. Prefect: {settings().prefect_url}")


@app.command()
def down() -> None:
    """Stop everything that `up` started."""
    from deployments.services import supervise

    supervise.down()
    out.print("Down.")


@app.command()
def status(as_json: Json = False) -> None:
    """Show the processes, what memory holds and the last runs."""
    from deployments.status.doctor import standing

    figures = standing()
    if as_json:
        return print_json(figures)
    table = grid("process", "state", "pid", "up for")
    for process in figures["processes"]:
        table.add_row(*(str(process[key] or "-") for key in ("name", "state", "pid", "uptime")))
    out.print(table if figures["processes"] else "Nothing is running: `thirdshift up` starts it.")
    memory = figures["memory"]
    out.print(f"Memory: {memory['documents']} documents, {memory['chunks']} chunks.")
    for run in figures["runs"]:
        out.print(f"  {run['at']}  {run['flow']}: {run['status']}. {run['reason']}", markup=False)


@app.command()
def history(
    since: Annotated[str, typer.Option(help="How far back: 90m, 24h, 7d, 2w.")] = "24h",
    as_json: Json = False,
) -> None:
    """List what ran, was skipped, put off, caught up or lost, and why."""
    from deployments.status.history import happenings, period

    found, complete = happenings(period(since))
    if not complete:
        err.print("Prefect does not answer: this is the ledger alone.")
    if as_json:
        return print_json([one.model_dump() for one in found])
    rows = grid("at", "flow", "", "reason")
    for one in found:
        at = one.at.astimezone(settings().zone)
        rows.add_row(f"{at:%a %d %b %H:%M}", one.flow, one.status, escape(one.reason))
    out.print(rows if found else f"Nothing happened in the last {since}.")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check each part and name the one command that mends what is wrong."""
    from deployments.status.doctor import examine

    findings = examine()
    if as_json:
        print_json([finding.model_dump() for finding in findings])
    else:
        table = grid("part", "", "finding", "mend it with")
        for item in findings:
            colour = {"ok": "green", "warning": "yellow", "wrong": "red"}[item.state]
            table.add_row(item.part, f"[{colour}]{item.state}[/]", item.finding, item.remedy)
        out.print(table)
    raise typer.Exit(int(any(finding.state == "wrong" for finding in findings)))


@app.command()
def sensors(as_json: Json = False) -> None:
    """Show what the machine's sensors say, from which source, or why they say nothing."""
    from tasks.machine.sensors import sense

    senses = sense()
    if as_json:
        return print_json({name: sensed.model_dump() for name, sensed in senses.items()})
    table = grid("sensor", "value", "source, or why there is none")
    for name, sensed in senses.items():
        value = "-" if sensed.value is None else f"{sensed.value} {sensed.unit}"
        table.add_row(name, value, sensed.source or sensed.why)
    out.print(table)


@app.command()
def gate(deployment: str, as_json: Json = False) -> None:
    """Explain, sensor by sensor, whether a deployment may start now, and when it is tried next."""
    from deployments.status.gates import explain

    found = explain(deployment)
    if as_json:
        return print_json(found.model_dump(mode="json"))
    table = grid("sensor", "wanted", "is", "")
    for one in found.decision.conditions:
        said = "[green]holds[/]" if one.held else "[red]does not hold[/]"
        table.add_row(one.sensor, one.wanted, f"{one.sensed} {one.why}".strip(), said)
    out.print(table if found.decision.conditions else f"{deployment} has no gate.")
    out.print(found.verdict, markup=False)


@app.command()
def run(
    deployment: str,
    parameters: Annotated[
        list[str] | None, typer.Option("-p", help="A parameter, as name=value; value may be JSON.")
    ] = None,
) -> None:
    """Run a deployment now, through Prefect, and wait for its outcome."""
    from deployments.shift import run_deployment

    with waiting(deployment) as report:
        state = run_deployment(deployment, _parameters(parameters or []), report)
    out.print(f"{deployment}: {state.name}. {state.message or ''}", markup=False)
    raise typer.Exit(int(not state.is_completed()))


@app.command()
def bench(
    what: Annotated[
        str,
        typer.Argument(help="retrieval, ingestion, engine, start, gate, train, analyst or all."),
    ] = "all",
    quick: Annotated[bool, typer.Option(help="Smaller sizes, for a first look.")] = False,
    as_json: Json = False,
) -> None:
    """Measure this machine; ratios are taken side by side in one run."""
    from deployments.bench.suite import measure

    with waiting("Measuring") as report:
        figures = measure(what, quick=quick, report=report)
    if as_json:
        return print_json(figures)
    for name, rows in figures.items():
        table = grid(*rows[0], title=name)
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        out.print(table)


def main() -> None:
    """Run the command; a person's mistake ends in a message, not in a traceback."""
    try:
        app()
    except ThirdShiftError as error:
        err.print(f"[red]{type(error).__name__}[/]: ", end="")
        err.print(error.what, markup=False, soft_wrap=True)
        if error.remedy:
            err.print(error.remedy, markup=False, soft_wrap=True)
        sys.exit(1)


def _parameters(pairs: list[str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} is not name=value.")
        try:
            parameters[name] = json.loads(value)
        except json.JSONDecodeError:
            parameters[name] = value
    return parameters
