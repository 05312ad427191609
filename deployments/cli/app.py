"""The `thirdshift` command. Each command parses, calls one room below, and prints."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

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
    Json,
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
from deployments.cli.status import (
    doctor,
    gate,
    history,
    sensors,
    status,
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


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        out.print(f"thirdshift {version('thirdshift')}", highlight=False)
        raise typer.Exit


@app.callback()
def command(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Take what comes before a command's name."""


app.add_typer(analyses.app, name="analyses")
app.add_typer(feedback.app, name="feedback")
app.add_typer(examples.app, name="examples")
app.add_typer(refine.app, name="refine")
app.add_typer(adapters.app, name="adapters")
for _command in (ingest, search, ask, forget, reindex, feedback.prefer):
    app.command()(_command)
for _look in (status, history, doctor, sensors, gate):
    app.command()(_look)
app.add_typer(sources.app, name="sources")
app.add_typer(drafts.app, name="drafts")


@app.command()
def setup() -> None:
    """Make the home folder and a settings file with every key explained."""
    from tasks.machine.disk import write_whole

    for folder in (settings().home, settings().run_path, settings().logs_path):
        folder.mkdir(parents=True, exist_ok=True)
    if not settings().file.exists():
        write_whole(settings().file, template(), durable=True)
    out.print(f"Home: {settings().home}\nSettings: {settings().file}", soft_wrap=True)


@app.command()
def shift(
    paths: Annotated[list[Path] | None, typer.Argument(help="Read these; else samples.")] = None,
) -> None:
    """Run one whole shift now and end with the path of its report.

    Example: thirdshift shift ~/Documents/notes
    """
    from deployments.shift import run_shift

    setup()
    raise typer.Exit(run_shift(paths or [], out))


@app.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once all is up.")] = False,
) -> None:
    """Start everything and keep it up, until Ctrl-C or `thirdshift down`.

    Example: thirdshift up --detach
    """
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
def run(
    deployment: str,
    parameters: Annotated[
        list[str] | None, typer.Option("-p", help="A parameter, as name=value; value may be JSON.")
    ] = None,
) -> None:
    """Run a deployment now, through Prefect, and wait for its outcome.

    Example: thirdshift run ingest -p 'paths=["/srv/papers"]'
    """
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
    """Measure this machine; ratios are taken side by side in one run.

    Example: thirdshift bench retrieval --quick
    """
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
