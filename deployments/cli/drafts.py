"""`thirdshift drafts`: what was written for you, and what you make of it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from deployments.cli.console import (
    Json,
    grid,
    out,
    print_json,
    waiting,
    write_or_print,
)
from thirdshift.errors import NotFound, ThirdShiftError
from thirdshift.newsroom import DraftStatus, Review

app = typer.Typer(
    no_args_is_help=True,
    help="""Drafts that wait for you: approve, edit, reject.

    Example: thirdshift drafts list --status pending
    """,
)
Id = Annotated[str, typer.Argument(metavar="DRAFT", help="The draft's id, or how it begins.")]
Note = Annotated[str, typer.Option(help="Why; it is kept with the draft.")]


@app.command(name="list")
def show_all(
    status: Annotated[DraftStatus | None, typer.Option(help="Only these.")] = None,
    as_json: Json = False,
) -> None:
    """List the drafts, newest first."""
    from tasks.newsroom import drafts

    listed = drafts.listed(status)
    if as_json:
        return print_json([draft.model_dump() for draft in listed])
    table = grid("id", "status", "written", "by", "title")
    for draft in listed:
        written = f"{draft.created_at:%d %b %H:%M}"
        table.add_row(draft.id, draft.status, written, draft.writer, escape(draft.title))
    out.print(table if listed else "There are no drafts.")


@app.command()
def show(identity: Id, as_json: Json = False) -> None:
    """Show a draft with its sources, and what was left out of it."""
    from tasks.newsroom import drafts, publishing

    draft = drafts.get(identity)
    if as_json:
        return print_json(draft.model_dump())
    text = draft.published or drafts.text_of(draft)
    for part in (f"# {draft.title}", text, publishing.sources(draft)):
        out.print(part + "\n", markup=False, highlight=False, soft_wrap=True)
    for claim in draft.left_out:
        out.print(f"Left out: {claim.text} ({claim.why})", markup=False, soft_wrap=True)
    where = publishing.file_of(draft) if draft.published else drafts.file_of(draft)
    out.print(f"{draft.status}: {where}", markup=False, soft_wrap=True)


@app.command()
def approve(identity: Id, note: Note = "") -> None:
    """Publish a draft as its file now says.

    Example: thirdshift drafts approve 3f2a --note "Well put."
    """
    _decide(identity, Review(verdict="approve", note=note))


@app.command()
def edit(
    identity: Id,
    file: Annotated[Path | None, typer.Option(help="Take the text of this file.")] = None,
    note: Note = "",
) -> None:
    """Change a draft in your editor, and publish it so; what you change is learnt from.

    Example: thirdshift drafts edit 3f2a --file mended.md
    """
    import click

    from tasks.newsroom import drafts

    before = drafts.text_of(drafts.get(identity))
    try:
        text = file.read_text(encoding="utf-8") if file else click.edit(before, extension=".md")
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.") from error
    except click.ClickException as error:
        raise ThirdShiftError(error.message, "Name a file: --file PATH.") from error
    if text is None:
        return out.print("Nothing was saved; the draft waits.")
    _decide(identity, Review(verdict="edit", text=text, note=note))


@app.command()
def reject(identity: Id, note: Note = "") -> None:
    """Put a draft away; nothing is published.

    Example: thirdshift drafts reject 3f2a --note "Old news."
    """
    _decide(identity, Review(verdict="reject", note=note))


@app.command()
def export(
    identity: Id,
    file: Annotated[Path | None, typer.Argument(help="Where to; else it is printed.")] = None,
) -> None:
    """Write an approved draft as Markdown with front matter.

    Example: thirdshift drafts export 3f2a post.md
    """
    from tasks.newsroom import drafts, publishing

    draft = drafts.get(identity)
    if draft.status != "approved":
        raise ThirdShiftError(f"“{draft.title}” is {draft.status}.", "Approve it first.")
    write_or_print(publishing.markdown(draft), file)


def _decide(identity: str, review: Review) -> None:
    from deployments.review import decide
    from tasks.newsroom import publishing

    with waiting("Deciding"):
        decided = decide(identity, review)
    where = publishing.file_of(decided) if decided.status == "approved" else "nothing is published"
    out.print(f"{decided.status}: {decided.title}. {where}", markup=False, soft_wrap=True)
