"""`thirdshift examples`: what the owner taught, to look at and to delete."""

from typing import Annotated, Literal

import typer
from rich.markup import escape

from deployments.cli.console import Json, grid, out, print_json
from thirdshift.learning import Example, Feedback, Preference

app = typer.Typer(
    no_args_is_help=True,
    help="""What you taught: verdicts, examples, preferences.

    Example: thirdshift examples list --kind preferences
    """,
)
Kind = Literal["feedback", "examples", "preferences"]
KINDS: tuple[Kind, ...] = ("feedback", "examples", "preferences")


@app.command("list")
def list_(
    kind: Annotated[Kind | None, typer.Option(help="Only this kind.")] = None,
    as_json: Json = False,
) -> None:
    """List what you taught, oldest first."""
    from tasks.feedback.examples import taught

    lessons = {each: taught(each) for each in ([kind] if kind else KINDS)}
    if as_json:
        return print_json({each: [row.model_dump() for row in lessons[each]] for each in lessons})
    table = grid("id", "kind", "", "about")
    for each, rows in lessons.items():
        for row in rows:
            table.add_row(row.id[:8], each, *_shown(row))
    empty = "Nothing yet: `thirdshift feedback` and `thirdshift prefer` teach."
    out.print(table if any(lessons.values()) else empty)


@app.command()
def show(identity: str, as_json: Json = False) -> None:
    """Show all of one: its texts, sources, model and adapter.

    Example: thirdshift examples show 3f2a81c0
    """
    from tasks.feedback import examples

    kind, row = examples.find(identity)
    if as_json:
        return print_json({"kind": kind} | row.model_dump())
    table = grid("", "")
    for name, value in ({"kind": kind} | row.model_dump()).items():
        table.add_row(name.replace("_", " "), escape(str(value)))
    out.print(table)


@app.command()
def delete(identity: str) -> None:
    """Delete one for good; a verdict takes along the example it made.

    Example: thirdshift examples delete 3f2a81c0
    """
    from tasks.feedback import examples

    out.print(f"Deleted from {examples.delete(identity)}.")


def _shown(row: Feedback | Example | Preference) -> tuple[str, str]:
    if isinstance(row, Feedback):
        return row.verdict, escape(row.question)
    text = row.completion if isinstance(row, Example) else row.chosen
    return row.origin, escape(f"{row.prompt} → {text}")
