"""Bringing files into memory: what is new, what changed, what is gone, what cannot be read."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tasks.documents.files import read, walk
from tasks.memory import indexing
from tasks.memory.store import Row, quoted, store
from tasks.text.splitting import split
from thirdshift.errors import DocumentUnreadable
from thirdshift.records import Document, Extract, Piece, Provenance, Reading, content_hash, now
from thirdshift.settings import settings

Progress = Callable[[Reading], None]
Pairs = list[tuple[Document, list[Piece]]]

_BATCH = 64  # chunks a commit


class _File(NamedTuple):
    """A file as it lies on disk now, and the rows memory has of it."""

    path: Path
    size: int
    modified_at: datetime
    known: list[Row]

    def is_as(self, **values: object) -> bool:
        return bool(self.known) and all(
            row[key] == value for row in self.known for key, value in values.items()
        )

    @property
    def ids(self) -> list[str]:
        return [row["id"] for row in self.known]


def ingest(
    paths: Sequence[Path], *, provenance: Provenance = "owner", progress: Progress = lambda _: None
) -> list[Reading]:
    """Bring files and folders into memory and return what became of each file.

    A file whose size and time are as before is not opened; one whose bytes are as before is
    not read again. A changed file's chunks are replaced in one commit. Files that are gone
    from a folder are marked deleted, and come back when the file does. A file that cannot be
    read is named with its reason; what memory holds of it from earlier is kept.
    """
    roots = [path.resolve() for path in paths]
    known = _known(roots)
    readings = []
    for reading in _each(roots, known, provenance):
        progress(reading)
        readings.append(reading)
    return readings


def _each(
    roots: Sequence[Path], known: dict[str, list[Row]], provenance: Provenance
) -> Iterator[Reading]:
    """Yield each file's reading, once what it says is stored."""
    waiting: list[Reading] = []
    pairs: Pairs = []
    for item in walk(roots, settings().ingest.ignore):
        reading, found = _take(item, known, provenance)
        if not found:
            yield reading
            continue
        waiting.append(reading)
        pairs += found
        if sum(len(pieces) for _, pieces in pairs) >= _BATCH:
            indexing.put(pairs)
            yield from waiting
            waiting, pairs = [], []
    indexing.put(pairs)
    yield from waiting
    yield from _gone(known, [root for root in roots if _absent(root)])


def _take(
    item: Path | Reading, known: dict[str, list[Row]], provenance: Provenance
) -> tuple[Reading, Pairs]:
    if isinstance(item, Reading):
        return item, []
    try:
        stat = item.stat()
        modified_at = datetime.fromtimestamp(stat.st_mtime_ns // 1000 / 1e6, UTC)
        file = _File(item, stat.st_size, modified_at, known.get(str(item), []))
        if file.is_as(size=file.size, modified_at=modified_at, status="active"):
            return Reading(path=item, result="unchanged"), []
        return _fresh(file, provenance)
    except DocumentUnreadable as error:
        return Reading(path=item, result="rejected", reason=str(error)), []
    except OSError as error:
        return Reading(path=item, result="rejected", reason=f"{error.strerror}."), []


def _fresh(file: _File, provenance: Provenance) -> tuple[Reading, Pairs]:
    digest = _digest(file)
    if digest and file.is_as(content_hash=digest):
        return _touch(file), []
    extracts = read(file.path)
    names = _names(file.path, len(extracts))
    pairs = [
        (_document(file, uri, digest, extract, provenance), split(extract))
        for uri, extract in zip(names, extracts, strict=True)
    ]
    dropped = set(file.ids) - {document.id for document, _ in pairs}
    if dropped:
        indexing.forget(sorted(dropped))
    result = "changed" if file.known else "added"
    return Reading(path=file.path, result=result, chunks=sum(len(p) for _, p in pairs)), pairs


def _touch(file: _File) -> Reading:
    """Note the new time of a file with the old bytes; wake it if it was marked deleted."""
    came_back = not file.is_as(status="active")
    ids = quoted(*file.ids)
    store().update("documents", f"id IN {ids}", modified_at=file.modified_at, status="active")
    if came_back:
        store().update("chunks", f"document_id IN {ids} AND status = 'deleted'", status="active")
    return Reading(path=file.path, result="added" if came_back else "unchanged")


def _document(
    file: _File, uri: str, digest: str, extract: Extract, provenance: Provenance
) -> Document:
    return Document(
        id=content_hash("file", uri),
        uri=uri,
        title=extract.title,
        kind=extract.kind,
        content_hash=digest,
        size=file.size,
        provenance=provenance,
        modified_at=file.modified_at,
    )


def _names(path: Path, count: int) -> list[str]:
    """Return a uri for each document of a file: its path, with `#n` for the mails of an mbox."""
    return [str(path)] if count == 1 else [f"{path}#{n}" for n in range(1, count + 1)]


def _known(roots: Sequence[Path]) -> dict[str, list[Row]]:
    """Return the rows memory has of files below the roots, by path."""
    known: dict[str, list[Row]] = {}
    columns = ["id", "uri", "content_hash", "size", "modified_at", "status"]
    for row in store().rows("documents", "kind != 'note'", columns).to_pylist():
        head, _, number = row["uri"].rpartition("#")
        path = head if head and number.isdigit() else row["uri"]
        if any(Path(path).is_relative_to(root) for root in roots):
            known.setdefault(path, []).append(row)
    return known


def _gone(known: dict[str, list[Row]], away: Sequence[Path]) -> Iterator[Reading]:
    """Mark what no longer exists.

    A folder we may not look into has lost nothing, nor has one that is away as a whole: a disk
    that is not connected is not an empty disk.
    """
    gone = {
        path: rows
        for path, rows in known.items()
        if rows[0]["status"] != "deleted"
        and _absent(Path(path))
        and not any(root in Path(path).parents for root in away)
    }
    if not gone:
        return
    ids = quoted(*(row["id"] for rows in gone.values() for row in rows))
    store().update("documents", f"id IN {ids}", status="deleted", modified_at=now())
    here = f"document_id IN {ids} AND status IN ('active', 'flagged')"
    store().update("chunks", here, status="deleted")
    for path in gone:
        yield Reading(path=Path(path), result="deleted")


def _absent(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _digest(file: _File) -> str:
    """Return the hash of the bytes; empty where `read` will refuse the file anyway."""
    if not file.path.is_file() or file.size > settings().ingest.max_file_mb * 1e6:
        return ""
    with file.path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
