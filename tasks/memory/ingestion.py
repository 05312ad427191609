"""Ingestion: files into memory. What is new, what changed, what is gone, what cannot be read."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tasks.documents import files
from tasks.machine.disk import sha256
from tasks.memory import indexing
from tasks.memory.store import Row, store
from tasks.text import splitting
from thirdshift.errors import DocumentUnreadable
from thirdshift.records import Document, Extract, Ingested, Piece, Provenance, content_hash
from thirdshift.settings import settings

Progress = Callable[[Ingested], None]
Documents = list[tuple[Document, list[Piece]]]  # with what they are to be cut into

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
) -> list[Ingested]:
    """Bring files and folders into memory and return what became of each file.

    A file whose size and time are as before is not opened; one whose bytes are as before is
    not read again. A changed file's chunks are replaced in one commit. Files that are gone
    from a folder are marked deleted, and come back when the file does. A file that cannot be
    read is named with its reason; what memory holds of it from earlier is kept.
    """
    roots = [path.resolve() for path in paths]
    known = _known(roots)
    fates = []
    for ingested in _each(roots, known, provenance):
        progress(ingested)
        fates.append(ingested)
    return fates


def are_recalled(paths: Sequence[Path]) -> bool:
    """Tell whether each of these files has chunks in memory that can be recalled."""
    rows = store().rows("chunks", "status != 'deleted'", ["uri"])["uri"].to_pylist()
    uris = set(rows) | {_path(uri) for uri in rows}
    return {str(path) for path in paths} <= uris


def _each(
    roots: Sequence[Path], known: dict[str, list[Row]], provenance: Provenance
) -> Iterator[Ingested]:
    """Yield what became of each file, once what it says is stored."""
    waiting: list[Ingested] = []
    documents: Documents = []
    for path in files.walk(roots, settings().ingest.ignore):
        ingested, read = _take(path, known, provenance)
        if not read:
            yield ingested
            continue
        waiting.append(ingested)
        documents += read
        if sum(len(pieces) for _, pieces in documents) >= _BATCH:
            indexing.put(documents)
            yield from waiting
            waiting, documents = [], []
    indexing.put(documents)
    yield from waiting
    yield from _gone(known, [root for root in roots if _absent(root)])


def _take(
    path: Path | Ingested, known: dict[str, list[Row]], provenance: Provenance
) -> tuple[Ingested, Documents]:
    if isinstance(path, Ingested):
        return path, []
    try:
        stat = path.stat()
        modified_at = datetime.fromtimestamp(stat.st_mtime_ns // 1000 / 1e6, UTC)
        file = _File(path, stat.st_size, modified_at, known.get(str(path), []))
        if file.is_as(size=file.size, modified_at=modified_at, status="active"):
            return Ingested(path=path, result="unchanged"), []
        return _fresh(file, provenance)
    except DocumentUnreadable as error:
        return Ingested(path=path, result="rejected", reason=str(error)), []
    except OSError as error:
        return Ingested(path=path, result="rejected", reason=f"{error.strerror}."), []


def _fresh(file: _File, provenance: Provenance) -> tuple[Ingested, Documents]:
    digest = _digest(file)
    if digest and file.is_as(content_hash=digest):
        return _touched(file), []
    extracts = files.read(file.path)
    uris = _uris(file.path, len(extracts))
    documents = [
        (_document(file, uri, digest, extract, provenance), splitting.split(extract))
        for uri, extract in zip(uris, extracts, strict=True)
    ]
    indexing.forget(sorted(set(file.ids) - {document.id for document, _ in documents}))
    result = "changed" if file.known else "added"
    chunks = sum(len(pieces) for _, pieces in documents)
    return Ingested(path=file.path, result=result, chunks=chunks), documents


def _touched(file: _File) -> Ingested:
    """Note the new time of a file with the old bytes; wake it if it was marked deleted."""
    if file.is_as(status="active"):
        indexing.touch(file.ids, file.modified_at)
        return Ingested(path=file.path, result="unchanged")
    indexing.restore(file.ids, file.modified_at)
    return Ingested(path=file.path, result="added")


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


def _uris(path: Path, count: int) -> list[str]:
    """Return a uri for each document of a file: its path, with `#n` for the mails of an mbox."""
    return [str(path)] if count == 1 else [f"{path}#{n}" for n in range(1, count + 1)]


def _path(uri: str) -> str:
    """Return the file a uri is of: /box.mbox#2 is a mail of /box.mbox."""
    path, _, number = uri.rpartition("#")
    return path if path and number.isdigit() else uri


def _known(roots: Sequence[Path]) -> dict[str, list[Row]]:
    """Return the rows memory has of files below the roots, by path."""
    known: dict[str, list[Row]] = {}
    columns = ["id", "uri", "content_hash", "size", "modified_at", "status"]
    for row in store().rows("documents", "kind != 'note'", columns).to_pylist():
        path = _path(row["uri"])
        if any(Path(path).is_relative_to(root) for root in roots):
            known.setdefault(path, []).append(row)
    return known


def _gone(known: dict[str, list[Row]], away: Sequence[Path]) -> Iterator[Ingested]:
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
    indexing.mark_deleted([row["id"] for rows in gone.values() for row in rows])
    for path in gone:
        yield Ingested(path=Path(path), result="deleted")


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
    return sha256(file.path)
