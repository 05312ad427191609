"""`thirdshift refine`: what verdicts changed in memory, what awaits review, and taking it back."""

import typer
from rich.markup import escape

from deployments.cli.console import Json, grid, out, print_json
from thirdshift.learning import Refinement
from thirdshift.settings import settings

app = typer.Typer(
    no_args_is_help=True,
    help="""What your verdicts changed in memory.

    Example: thirdshift refine review
    """,
)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the nights that changed something, oldest first."""
    from tasks.feedback.refinement import refinements

    nights = refinements()
    if as_json:
        return print_json([night.model_dump() for night in nights])
    rows = grid("id", "at", "changes", "")
    for night in nights:
        began = f"{night.at.astimezone(settings().zone):%a %d %b %H:%M}"
        rows.add_row(night.id[:8], began, _counted(night), "undone" * night.undone)
    out.print(rows if nights else "Nothing was changed yet: verdicts tell from the next night.")


@app.command()
def review(as_json: Json = False) -> None:
    """List the passages that answers were bad from again and again; they are still recalled."""
    from tasks.feedback.refinement import flagged

    passages = flagged()
    if as_json:
        return print_json(passages)
    for row in passages:
        out.print(f"{row['id']}  {row['title']}  {row['uri']}", markup=False, soft_wrap=True)
        out.print("    " + " ".join(row["text"].split())[:300], markup=False)
    out.print("`thirdshift forget ID` deletes one." if passages else "Nothing awaits review.")


@app.command()
def undo() -> None:
    """Take the last change back; the verdicts behind it count no more until given anew.

    Example: thirdshift refine undo
    """
    from tasks.feedback import refinement

    undone = refinement.undo()
    out.print(f"Undone {undone.id[:8]}: {escape(_counted(undone))} taken back.")


def _counted(night: Refinement) -> str:
    kinds = [change.of for change in night.changes]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
