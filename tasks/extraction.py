"""Where an analysis' data come from: files as they lie, everything else as a snapshot of ours."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.analyses import fetched, resolved
from tasks.store import ensure_room
from thirdshift.analyses import Analysis, Extracted
from thirdshift.data_sources import (
    Dialect,
    FileSource,
    FolderSource,
    HtmlSource,
    HttpSource,
    KaggleSource,
    SqlSource,
)
from thirdshift.errors import DocumentUnreadable, SourceUnavailable
from thirdshift.records import Record, content_hash, now
from thirdshift.settings import settings

_HASHED = 64_000_000  # bytes; a larger file is told by its size and time of change
_UTF8 = Dialect(encoding="utf-8", delimiter=",")


class Snapshot(Record):
    """What was fetched last, and how to ask whether it has changed."""

    file: str
    address: str
    etag: str = ""
    last_modified: str = ""


def extract(analysis: Analysis, analysed: str = "") -> Extracted:
    """Return the data of an analysis as files on this machine.

    `analysed` is the fingerprint of the last report; data and analysis that are still the
    same are `unchanged`. Raises SourceUnavailable.
    """
    source = analysis.source
    if isinstance(source, FileSource | FolderSource) and not _needs_writing(source):
        files, format = _local(analysis, source)
        dialect, said = source.dialect, str(resolved(analysis, source.path))
    else:
        files, dialect, said = [_fetched(analysis)], _dialect(analysis), _address(analysis)
        format = "csv"
    fingerprint = content_hash(analysis.model_dump_json(), *map(_fingerprint, files))
    return Extracted(
        files=files,
        format=format,
        dialect=dialect,
        fingerprint=fingerprint,
        unchanged=fingerprint == analysed,
        source=said,
        at=now(),
    )


def write_rows(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as CSV in UTF-8: one way for everything that is not a file of its own."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for row in rows:
            writer.writerow([_cell(value) for value in row])


def write_records(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write records as CSV; a nested `{"a": {"b": 1}}` becomes the column `a.b`."""
    flat = [dict(_flat(record)) for record in records]
    names = list(dict.fromkeys(name for record in flat for name in record))
    if not names:
        raise SourceUnavailable("There is no record in the answer.", "Look at `records`.")
    write_rows(path, [names, *([record.get(name) for name in names] for record in flat)])


def records_at(answer: Any, where: str) -> list[Mapping[str, Any]]:
    """Return the list of records in a JSON answer; `where` names its place, as data.items."""
    found = at(answer, where)
    if not where and isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list)]
        found = lists[0] if len(lists) == 1 else [found]
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise SourceUnavailable(
            f"There is no list of records at {where or 'the top of'!r} the answer.",
            "Name its place with `records`, as data.items.",
        )
    return found


def at(answer: Any, where: str) -> Any:
    """Return what an answer has at a place, as data.items; None where it has nothing."""
    for key in filter(None, where.split(".")):
        answer = answer.get(key) if isinstance(answer, dict) else None
    return answer


def _needs_writing(source: FileSource | FolderSource) -> bool:
    return source.kind in ("json", "excel")


def _local(analysis: Analysis, source: FileSource | FolderSource) -> tuple[list[Path], str]:
    path = resolved(analysis, source.path)
    if isinstance(source, FileSource):
        if not path.is_file():
            raise SourceUnavailable(f"There is no file {path}.", f"Mend {analysis.name}.yaml.")
        return [path], {"jsonl": "json"}.get(source.kind, source.kind)
    found = sorted(file for file in path.glob(source.pattern) if file.is_file())
    if not found:
        raise SourceUnavailable(f"No file of {path} matches {source.pattern}.")
    suffix = found[0].suffix.lower()
    kind = {".parquet": "parquet", ".jsonl": "json", ".ndjson": "json"}.get(suffix, "csv")
    return found, kind


def _fetched(analysis: Analysis) -> Path:
    """Return the file of the newest snapshot; one that has not changed at its source stays."""
    folder = fetched(analysis)
    folder.mkdir(parents=True, exist_ok=True)
    ensure_room(folder)
    before = _last(folder, analysis)
    part = folder / "fetching.part"
    try:
        made = _writer(analysis)(part, before)
    except (OSError, ValueError, DocumentUnreadable) as error:
        raise SourceUnavailable(f"{_address(analysis)} could not be read: {error}.") from error
    finally_same = before is not None and (made is None or _fingerprint(part) in before.file)
    if finally_same and before is not None:
        part.unlink(missing_ok=True)
        return folder / before.file
    file = folder / f"{now():%Y%m%dT%H%M%S}-{_fingerprint(part)}.csv"
    part.replace(file)
    snapshot = (made or {}) | {"file": file.name, "address": _address(analysis)}
    manifest = folder / "snapshot.json"
    manifest.with_suffix(".part").write_text(json.dumps(snapshot), encoding="utf-8")
    manifest.with_suffix(".part").replace(manifest)
    others = sorted(old for old in folder.glob("*.csv") if old != file)  # a clock may go back
    for old in others[: max(len(others) + 1 - settings().analyst.keep_snapshots, 0)]:
        old.unlink()
    return file


def _last(folder: Path, analysis: Analysis) -> Snapshot | None:
    try:
        text = (folder / "snapshot.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    last = Snapshot.model_validate_json(text)
    same = last.address == _address(analysis) and (folder / last.file).is_file()
    return last if same else None


Writer = Callable[[Path, Snapshot | None], "dict[str, str] | None"]


def _writer(analysis: Analysis) -> Writer:
    """Return what writes the source's data into a file, and returns its marks (None: the same)."""
    source = analysis.source
    if isinstance(source, HttpSource | HtmlSource):
        from tasks.apis import write_answer, write_page

        return lambda into, before: (
            write_answer(source, into, before)
            if isinstance(source, HttpSource)
            else write_page(source, into, before)
        )
    if isinstance(source, SqlSource):
        from tasks.databases import write_query

        return lambda into, _: write_query(source, into)
    if isinstance(source, KaggleSource):
        from tasks.kaggle_sets import write_set

        return lambda into, _: write_set(source, into)
    path = resolved(analysis, source.path)
    if not path.is_file():
        raise SourceUnavailable(f"There is no file {path}.", f"Mend {analysis.name}.yaml.")
    if source.kind == "excel":
        return lambda into, _: _write_sheet(path, source.sheet, into)
    return lambda into, _: _write_json(path, into)


def _write_sheet(path: Path, sheet: str | int, into: Path) -> dict[str, str]:
    from openpyxl import load_workbook

    book = load_workbook(path, read_only=True, data_only=True)  # values, never formulas
    names = book.sheetnames
    known = sheet < len(names) if isinstance(sheet, int) else sheet in names
    if not known:
        raise SourceUnavailable(f"{path} has no sheet {sheet}.", f"It has: {', '.join(names)}.")
    rows = book[names[sheet] if isinstance(sheet, int) else sheet].iter_rows(values_only=True)
    write_rows(into, (row for row in rows if any(value is not None for value in row)))
    return {}


def _write_json(path: Path, into: Path) -> dict[str, str]:
    write_records(into, records_at(json.loads(path.read_text(encoding="utf-8-sig")), ""))
    return {}


def _address(analysis: Analysis) -> str:
    """Return where the data come from, without anything secret."""
    source = analysis.source
    if isinstance(source, FileSource | FolderSource):
        return str(resolved(analysis, source.path))
    if isinstance(source, KaggleSource):
        return f"kaggle: {source.dataset}/{source.file}"
    if isinstance(source, SqlSource):
        from sqlalchemy.engine import make_url

        return f"{make_url(source.url).render_as_string(hide_password=True)}: {source.query}"
    return source.url


def _dialect(analysis: Analysis) -> Dialect:
    source = analysis.source
    if isinstance(source, KaggleSource):
        return source.dialect
    return source.dialect if isinstance(source, HttpSource) and source.format == "csv" else _UTF8


def _fingerprint(file: Path) -> str:
    known = file.stat()
    if known.st_size > _HASHED:
        return content_hash(f"{file.name} {known.st_size} {known.st_mtime_ns}")
    return content_hash(file.read_bytes())


def _flat(record: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
