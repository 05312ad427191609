"""Ingestion: reading files into memory, beside embedding the same chunks bare."""

import time
from pathlib import Path

import numpy as np

_PROSE = """the of and to in that it was for on are with as his they be at one have this from or had
by hot but some what there we can out other were all your when up use word how said an each she
water after little only round man year came show every good me give our under name very through
just form sentence great think say help low line differ turn cause much mean before move right"""


def measure_ingestion(folder: Path, count: int, salt: int) -> tuple[float, int, float]:
    """Return seconds of reading `count` new files, their chunks, and seconds of bare embedding."""
    return _ingested(_write_files(folder, count, salt))


def _write_files(folder: Path, count: int, salt: int) -> Path:
    random = np.random.default_rng(salt)
    folder.mkdir()
    words = np.array(_PROSE.split())
    for number in range(count):
        lines = [" ".join(random.choice(words, 12)).capitalize() + "." for _ in range(40)]
        paragraphs = ["\n".join(lines[line : line + 5]) for line in range(0, 40, 5)]
        text = "\n\n".join([f"# Notes {number}", *paragraphs])
        (folder / f"{number}.md").write_text(text)
    return folder


def _ingested(folder: Path) -> tuple[float, int, float]:
    """Return seconds of reading the folder, its chunks, and seconds of embedding them bare."""
    from tasks.memory.ingestion import ingest
    from tasks.memory.store import store
    from tasks.models.embedding import embedder

    embedder().passage(["warm"])
    store().table("chunks")
    began = time.perf_counter()
    ingest([folder])
    whole = time.perf_counter() - began
    texts = store().rows("chunks", None, ["title", "text"]).to_pylist()
    passages = [row["text"] for row in texts]
    began = time.perf_counter()
    embedder().passage(passages)
    return whole, len(passages), time.perf_counter() - began
