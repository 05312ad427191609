"""`thirdshift drafts`: what was written for you, and what you make of it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from deployments.cli.console import (
    grid,
    out,
    print_json,
    waiting,
    write_or_print,
)
from thirdshift.errors import NotFound, ThirdShiftError
from thirdshift.newsroom import DraftStatus, Review

app = typer.Typer(no_args_is_help=True, help="Drafts that wait for you: approve, edit, reject.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Id = Annotated[str, typer.Argument(help="The draft's id, or how it begins.")]
Note = Annotated[str, typer.Option(help="Why; it is kept with the draft.")]


@app.command(name="list")
def show_all(
    status: Annotated[DraftStatus | None, typer.Option(help="Only these.")] = None,
    as_json: Json = False,
) -> None:
    """List the drafts, newest first."""
    from tasks.newsroom.drafts import listed

    found = listed(status)
    if as_json:
        return print_json([draft.model_dump() for draft in found])
    table = grid("id", "status", "written", "by", "title")
    for draft in found:
        at = f"{draft.created_at:%d %b %H:%M}"
        table.add_row(draft.id, draft.status, at, draft.writer, escape(draft.title))
    out.print(table if found else "There are no drafts.")


@app.command()
def show(draft: Id, as_json: Json = False) -> None:
    """Show a draft with its sources, and what was left out of it."""
    from tasks.newsroom import drafts, publishing

    found = drafts.get(draft)
    if as_json:
        return print_json(found.model_dump())
    text = found.published or drafts.text_of(found)
    for part in (f"# {found.title}", text, publishing.sources(found)):
        out.print(part + "\n", markup=False, highlight=False, soft_wrap=True)
    for claim in found.left_out:
        out.print(f"Left out: {claim.text} ({claim.why})", markup=False, soft_wrap=True)
    where = publishing.file_of(found) if found.published else drafts.file_of(found)
    out.print(f"{found.status}: {where}", markup=False, soft_wrap=True)


@app.command()
def approve(draft: Id, note: Note = "") -> None:
    """Publish a draft as its file now says."""
    _decide(draft, Review(verdict="approve", note=note))


@app.command()
def edit(
    draft: Id,
    file: Annotated[Path | None, typer.Option(help="Take the text of this file.")] = None,
    note: Note = "",
) -> None:
    """Change a draft in your editor, and publish it so; what you change is learnt from."""
    import click

    from tasks.newsroom import drafts

    before = drafts.text_of(drafts.get(draft))
    try:
        text = file.read_text(encoding="utf-8") if file else click.edit(before, extension=".md")
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.") from error
    except click.ClickException as error:
        raise ThirdShiftError(error.message, "Name a file: --file PATH.") from error
    if text is None:
        return out.print("Nothing was saved; the draft waits.")
    _decide(draft, Review(verdict="edit", text=text, note=note))


@app.command()
def reject(draft: Id, note: Note = "") -> None:
    """Put a draft away; nothing is published."""
    _decide(draft, Review(verdict="reject", note=note))


@app.command()
def export(
    draft: Id,
    file: Annotated[Path | None, typer.Argument(help="Where to; else it is printed.")] = None,
) -> None:
    """Write an approved draft as Markdown with front matter."""
    from tasks.newsroom import drafts, publishing

    found = drafts.get(draft)
    if found.status != "approved":
        raise ThirdShiftError(f"“{found.title}” is {found.status}.", "Approve it first.")
    write_or_print(publishing.markdown(found), file)


def _decide(draft: str, review: Review) -> None:
    from deployments.review import decide
    from tasks.newsroom import publishing

    with waiting("Deciding"):
        decided = decide(draft, review)
    where = publishing.file_of(decided) if decided.status == "approved" else "nothing is published"
    out.print(f"{decided.status}: {decided.title}. {where}", markup=False, soft_wrap=True)
