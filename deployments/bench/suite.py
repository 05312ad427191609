"""`thirdshift bench`: what this machine does, as ratios taken side by side in one run.

Every measurement lives in a temporary home; the owner's memory is not touched.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from thirdshift.errors import NotFound
from thirdshift.settings import at_home

Say = Callable[[str], None]
Rows = list[dict[str, Any]]

_ROUNDS = 3


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
    from deployments.bench.retrieval import measure_retrieval

    rows = []
    for size in (1_000, 10_000) if quick else (1_000, 10_000, 100_000):
        with _elsewhere():
            rows.append(measure_retrieval(size, report))
    return rows


def ingestion(quick: bool, report: Say) -> Rows:
    """Compare reading files into memory with embedding the same chunks bare, in turns."""
    from deployments.bench.ingestion import measure_ingestion

    count = 12 if quick else 36
    ratios, rates = [], []
    for turn in range(_ROUNDS):
        report(f"round {turn + 1} of {_ROUNDS}")
        with _elsewhere() as home:
            whole, chunks, bare = measure_ingestion(home / "papers", count, turn)
        ratios.append(bare / whole)
        rates.append(chunks / whole)
    rate = round(median(rates), 1)
    return [{"chunks/s": rate, "ratio to bare embedding": round(median(ratios), 3)}]


def engine(quick: bool, report: Say) -> Rows:
    """Time the sentinel's prompt reading and decoding, in tokens per second."""
    from deployments.bench.engine import measure_engine

    report("reading and decoding")
    return [measure_engine(30 if quick else 100)]


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
    for starter, times in figures.items():
        rows.append(
            {
                "starter": starter,
                "runs": times["n"],
                "median s": round(times["median"], 3),
                "min s": round(times["min"], 3),
                "max s": round(times["max"], 3),
                "burst of six s": round(max(times["burst"]), 3),
            }
        )
    return rows


@contextmanager
def _elsewhere() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder, at_home(Path(folder)):
        yield Path(folder)
