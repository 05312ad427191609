"""Benchmark of a whole analysis beside DuckDB alone, which scans and sums up the same file of CSV.

`python -m deployments.bench.analyst` is one side, in a process of its own: `duckdb` answers the
query that a report rests on, `report` does all that a night does from the file to the written
page: fetch, check, count, find, word, draw, write. From a cold start imports count on both sides.
`… imported` have all modules before they begin: what is left is the work itself. (Standbys do
not hold them, 200 MB each; a nightly run imports most of them during the scan.) Prefect, whose
part `bench start` measures, counts on no side. Files of any size go the way of large ones.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from tasks.tables.aggregation import LATER

_NAME = "bench"
_SIDES = ("duckdb", "report", "duckdb imported", "report imported")
_AT_ONCE = ("duckdb", "lancedb", "tasks.analysis.extraction.extract", "tasks.analysis.examination")
_ENGINES = ("tasks.models.embedded.runtime", "tasks.models.ollama.runtime", "ollama")
_MEASURES = ("units", "revenue", "cost", "visits", "returns")
_QUERY = """SELECT date_trunc('day', time) AS day, shop, product, {sums}
FROM read_csv('{file}') GROUP BY GROUPING SETS ((day), (day, shop), (day, product))"""
# Three years; each row's noise is a hash of its number, so the file is the same everywhere.
_ROWS = """SELECT strftime(TIMESTAMP '2023-01-01' + to_seconds((i * {step})::BIGINT),
    '%Y-%m-%d %H:%M:%S') AS time,
  'shop ' || (hash(i, 1) % 12) AS shop, 'product ' || (hash(i, 2) % 40) AS product,
  (1 + hash(i, 3) % 9)::INT AS units,
  round(level * (50 + hash(i, 4) % 100), 2) AS revenue, round(30 + hash(i, 5) % 5000 / 100, 2)
  AS cost, (hash(i, 6) % 500)::INT AS visits, (hash(i, 7) % 100 < 4 + 40 * odd)::INT AS returns
FROM (SELECT i, day, (day BETWEEN 700 AND 702)::INT AS odd,
    (1 + day / 4000.0) * (1 + 0.2 * sin(day * pi() / 3.5)) * (1 + (day > 500)::INT * 0.3) AS level
  FROM (SELECT i, (i * {step})::BIGINT // 86400 AS day FROM range({rows}) AS made(i)))"""
_ANALYSIS = """title: Bench
source: {{kind: csv, path: {file}}}
time: {{column: time}}
measures: [{measures}]
dimensions: [shop, product]
expectations:
  - {{expect: column_values_to_not_be_null, column: shop}}
  - {{expect: column_values_to_be_between, column: cost, min_value: 0, max_value: 1000}}
questions: ["What moved revenue last week?"]
"""


def measure_analyst(
    home: Path, rows: int, rounds: int, report: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return each side's median seconds and highest memory, and the median ratio of the two."""
    report(f"writing {rows:,} rows")
    file = home / "rows.csv"
    _describe(home, file)
    _timed("write", file, rows)  # apart: a child's peak memory begins with its parent's
    sides: dict[str, list[dict[str, float]]] = {side: [] for side in _SIDES}
    for turn in range(rounds):
        for side, timings in sides.items():
            report(f"round {turn + 1} of {rounds}: {side}")
            timings.append(_timed(side, file))
    return [
        {"what": side, "rows": rows, "MB of CSV": file.stat().st_size // 1_000_000}
        | {"s": round(median(timing["s"] for timing in timings), 2)}
        | {"CPU s": round(median(timing["cpu"] for timing in timings), 2)}
        | {"peak MB": round(max(timing["mb"] for timing in timings))}
        | {"ratio": round(_ratio(timings, sides[side.replace("report", "duckdb")]), 2)}
        for side, timings in sides.items()
    ]


def _ratio(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> float:
    return median(our["s"] / their["s"] for our, their in zip(ours, theirs, strict=True))


def _describe(home: Path, file: Path) -> None:
    """Write the analysis of the file, and settings by which no table is read into memory."""
    listed = ", ".join(f"{{column: {name}}}" for name in _MEASURES)
    definition = _ANALYSIS.format(file=file, measures=listed)
    (home / "analyses").mkdir(parents=True)
    (home / "analyses" / f"{_NAME}.yaml").write_text(definition, encoding="utf-8")
    (home / "settings.toml").write_text("[analyst]\nwhole_below = 1000\n", encoding="utf-8")


def _timed(side: str, *arguments: object) -> dict[str, float]:
    """Run one side; return its seconds, those of CPU, and the most memory it held."""
    began = time.perf_counter()
    child = subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-m",
            "deployments.bench.analyst",
            *side.split(),
            *map(str, arguments),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin and child.stdout
    if side.endswith("imported"):
        child.stdout.readline()  # it has imported
        began = time.perf_counter()
    child.stdin.close()
    child.stdout.readline()  # the answer; that a process takes apart what it imported is no work
    seconds = time.perf_counter() - began
    _, status, used = os.wait4(child.pid, 0)  # unlike RUSAGE_CHILDREN, of this child alone
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, child.args)
    unit = 1_000_000 if sys.platform == "darwin" else 1_000  # ru_maxrss: bytes there, else KB
    return {"s": seconds, "cpu": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / unit}


def write(file: str, rows: str) -> int:
    """Write a made-up file of eight columns; return its rows."""
    import duckdb

    query = _ROWS.format(rows=rows, step=repr(3 * 365 * 86_400 / int(rows)))
    duckdb.sql(f"COPY ({query}) TO '{file}' (HEADER)")
    return int(rows)


def scan(file: str) -> int:
    """Sum up all measures by day, shop and product as plain DuckDB does; return the cells."""
    import duckdb

    sums = ", ".join(f"sum({name}) AS {name}" for name in _MEASURES)
    return len(duckdb.execute(_QUERY.format(sums=sums, file=file)).fetchall())


def analyse(_: str) -> str:
    """Analyse the file as `flows.analyse_data` does; return the page's path."""
    from agents.narrative import narrate
    from tasks.analysis import archive, definitions, insights
    from tasks.analysis.drawing import draw_charts
    from tasks.analysis.examination import examine
    from tasks.analysis.extraction.extract import extract
    from tasks.analysis.report import Report

    analysis = definitions.find(_NAME)
    last = archive.last_report(analysis.name)
    extracted = extract(analysis, last.fingerprint if last else "")
    cube, quality = examine(extracted, analysis)
    findings = insights.find(cube, analysis, quality)
    narrative = narrate(findings, analysis)
    report = Report(analysis, extracted, cube, findings, narrative, last)
    return str(archive.write(report, draw_charts(report)))


def import_all() -> None:
    """Import all that a side takes, say so, and return when told to begin."""
    reported = ("agents.narrative", "tasks.analysis.archive", "tasks.analysis.insights")
    for name in (*reported, *LATER, *_AT_ONCE, *_ENGINES):
        import_module(name)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    side_, *given_ = sys.argv[1:]
    if given_[0] == "imported":
        import_all()
    sides_: dict[str, Callable[..., object]] = {"write": write, "duckdb": scan, "report": analyse}
    print(json.dumps(sides_[side_](*given_[given_[0] == "imported" :])), flush=True)
