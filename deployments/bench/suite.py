"""`thirdshift bench`: what this machine does, as ratios taken side by side in one run.

Every measurement lives in a temporary home; the owner's memory is not touched.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from thirdshift.errors import NotFound
from thirdshift.settings import at_home

Say = Callable[[str], None]
Rows = list[dict[str, Any]]

_WORDS = 5000  # of the made-up vocabulary; its frequencies follow Zipf's law
_LENGTH = 80  # words a chunk
_QUERIES = 200
_ROUNDS = 3
_PROSE = """the of and to in that it was for on are with as his they be at one have this from or had
by hot but some what there we can out other were all your when up use word how said an each she
water after little only round man year came show every good me give our under name very through
just form sentence great think say help low line differ turn cause much mean before move right"""


def measure(what: str, *, quick: bool, report: Say) -> dict[str, Rows]:
    """Return rows of figures by name of the bench, of one or of all."""
    benches = {"retrieval": retrieval, "ingestion": ingestion, "engine": engine}
    benches |= {"start": start, "gate": gate, "train": train, "analyst": analyst}
    if what not in (*benches, "all"):
        raise NotFound(f"There is no bench {what}.", f"There are: {', '.join(benches)}, all.")
    chosen = benches if what == "all" else {what: benches[what]}
    return {name: bench(quick, report) for name, bench in chosen.items()}


def retrieval(quick: bool, report: Say) -> Rows:
    """Time hybrid search and the query's embedding; compare its vectors with exact search."""
    rows = []
    for size in (1_000, 10_000) if quick else (1_000, 10_000, 100_000):
        with _elsewhere():
            report(f"filling {size:,} chunks")
            vectors, vocabulary = _fill(size)
            report(f"searching {size:,} chunks")
            rows.append({"chunks": size} | _searched(vectors, vocabulary))
    return rows


def ingestion(quick: bool, report: Say) -> Rows:
    """Compare reading files into memory with embedding the same chunks bare, in turns."""
    count = 12 if quick else 36
    ratios, rates = [], []
    for turn in range(_ROUNDS):
        report(f"round {turn + 1} of {_ROUNDS}")
        with _elsewhere() as home:
            folder = _write_files(home / "papers", count, turn)
            whole, chunks, bare = _ingested(folder)
        ratios.append(bare / whole)
        rates.append(chunks / whole)
    rate = round(median(rates), 1)
    return [{"chunks/s": rate, "ratio to bare embedding": round(median(ratios), 3)}]


def engine(quick: bool, report: Say) -> Rows:
    """Time the sentinel's prompt reading and decoding, in tokens per second."""
    from tasks.models.runtime import runtime

    chat = runtime().chat("sentinel", max_tokens=64)
    prompt = "Repeat these words: " + "river stone light paper cloud " * (30 if quick else 100)
    chat.invoke("Hello")
    report("reading and decoding")
    began, first, last, pieces = time.perf_counter(), 0.0, 0.0, 0
    for piece in chat.stream(f"{time.time()} {prompt}"):
        last = time.perf_counter()
        first = first or last
        pieces += bool(piece.text)
    words = len(prompt.split())
    return [
        {
            "runtime": runtime().name,
            "billion parameters": round(runtime().billions("sentinel"), 3),
            "prompt words/s": round(words / (first - began), 1),
            "decode tokens/s": round((pieces - 1) / (last - first), 1),
        }
    ]


def gate(quick: bool, report: Say) -> Rows:
    """Time what every run pays: its gate, its meter, each sensor."""
    from deployments.bench.gate import measure_gate

    report("reading sensors")
    with _elsewhere():
        return measure_gate(20 if quick else 100)


def train(quick: bool, report: Say) -> Rows:
    """Compare our training with mlx-lm's own command, in turns; short examples."""
    from deployments.bench.train import measure_train

    with _elsewhere() as home:
        return measure_train(home, *((8, 1) if quick else (16, 5)), report)


def analyst(quick: bool, report: Say) -> Rows:
    """Compare an analysis, from a file to its report, with DuckDB summing up the same file."""
    from deployments.bench.analyst import measure_analyst

    with _elsewhere() as home:
        return measure_analyst(home, *((500_000, 1) if quick else (10_000_000, _ROUNDS)), report)


def start(quick: bool, report: Say) -> Rows:
    """Time from trigger to the first line of a flow's body, warm starter beside stock."""
    from deployments.bench.start import measure_start

    report("starting runs")
    figures = measure_start(5 if quick else 15, 6)
    rows = []
    for starter, found in figures.items():
        rows.append(
            {
                "starter": starter,
                "runs": found["n"],
                "median s": round(found["median"], 3),
                "min s": round(found["min"], 3),
                "max s": round(found["max"], 3),
                "burst of six s": round(max(found["burst"]), 3),
            }
        )
    return rows


@contextmanager
def _elsewhere() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder, at_home(Path(folder)):
        yield Path(folder)


def _fill(size: int) -> tuple[Any, Any]:
    """Store `size` made-up chunks: vectors in clusters of varied density, Zipfian words."""
    from tasks.memory.store import store
    from tasks.models.embedding import embedder

    random = np.random.default_rng(0)
    dim = embedder().dim
    centres = random.normal(size=(500, 32))[random.integers(0, 500, size)]
    spread = 0.4 * random.normal(size=(size, 32))
    vectors = (centres + spread) @ (random.normal(size=(32, dim)) / 6)
    vectors += 0.05 * random.normal(size=(size, dim))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("float32")
    vocabulary = np.array([f"w{number}" for number in range(_WORDS)])
    chances = 1 / np.arange(1, _WORDS + 1)
    words = random.choice(vocabulary, (size, _LENGTH), p=chances / chances.sum())
    for begin in range(0, size, 10_000):
        rows = [_row(n, words[n], vectors[n]) for n in range(begin, min(begin + 10_000, size))]
        store().upsert("chunks", rows)
    store().compact()
    return vectors, words


def _row(number: int, words: Any, vector: Any) -> dict[str, Any]:
    from tasks.models.embedding import embedder
    from thirdshift.records import Chunk

    name, text = str(number), " ".join(words)
    chunk = Chunk(
        id=name,
        document_id=name,
        uri=name,
        title=name,
        text=text,
        span=(0, len(text)),
        content_hash=name,
        provenance="owner",
        embedding_model=embedder().name,
    )
    return chunk.model_dump(exclude={"span"}) | {"start": 0, "end": len(text), "vector": vector}


def _searched(vectors: Any, words: Any) -> dict[str, Any]:
    from tasks.memory.retrieval import recall
    from tasks.memory.store import store
    from tasks.models.embedding import embedder

    random = np.random.default_rng(1)
    chosen = random.integers(0, len(vectors), _QUERIES)
    noise = random.normal(size=(_QUERIES, vectors.shape[1])) / 60
    found, embedding, seconds = [], [], []
    for number, query in zip(chosen, vectors[chosen] + noise.astype("float32"), strict=True):
        near = [store().nearest(query, 10, "status = 'active'", exact=e) for e in (False, True)]
        ids = [set(table["id"].to_pylist()) for table in near]
        found.append(len(ids[0] & ids[1]) / 10)
        text = " ".join(words[number][:6])
        began = time.perf_counter()
        vector = embedder().query([text])[0]
        embedded = time.perf_counter()
        recall(text, 10, vector=vector)
        embedding.append(embedded - began)
        seconds.append(time.perf_counter() - embedded)
    return {
        "p50 ms": round(median(seconds) * 1e3, 1),
        "p95 ms": round(quantiles(seconds, n=20)[-1] * 1e3, 1),
        "embedding p50 ms": round(median(embedding) * 1e3, 1),
        "recall@10": round(sum(found) / len(found), 4),
    }


def _write_files(folder: Path, count: int, salt: int) -> Path:
    random = np.random.default_rng(salt)
    folder.mkdir()
    words = np.array(_PROSE.split())
    for number in range(count):
        lines = [" ".join(random.choice(words, 12)).capitalize() + "." for _ in range(40)]
        paragraphs = ["\n".join(lines[at : at + 5]) for at in range(0, 40, 5)]
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
