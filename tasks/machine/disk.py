"""The disk: room that must stay free, files whole or not at all, digests, old copies swept."""

import hashlib
import math
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from thirdshift.errors import DiskFull
from thirdshift.records import now
from thirdshift.settings import settings


def ensure_room(path: Path, need: int = 0) -> None:
    """Raise DiskFull where less than settings.min_free_gb would be left after `need` bytes."""
    free = shutil.disk_usage(path).free / 1e9
    if free - need / 1e9 < settings().min_free_gb:
        wanted = f"{need / 1e9:.1f} GB are needed and " if need else ""
        raise DiskFull(
            f"{free:.1f} GB are free at {path}, {wanted}{settings().min_free_gb:.1f} GB kept free.",
            "Free some disk, or lower min_free_gb.",
        )


def write_whole(
    path: Path, content: str | bytes, *, durable: bool = False, mode: int = 0o666
) -> None:
    """Atomic write: the file has its old content or all of the new, whenever the power goes.

    With `durable` it is on the disk before this returns; without, the last write may be lost.
    `mode` is that of a new file, before the umask.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with whole_file(path, durable=durable) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)


@contextmanager
def whole_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Atomic write of what comes in pieces: yield the file to write, which then becomes `path`.

    Where the block raises, `path` stays as it was and what was written is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    try:
        yield part
        if durable:
            sync(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    if durable:
        sync(path.parent)


@contextmanager
def whole_folder(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Atomic write of a folder that does not exist: yield one to fill, which then becomes `path`.

    Where the block raises, nothing stays. With `durable` all of it is on the disk in the end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    part.mkdir()
    try:
        yield part
        if durable:
            for entry in (*part.rglob("*"), part):
                sync(entry)
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if durable:
        sync(path.parent)


def sweep_parts(folder: Path) -> int:
    """Remove what atomic writes below a folder left when their process was killed, a day ago."""
    return sweep(folder.rglob(f"*.{'[0-9a-f]' * 8}.part"), timedelta(days=1))


def _part(path: Path) -> Path:
    """Return a name beside a path that no other process or thread takes."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(file: Path) -> str:
    """Return the digest of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sweep(paths: Iterable[Path], age: timedelta) -> int:
    """Remove copies that can be made again and were last made or touched so long ago.

    Returns the bytes that became free. Locks stay: another process may be waiting for one.
    """
    limit = (now() - age).timestamp()
    copies = (path for path in paths if path.suffix != ".lock")
    old = [path for path in copies if _changed_at(path) < limit]
    size = sum(file.stat().st_size for path in old for file in _files(path))
    for path in old:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return size


def _changed_at(path: Path) -> float:
    """Return when a file or folder last changed; one that has gone meanwhile is never old."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _files(path: Path) -> Iterator[Path]:
    """Yield the files below a folder, or the file itself."""
    return (file for file in (path, *path.rglob("*")) if file.is_file())
