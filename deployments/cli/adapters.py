"""`thirdshift adapters`: what was learnt, version by version, which serves, and the way back."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from deployments.cli.console import (
    grid,
    out,
    print_json,
    waiting,
)
from thirdshift.settings import settings

app = typer.Typer(no_args_is_help=True, help="See, switch, undo and export what was learnt.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Name = Annotated[str, typer.Argument(help="A version, as night:v3.")]
PROMPTS = ("Who are you?", "What should I do first today?", "Write one sentence about the sea.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all versions, the oldest first."""
    from tasks.learning.adapters import versions

    found = versions()
    if as_json:
        return print_json([one.model_dump(mode="json") for one in found])
    table = grid("version", "state", "made", "base", "reason")
    for one in found:
        made = f"{one.created_at.astimezone(settings().zone):%Y-%m-%d %H:%M}"
        table.add_row(one.id, one.state, made, one.base, one.reason.partition("; ")[0])
    out.print(table if found else "Nothing was learnt yet: the base model serves.")


@app.command()
def show(name: Name) -> None:
    """Show a version with its manifest, as JSON."""
    from tasks.learning.adapters import version

    one = version(name)
    print_json(one.model_dump(mode="json") | {"folder": str(one.folder)})


@app.command()
def promote(name: Name) -> None:
    """Let a version answer from now on, once log-probabilities prove it is the trained one."""
    from tasks.learning.adapters import promote as switch

    with waiting(f"Publishing {name}"):
        one = switch(name)
    out.print(f"{one.id} serves. `thirdshift adapters rollback` undoes it.")


@app.command()
def rollback() -> None:
    """Go back to the version before, at last to the base model."""
    from tasks.learning.adapters import rollback as undo

    with waiting("Going back"):
        one = undo()
    out.print(f"{one.id if one else 'The base model'} serves.")


@app.command()
def compare(
    name: Name,
    prompts: Annotated[list[str] | None, typer.Argument(help="Ask these; else three.")] = None,
    as_json: Json = False,
) -> None:
    """Ask the base and a version the same, and show both answers."""
    from tasks.learning.adapters import answers

    with waiting("Asking both"):
        rows = answers(name, prompts or [*PROMPTS])
    if as_json:
        return print_json(rows)
    for row in rows:
        for key in ("prompt", "before", "after"):
            out.print(f"{key:>7}  {row[key]}", markup=False)
        out.print()


@app.command()
def export(
    name: Name,
    form: Annotated[
        Literal["mlx", "gguf", "peft", "merged"],
        typer.Argument(help="An MLX or PEFT folder, a GGUF adapter, or a whole merged GGUF."),
    ],
    target: Annotated[Path, typer.Argument(help="The file or folder to write.")],
) -> None:
    """Write a version in a form that others read."""
    from tasks.learning.exporting import export as write

    with waiting(f"Writing {target}"):
        write(name, form, target)
    out.print(f"Written: {target}", soft_wrap=True)
