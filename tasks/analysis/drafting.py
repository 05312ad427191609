"""Data profiling: a new analysis drafted by looking at data, or taken in as a YAML file."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.analysis import definitions
from tasks.machine.disk import whole_file
from tasks.tables.columns import Column, quoted
from tasks.tables.loading import carefully, load_relation
from tasks.tables.relation import Relation, connected
from thirdshift.analysis import Analysis, Extracted
from thirdshift.errors import AnalysisInvalid, DataInvalid, SourceUnavailable
from thirdshift.records import now
from thirdshift.settings import settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_KINDS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".json": "json",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".xlsx": "excel",
}  # fmt: skip
# Measured: docs/log.md, "1,822 public files through the analyst" (2026-11-25).
_UNREADABLE = 0.01  # share of a column's values: more, and it is not followed
_SPARSE = 0.5  # share of the rows; emptier columns are taken last
_FEW = 50  # values of a column by which one would split
_NUMBERED = re.compile(r"(^|[_\s])(id|no|nr|code|zip|year|month)$|番号|コード", re.IGNORECASE)
_TIMES = re.compile(r"year|date|time|month|quarter|week|period|stamp|epoch|[年月週日時期]", re.I)
_AVERAGED = re.compile(r"price|rate|temp|ratio|percent|avg|mean|score|level|率|価格|単価|温", re.I)
_DRAFT = """# Drafted from {path}.
# Every key is explained in datasets/analyses/shop-sales.yaml of Third Shift.
title: {title}
source:
  kind: {kind}
  path: {path}
schedule: "0 3 * * *"      # at three in the morning; without it only `thirdshift analyses run`

# The column that says when.{doubt}
time:
  column: {time}

# What is followed: add units, and mean where adding up says nothing. count is of rows.
measures:
{measures}

# What to split by, to say who moved the measures.
dimensions: {dimensions}

# What must hold, or the last report stands and the data are put aside.
expectations:
{expectations}

# What you would ask; the report answers it first.
questions:
  - {question}

language: {language}
"""


def add_analysis(file: Path, name: str = "", *, force: bool = False) -> Path:
    """Put an analysis into the home folder and return its file.

    YAML is checked and copied; anything else is data, from which one is drafted. Raises
    AnalysisInvalid where it is wrong or there is one of that name, SourceUnavailable for data
    that tell too little.
    """
    if not file.is_file():
        raise SourceUnavailable(f"There is no file {file}.", "Name a YAML file, or a data file.")
    chosen = name or re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")
    if not re.fullmatch(r"[a-z][a-z0-9-]*", chosen):
        raise AnalysisInvalid(f"{chosen!r} is no name.", "Choose one with --name: a-z, 0-9 and -.")
    target = settings().analyses_path / f"{chosen}.yaml"
    if target.exists() and not force:
        raise AnalysisInvalid(f"There is an analysis {target}.", "Replace it with --force.")
    is_analysis = file.suffix.lower() in (".yaml", ".yml")
    text = file.read_text(encoding="utf-8") if is_analysis else draft(file.resolve())
    with whole_file(target, durable=True) as part:
        part.write_text(text, encoding="utf-8")
        definitions.read(file if is_analysis else part, target)
    return target


def draft(file: Path) -> str:
    """Return a commented analysis of a data file, by what its columns hold."""
    kind = _KINDS.get(file.suffix.lower())
    if kind is None:
        known = ", ".join(_KINDS)
        raise SourceUnavailable(
            f"{file.suffix or file.name} is no data we read.", f"Known: {known}."
        )
    with connected() as connection:
        data = _Data(file, kind, _as_extracted(file, kind), connection)
        table, seen = carefully(data.seen)
    return _written(file, kind, table, seen)


class _Seen(NamedTuple):
    """What a column holds: how many values, members and rows nobody can read."""

    filled: float  # share of the rows
    unreadable: float
    members: int


class _Data(NamedTuple):
    """Data that are looked at."""

    file: Path
    kind: str
    extracted: Extracted
    connection: "DuckDBPyConnection"

    def seen(self, careful: bool) -> tuple[Relation, dict[str, _Seen]]:
        """Return them as a relation, and what each of its columns holds."""
        table = self._table(careful)
        names = [column.name for column in table.columns]
        counts = ", ".join(
            f"count({table.typed(name)}), count(*) FILTER ({table.unreadable(name)}), "
            f"approx_count_distinct({quoted(name) if kind == 'text' else 'NULL'})"
            for name, kind, *_ in table.columns
        )
        query = f"SELECT count(*), {counts} FROM ({table.sql})"
        rows, *numbers = self.connection.execute(query).fetchall()[0]
        threes = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        of = max(rows, 1)
        seen = [_Seen(filled / of, odd / of, members) for filled, odd, members in threes]
        return table, dict(zip(names, seen, strict=True))

    def _table(self, careful: bool) -> Relation:
        """Take a column for the time whose name says so, where none holds dates."""
        table = self._read("", careful)
        if any(column.kind == "moment" for column in table.columns):
            return table
        for column in table.columns:
            if _TIMES.search(column.name):
                with suppress(DataInvalid):
                    return self._read(column.name, careful)
        return table

    def _read(self, time: str, careful: bool) -> Relation:
        probe = _probe(self.file, self.kind, time)
        return load_relation(self.extracted, probe, self.connection, careful=careful)


def _written(file: Path, kind: str, table: Relation, seen: dict[str, _Seen]) -> str:
    readable = [column for column in table.columns if seen[column.name].unreadable <= _UNREADABLE]
    readable.sort(key=lambda column: seen[column.name].filled < _SPARSE)
    times = [column for column in readable if column.kind == "moment"]
    numbers = [column.name for column in readable if column.kind == "number"]
    measures = [name for name in numbers if not _NUMBERED.search(name)][:4]
    if not times:
        raise SourceUnavailable(
            f"{file} has no column of dates that we can tell.", "Write the YAML by hand."
        )
    texts = [column.name for column in table.columns if column.kind == "text"]
    dimensions = [name for name in texts if 1 < seen[name].members <= _FEW][:5]
    japanese = any(re.search("[ぁ-ヿ一-鿿]", column.name) for column in table.columns)
    rows = "件数" if japanese else "Rows"
    main = measures[0] if measures else rows
    followed = [_measure(name) for name in measures]
    return _DRAFT.format(
        path=_yaml(str(file)),
        title=_yaml(file.stem.replace("_", " ").replace("-", " ").capitalize()),
        kind=kind,
        doubt=_doubt(times[0]),
        time=_yaml(times[0].name),
        measures="\n".join(followed or [f"  - {{aggregate: count, title: {rows}}}"]),
        dimensions=_yaml(dimensions),
        expectations="\n".join(_filled(name, seen) for name in (times[0].name, *measures)),
        question=_yaml(
            f"先週{main}はなぜ変わりましたか。" if japanese else f"Why did {main} change?"
        ),
        language="ja" if japanese else "en",
    )


def _measure(name: str) -> str:
    how = "mean" if _AVERAGED.search(name) else "sum"
    return f"  - {{column: {_yaml(name)}, aggregate: {how}}}"


def _filled(name: str, seen: dict[str, _Seen]) -> str:
    """Return the expectation that a column stays as filled as it is, by steps of a twentieth."""
    mostly = min(int(seen[name].filled * 20) / 20, 0.95)
    return f"  - {{expect: column_values_to_not_be_null, column: {_yaml(name)}, mostly: {mostly}}}"


def _doubt(time: Column) -> str:
    if not time.doubtful:
        return ""
    return (
        f"\n# Day and month could be the other way round: say format: {_yaml(time.format)} if so."
    )


def _as_extracted(file: Path, kind: str) -> Extracted:
    from tasks.analysis.extraction.extract import extract

    if kind in ("json", "excel"):
        return extract(_probe(file, kind))
    format = {"jsonl": "json"}.get(kind, kind)
    return Extracted(files=[file], format=format, fingerprint="", source=str(file), at=now())


def _probe(file: Path, kind: str, time: str = "") -> Analysis:
    """Return an analysis that only says where the data are."""
    keys: dict[str, Any] = {
        "name": "draft",
        "folder": file.parent,
        "title": "Draft",
        "source": {"kind": kind, "path": file},
        "time": {"column": time},
        "measures": [{"column": "-"}],
    }
    return Analysis.model_validate(keys)


def _yaml(value: Any) -> str:
    """Return a value as YAML on one line; JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)
