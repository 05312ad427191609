"""`thirdshift adapters`: what was learnt, version by version, which serves, and the way back."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from deployments.cli.console import (
    Json,
    grid,
    out,
    print_json,
    waiting,
)
from thirdshift.settings import settings

app = typer.Typer(
    no_args_is_help=True,
    help="""See, switch, undo and export what was learnt.

    Example: thirdshift adapters compare night:v3 "What is our tea?"
    """,
)
Name = Annotated[str, typer.Argument(help="A version, as night:v3.")]
PROMPTS = ("Who are you?", "What should I do first today?", "Write one sentence about the sea.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all versions, the oldest first."""
    from tasks.learning import adapters

    versions = adapters.versions()
    if as_json:
        return print_json([version.model_dump(mode="json") for version in versions])
    table = grid("version", "state", "made", "base", "reason")
    for version in versions:
        created = f"{version.created_at.astimezone(settings().zone):%Y-%m-%d %H:%M}"
        reason = version.reason.partition("; ")[0]
        table.add_row(version.id, version.state, created, version.base, reason)
    out.print(table if versions else "Nothing was learnt yet: the base model serves.")


@app.command()
def show(name: Name) -> None:
    """Show a version with its manifest, as JSON."""
    from tasks.learning import adapters

    version = adapters.version(name)
    print_json(version.model_dump(mode="json") | {"folder": str(version.folder)})


@app.command()
def promote(name: Name) -> None:
    """Let a version answer from now on, once log-probabilities prove it is the trained one.

    Example: thirdshift adapters promote night:v3
    """
    from tasks.learning import adapters

    with waiting(f"Publishing {name}"):
        version = adapters.promote(name)
    out.print(f"{version.id} serves. `thirdshift adapters rollback` undoes it.")


@app.command()
def rollback() -> None:
    """Go back to the version before, at last to the base model."""
    from tasks.learning import adapters

    with waiting("Going back"):
        version = adapters.rollback()
    out.print(f"{version.id if version else 'The base model'} serves.")


@app.command()
def compare(
    name: Name,
    prompts: Annotated[list[str] | None, typer.Argument(help="Ask these; else three.")] = None,
    as_json: Json = False,
) -> None:
    """Ask the base and a version the same, and show both answers.

    Example: thirdshift adapters compare night:v3 "What is our tea?" "Greet a guest."
    """
    from tasks.learning import adapters
    from tasks.learning.evaluation.generation import side_by_side

    with waiting("Asking both"):
        rows = side_by_side(adapters.publish(name).model, prompts or [*PROMPTS])
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
    """Write a version in a form that others read.

    Example: thirdshift adapters export night:v3 gguf night-v3.gguf
    """
    from tasks.learning import exporting

    with waiting(f"Writing {target}"):
        exporting.export(name, form, target)
    out.print(f"Written: {target}", soft_wrap=True)
