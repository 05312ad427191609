"""How the command prints: tables, JSON, passages, and a spinner while one waits."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from thirdshift.errors import NotFound
from thirdshift.records import Hit

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]

out = Console(emoji=False)  # what strangers call things is printed as it is, :bug: too
err = Console(stderr=True, emoji=False)


class waiting:
    """Show a spinner, the time and a changing line on a terminal; nothing when piped."""

    def __init__(self, what: str) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._progress = Progress(*columns, console=err, transient=True)
        self._task = self._progress.add_task(what)
        self._what = what

    def __enter__(self) -> "waiting":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, line: str) -> None:
        """Change the line."""
        self._progress.update(self._task, description=f"{self._what}: {line}")


def grid(*columns: str, title: str | None = None) -> Table:
    """Return an empty table without lines."""
    table = Table(title=title, box=None, title_justify="left", header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_json(value: Any) -> None:
    """Print JSON and nothing else."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def write_or_print(text: str, file: Path | None) -> None:
    """Write a text where it is wanted, else print it; raises NotFound naming the file."""
    if file is None:
        return typer.echo(text, nl=False)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NotFound(f"{file} cannot be written: {error.strerror}.") from error
    out.print(f"Written: {file}", markup=False)


def print_hits(hits: list[Hit], chars: int) -> None:
    """Print where each passage is, and its first `chars` characters."""
    for number, hit in enumerate(hits, 1):
        start, end = hit.span
        out.print(
            f"[{number}] {hit.title}  {hit.document}:{start}-{end}  {hit.score:.2f}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        if chars:
            out.print("    " + " ".join(hit.text.split())[:chars], markup=False)
