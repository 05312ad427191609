"""Extraction: an analysis' data as files on this machine.

Files stay where they lie; everything else (APIs, pages, databases, sheets) becomes a snapshot.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tasks.analysis.extraction.snapshots import (
    Snapshot,
    address,
    fingerprint,
    keep_snapshot,
    last_snapshot,
)
from tasks.machine.disk import ensure_room
from thirdshift.analysis import Analysis, Extracted
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
from thirdshift.records import content_hash, now

_UTF8 = Dialect(encoding="utf-8", delimiter=",")

# Writes a source's data into a file and returns its marks of change; None: it is the same.
Writer = Callable[[Path, Snapshot | None], dict[str, str] | None]


def extract(analysis: Analysis, analysed: str = "") -> Extracted:
    """Return the data of an analysis as files on this machine.

    `analysed` is the fingerprint of the last report; data and analysis that are still the
    same are `unchanged`. Raises SourceUnavailable.
    """
    source = analysis.source
    if isinstance(source, FileSource | FolderSource) and not _needs_writing(source):
        files, format = _local(analysis, source)
        dialect, origin = source.dialect, str(analysis.resolve(source.path))
    else:
        files, dialect, origin = [_fetched(analysis)], _dialect(analysis), address(analysis)
        format = "csv"
    now_is = content_hash(analysis.model_dump_json(), *map(fingerprint, files))
    return Extracted(
        files=files,
        format=format,
        dialect=dialect,
        fingerprint=now_is,
        unchanged=now_is == analysed,
        source=origin,
        at=now(),
    )


def _needs_writing(source: FileSource | FolderSource) -> bool:
    return source.kind in ("json", "excel")


def _local(analysis: Analysis, source: FileSource | FolderSource) -> tuple[list[Path], str]:
    if isinstance(source, FileSource):
        return [_existing(analysis, source)], {"jsonl": "json"}.get(source.kind, source.kind)
    path = analysis.resolve(source.path)
    files = sorted(file for file in path.glob(source.pattern) if file.is_file())
    if not files:
        raise SourceUnavailable(f"No file of {path} matches {source.pattern}.")
    suffix = files[0].suffix.lower()
    kind = {".parquet": "parquet", ".jsonl": "json", ".ndjson": "json"}.get(suffix, "csv")
    return files, kind


def _existing(analysis: Analysis, source: FileSource | FolderSource) -> Path:
    path = analysis.resolve(source.path)
    if not path.is_file():
        raise SourceUnavailable(f"There is no file {path}.", f"Mend {analysis.name}.yaml.")
    return path


def _fetched(analysis: Analysis) -> Path:
    """Return the file of the newest snapshot; one that has not changed at its source stays."""
    folder = analysis.data_folder
    folder.mkdir(parents=True, exist_ok=True)
    ensure_room(folder)
    before = last_snapshot(analysis)
    part = folder / "fetching.part"
    try:
        marks = _writer(analysis)(part, before)
    except (OSError, ValueError, DocumentUnreadable) as error:
        raise SourceUnavailable(f"{address(analysis)} could not be read: {error}.") from error
    if before is not None and (marks is None or fingerprint(part) in before.file):
        part.unlink(missing_ok=True)
        return folder / before.file
    return keep_snapshot(analysis, part, marks or {})


def _writer(analysis: Analysis) -> Writer:
    """Return what writes the data of a source of this kind; its libraries are imported here."""
    source = analysis.source
    if isinstance(source, HttpSource):
        from tasks.analysis.extraction.apis import write_answer

        return partial(write_answer, source)
    if isinstance(source, HtmlSource):
        from tasks.analysis.extraction.apis import write_page

        return partial(write_page, source)
    if isinstance(source, SqlSource):
        from tasks.analysis.extraction.databases import write_query

        return lambda into, _: write_query(source, into)
    if isinstance(source, KaggleSource):
        from tasks.analysis.extraction.kaggle_sets import write_set

        return lambda into, _: write_set(source, into)
    return _file_writer(_existing(analysis, source), source)


def _file_writer(path: Path, source: FileSource | FolderSource) -> Writer:
    from tasks.analysis.extraction.files import write_json, write_sheet

    if isinstance(source, FileSource) and source.kind == "excel":
        return lambda into, _: write_sheet(path, source.sheet, into)
    return lambda into, _: write_json(path, into)


def _dialect(analysis: Analysis) -> Dialect:
    source = analysis.source
    if isinstance(source, KaggleSource):
        return source.dialect
    return source.dialect if isinstance(source, HttpSource) and source.format == "csv" else _UTF8
