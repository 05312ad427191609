"""The commands about memory: read in, find, ask, forget, make vectors anew."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.console import (
    Json,
    err,
    out,
    print_hits,
    print_json,
    waiting,
)
from thirdshift.errors import NotFound
from thirdshift.records import Ingested

Count = Annotated[int, typer.Option("-k", min=1, max=200, help="How many to return.")]

_IDS = "`thirdshift search --json` and `thirdshift ask --json` show ids."


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders, read recursively.")],
    as_json: Json = False,
) -> None:
    """Read files and folders into memory.

    Example: thirdshift ingest ~/Documents/notes
    """
    from tasks.memory.ingestion import ingest as take_in

    with waiting("Reading") as report:
        counts: Counter[str] = Counter()

        def show(reading: Ingested) -> None:
            counts[reading.result] += 1
            report(", ".join(f"{n} {name}" for name, n in counts.items()))

        readings = take_in(paths, progress=show)
    if as_json:
        return print_json([reading.model_dump(mode="json") for reading in readings])
    for reading in readings:
        if reading.result == "rejected":
            err.print(f"left out  {reading.path}: {reading.reason}", markup=False, soft_wrap=True)
    out.print(", ".join(f"{n} {name}" for name, n in counts.items()) or "No files found.")


def search(query: str, k: Count = 5, as_json: Json = False) -> None:
    """Find passages by meaning and by words.

    Example: thirdshift search "roaster service" -k 10
    """
    from tasks.memory.retrieval import recall

    hits = recall(query, k)
    if as_json:
        return print_json([hit.model_dump() for hit in hits])
    if not hits:
        out.print("Memory is empty: `thirdshift ingest PATH` fills it.")
    print_hits(hits, chars=300)


def ask(question: str, k: Count = 5, as_json: Json = False) -> None:
    """Answer from memory, with sources; say so where memory has none.

    Example: thirdshift ask "Can I reserve a seat at the Teramachi shop?"
    """
    from agents import answer

    reply = answer.ask(question, k)
    if as_json:
        return print_json(reply.model_dump())
    out.print(reply.answer, markup=False)
    print_hits(reply.sources, chars=0)
    if reply.id:
        out.print(f"Turn {reply.id[:8]}: `thirdshift feedback good`, `bad` or `correct TEXT`.")


def forget(identity: str) -> None:
    """Delete a chunk or a document from memory for good, by the id that search --json shows.

    A file that is still in a folder you read in comes back when it changes.

    Example: thirdshift forget 3f2a81c09b1d
    """
    from tasks.memory import indexing

    if not (gone := indexing.forget([identity])):
        raise NotFound(f"Memory has no chunk or document {identity!r}.", _IDS)
    out.print(f"{gone} chunks are forgotten.")


def reindex() -> None:
    """Make all vectors anew with the embedding model of the settings."""
    from tasks.memory import indexing

    with waiting("Embedding"):
        total = indexing.reindex()
    out.print(f"{total} chunks have new vectors.")
