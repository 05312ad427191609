"""`thirdshift examples`: what the owner taught, to look at and to delete."""

from typing import Annotated, Literal

import typer
from rich.markup import escape

from deployments.cli.console import grid, out, print_json
from thirdshift.learning import Example, Feedback, Preference

app = typer.Typer(no_args_is_help=True, help="What you taught: verdicts, examples, preferences.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Kind = Literal["feedback", "examples", "preferences"]
KINDS: tuple[Kind, ...] = ("feedback", "examples", "preferences")


@app.command("list")
def list_(
    kind: Annotated[Kind | None, typer.Option(help="Only this kind.")] = None,
    as_json: Json = False,
) -> None:
    """List what you taught, oldest first."""
    from tasks.feedback.examples import taught

    found = {each: taught(each) for each in ([kind] if kind else KINDS)}
    if as_json:
        return print_json({each: [row.model_dump() for row in found[each]] for each in found})
    rows = grid("id", "kind", "", "about")
    for each in found:
        for row in found[each]:
            rows.add_row(row.id[:8], each, *_shown(row))
    empty = "Nothing yet: `thirdshift feedback` and `thirdshift prefer` teach."
    out.print(rows if any(found.values()) else empty)


@app.command()
def show(identity: str, as_json: Json = False) -> None:
    """Show all of one: its texts, sources, model and adapter."""
    from tasks.feedback.examples import find

    kind, row = find(identity)
    if as_json:
        return print_json({"kind": kind} | row.model_dump())
    rows = grid("", "")
    for name, value in ({"kind": kind} | row.model_dump()).items():
        rows.add_row(name.replace("_", " "), escape(str(value)))
    out.print(rows)


@app.command()
def delete(identity: str) -> None:
    """Delete one for good; a verdict takes along the example it made."""
    from tasks.feedback.examples import delete as remove

    out.print(f"Deleted from {remove(identity)}.")


def _shown(row: Feedback | Example | Preference) -> tuple[str, str]:
    if isinstance(row, Feedback):
        return row.verdict, escape(row.question)
    text = row.completion if isinstance(row, Example) else row.chosen
    return row.origin, escape(f"{row.prompt} → {text}")
