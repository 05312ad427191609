"""Snapshots: what was fetched last for an analysis, and how to ask whether it has changed."""

from pathlib import Path

from tasks.machine.disk import write_whole
from thirdshift.analysis import Analysis
from thirdshift.data_sources import FileSource, FolderSource, KaggleSource, SqlSource
from thirdshift.records import Record, content_hash, now
from thirdshift.settings import settings

_HASHED = 64_000_000  # bytes; a larger file is told by its size and time of change


class Snapshot(Record):
    """A file that was fetched: where from, and the source's own marks of change."""

    file: str
    address: str
    etag: str = ""
    last_modified: str = ""


def last_snapshot(analysis: Analysis) -> Snapshot | None:
    """Return what was fetched last from where the analysis points now, if it is still there."""
    folder = analysis.data_folder
    try:
        text = (folder / "snapshot.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    last = Snapshot.model_validate_json(text)
    same = last.address == address(analysis) and (folder / last.file).is_file()
    return last if same else None


def keep_snapshot(analysis: Analysis, part: Path, marks: dict[str, str]) -> Path:
    """Give a file that was fetched its name, note its marks, drop the oldest; return the file."""
    folder = analysis.data_folder
    file = folder / f"{now():%Y%m%dT%H%M%S}-{fingerprint(part)}.csv"
    part.replace(file)
    snapshot = Snapshot.model_validate(marks | {"file": file.name, "address": address(analysis)})
    write_whole(folder / "snapshot.json", snapshot.model_dump_json())
    others = sorted(old for old in folder.glob("*.csv") if old != file)  # a clock may go back
    for old in others[: max(len(others) + 1 - settings().analyst.keep_snapshots, 0)]:
        old.unlink()
    return file


def address(analysis: Analysis) -> str:
    """Return where the data come from, without anything secret."""
    source = analysis.source
    if isinstance(source, FileSource | FolderSource):
        return str(analysis.resolve(source.path))
    if isinstance(source, KaggleSource):
        return f"kaggle: {source.dataset}/{source.file}"
    if isinstance(source, SqlSource):
        from sqlalchemy.engine import make_url

        return f"{make_url(source.url).render_as_string(hide_password=True)}: {source.query}"
    return source.url


def fingerprint(file: Path) -> str:
    """Return what tells a file's content: its hash; of a large one its size and time of change."""
    stat = file.stat()
    if stat.st_size > _HASHED:
        return content_hash(f"{file.name} {stat.st_size} {stat.st_mtime_ns}")
    return content_hash(file.read_bytes())
