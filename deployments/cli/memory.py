"""The commands about memory: read in, find, ask, forget, make vectors anew."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.console import (
    err,
    out,
    print_hits,
    print_json,
    waiting,
)
from thirdshift.errors import NotFound
from thirdshift.records import Reading

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Count = Annotated[int, typer.Option("-k", min=1, max=200, help="How many to return.")]

_IDS = "`thirdshift search --json` and `thirdshift ask --json` show ids."


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders, read recursively.")],
    as_json: Json = False,
) -> None:
    """Read files and folders into memory."""
    from tasks.memory.ingestion import ingest as take_in

    with waiting("Reading") as report:
        counts: Counter[str] = Counter()

        def show(reading: Reading) -> None:
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
    """Find passages by meaning and by words."""
    from tasks.memory.retrieval import recall

    hits = recall(query, k)
    if as_json:
        return print_json([hit.model_dump() for hit in hits])
    if not hits:
        out.print("Memory is empty: `thirdshift ingest PATH` fills it.")
    print_hits(hits, chars=300)


def ask(question: str, k: Count = 5, as_json: Json = False) -> None:
    """Answer from memory, with sources; say so where memory has none."""
    from agents.answer import ask as answer_from_memory

    answer = answer_from_memory(question, k)
    if as_json:
        return print_json(answer.model_dump())
    out.print(answer.answer, markup=False)
    print_hits(answer.sources, chars=0)
    if answer.id:
        out.print(f"Turn {answer.id[:8]}: `thirdshift feedback good`, `bad` or `correct TEXT`.")


def forget(identity: str) -> None:
    """Delete a chunk or a document from memory for good, by the id that search --json shows.

    A file that is still in a folder you read in comes back when it changes.
    """
    from tasks.memory.indexing import forget as delete

    if not (gone := delete([identity])):
        raise NotFound(f"Memory has no chunk or document {identity!r}.", _IDS)
    out.print(f"{gone} chunks are forgotten.")


def reindex() -> None:
    """Make all vectors anew with the embedding model of the settings."""
    from tasks.memory.indexing import reindex as embed_again

    with waiting("Embedding"):
        total = embed_again()
    out.print(f"{total} chunks have new vectors.")
