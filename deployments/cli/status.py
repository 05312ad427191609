"""The commands that show how things stand: read only."""

from typing import Annotated

import typer
from rich.markup import escape

from deployments.cli.console import (
    Json,
    err,
    grid,
    out,
    print_json,
)
from thirdshift.settings import settings


def status(as_json: Json = False) -> None:
    """Show the processes, what memory holds and the last runs."""
    from deployments.status.standing import standing

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


def history(
    since: Annotated[str, typer.Option(help="How far back: 90m, 24h, 7d, 2w.")] = "24h",
    as_json: Json = False,
) -> None:
    """List what ran, was skipped, put off, caught up or lost, and why.

    Example: thirdshift history --since 7d
    """
    from deployments.status.history import happenings, period

    lines, complete = happenings(period(since))
    if not complete:
        err.print("Prefect does not answer: this is the ledger alone.")
    if as_json:
        return print_json([line.model_dump() for line in lines])
    table = grid("at", "flow", "", "reason")
    for line in lines:
        local = line.at.astimezone(settings().zone)
        table.add_row(f"{local:%a %d %b %H:%M}", line.flow, line.status, escape(line.reason))
    out.print(table if lines else f"Nothing happened in the last {since}.")


def doctor(as_json: Json = False) -> None:
    """Check each part and name the one command that mends what is wrong."""
    from deployments.status.doctor import examine

    parts = examine()
    if as_json:
        print_json([part.model_dump() for part in parts])
    else:
        table = grid("part", "", "finding", "mend it with")
        for part in parts:
            colour = {"ok": "green", "warning": "yellow", "wrong": "red"}[part.state]
            table.add_row(part.part, f"[{colour}]{part.state}[/]", part.finding, part.remedy)
        out.print(table)
    raise typer.Exit(int(any(part.state == "wrong" for part in parts)))


def sensors(as_json: Json = False) -> None:
    """Show what the machine's sensors say, from which source, or why they say nothing."""
    from tasks.machine import sensors

    senses = sensors.sense()
    if as_json:
        return print_json({name: sensed.model_dump() for name, sensed in senses.items()})
    table = grid("sensor", "value", "source, or why there is none")
    for name, sensed in senses.items():
        value = "-" if sensed.value is None else f"{sensed.value} {sensed.unit}"
        table.add_row(name, value, sensed.source or sensed.why)
    out.print(table)


def gate(deployment: str, as_json: Json = False) -> None:
    """Explain, sensor by sensor, whether a deployment may start now, and when it is tried next.

    Example: thirdshift gate train-lora
    """
    from deployments.status.gates import explain

    explanation = explain(deployment)
    if as_json:
        return print_json(explanation.model_dump(mode="json"))
    conditions = explanation.decision.conditions
    table = grid("sensor", "wanted", "is", "")
    for condition in conditions:
        holds = "[green]holds[/]" if condition.held else "[red]does not hold[/]"
        sensed = f"{condition.sensed} {condition.why}".strip()
        table.add_row(condition.sensor, condition.wanted, sensed, holds)
    out.print(table if conditions else f"{deployment} has no gate.")
    out.print(explanation.sentence, markup=False)
