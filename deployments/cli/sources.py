"""`thirdshift sources`: what is watched, how each source stands, and what was taken of it."""

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
from thirdshift.newsroom import SourceKind
from thirdshift.records import now

app = typer.Typer(
    no_args_is_help=True,
    help="""The feeds and pages that are watched for you.

    Example: thirdshift sources add https://news.example/feed --name News
    """,
)


@app.command(name="list")
def show(as_json: Json = False) -> None:
    """List the sources with how they stand."""
    from tasks.newsroom.monitoring import standing
    from tasks.newsroom.sources import watchlist

    sources = watchlist().sources
    states = standing(sources)
    if as_json:
        rows = [(source, states.get(source.id)) for source in sources]
        return print_json(
            [row.model_dump() | {"state": state and state.model_dump()} for row, state in rows]
        )
    table = grid("name", "kind", "address", "last answer", "")
    for source in sources:
        state = states.get(source.id)
        answered = f"{state.checked_at:%d %b %H:%M}" if state and state.checked_at else "-"
        trouble = f"[red]{escape(state.reason)}[/]" if state and state.broken_since else ""
        address = escape(source.url or source.query)
        table.add_row(escape(source.name), source.kind, address, answered, trouble)
    out.print(table if sources else "Nothing is watched: `thirdshift sources add URL`.")


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="An address; with --kind x, a query.")],
    name: Annotated[str, typer.Option(help="What you call it.")] = "",
    kind: Annotated[SourceKind, typer.Option(help="feed, page, github or x.")] = "feed",
    keyword: Annotated[list[str] | None, typer.Option(help="A word for this source only.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Take every story of it.")] = False,
) -> None:
    """Add a source to the list; the next hourly run looks at it.

    Example: thirdshift sources add https://news.example/feed --keyword coffee
    """
    from tasks.newsroom import sources

    source = sources.source_at(url, kind, name=name, keywords=tuple(keyword or ()), all=every)
    added = sources.add([source])
    out.print(f"Added: {added[0].name}." if added else "It is listed already.", markup=False)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="Its name or address.")]) -> None:
    """Take a source off the list; what was found in it stays.

    Example: thirdshift sources remove News
    """
    from tasks.newsroom import sources

    sources.remove(name)
    out.print(f"Removed: {name}.", markup=False)


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="Its name; without one, all.")] = "",
    as_json: Json = False,
) -> None:
    """Ask the sources now, those left alone after failures too; nothing is kept.

    Example: thirdshift sources check News
    """
    from tasks.newsroom import sources
    from tasks.newsroom.monitoring import check_all

    with waiting("Asking"):
        checked = check_all(sources.named(name), urgent=True)
    if as_json:
        print_json([answer.model_dump(exclude={"state"}) for answer in checked])
    else:
        table = grid("source", "", "entries", "newest, or the reason")
        for answer in checked:
            newest = answer.reason or (answer.entries[0].title if answer.entries else "")
            entries = str(len(answer.entries))
            table.add_row(escape(answer.source.name), answer.result, entries, escape(newest))
        out.print(table)
    raise typer.Exit(int(any("broken" in answer.result for answer in checked)))


@app.command()
def stories(
    since: Annotated[str, typer.Option(help="How far back: 24h, 7d, 2w.")] = "7d",
    as_json: Json = False,
) -> None:
    """List what was found, and why it was taken or left.

    Example: thirdshift sources stories --since 2d
    """
    from deployments.status.history import period
    from tasks.newsroom.stories import listed

    seen = listed(now() - period(since))
    if as_json:
        return print_json([story.model_dump() for story in seen])
    table = grid("decision", "source", "title", "why")
    for story in seen:
        cells = (story.decision, story.source, story.title, story.reason)
        table.add_row(*map(escape, cells))
    out.print(table if seen else f"Nothing was found in the last {since}.")


@app.command(name="import")
def import_opml(file: Annotated[Path, typer.Argument(help="An OPML file.")]) -> None:
    """Add the feeds of an OPML file.

    Example: thirdshift sources import subscriptions.opml
    """
    from tasks.newsroom import sources

    feeds = sources.from_opml(file)
    added = sources.add(feeds)
    out.print(f"{len(feeds)} feeds in {file.name}, {len(added)} added.", markup=False)


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; else it is printed.")] = None,
) -> None:
    """Write the feeds as OPML.

    Example: thirdshift sources export subscriptions.opml
    """
    from tasks.newsroom.sources import to_opml, watchlist

    write_or_print(to_opml(watchlist().sources), file)
