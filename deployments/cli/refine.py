"""`thirdshift refine`: what verdicts changed in memory, what awaits review, and taking it back."""

from typing import Annotated

import typer
from rich.markup import escape

from deployments.cli.console import grid, out, print_json
from thirdshift.learning import Refinement
from thirdshift.settings import settings

app = typer.Typer(no_args_is_help=True, help="What your verdicts changed in memory.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the nights that changed something, oldest first."""
    from tasks.feedback.refinement import refinements

    found = refinements()
    if as_json:
        return print_json([one.model_dump() for one in found])
    rows = grid("id", "at", "changes", "")
    for one in found:
        at = one.at.astimezone(settings().zone)
        rows.add_row(one.id[:8], f"{at:%a %d %b %H:%M}", _counted(one), "undone" * one.undone)
    out.print(rows if found else "Nothing was changed yet: verdicts tell from the next night.")


@app.command()
def review(as_json: Json = False) -> None:
    """List the passages that answers were bad from again and again; they are still recalled."""
    from tasks.feedback.refinement import flagged

    found = flagged()
    if as_json:
        return print_json(found)
    for row in found:
        out.print(f"{row['id']}  {row['title']}  {row['uri']}", markup=False, soft_wrap=True)
        out.print("    " + " ".join(row["text"].split())[:300], markup=False)
    out.print("`thirdshift forget ID` deletes one." if found else "Nothing awaits review.")


@app.command()
def undo() -> None:
    """Take the last change back; the verdicts behind it count no more until given anew."""
    from tasks.feedback.refinement import undo as take_back

    undone = take_back()
    out.print(f"Undone {undone.id[:8]}: {escape(_counted(undone))} taken back.")


def _counted(one: Refinement) -> str:
    kinds = [change.of for change in one.changes]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
