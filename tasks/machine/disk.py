"""The disk: room that must stay free, files whole or not at all, digests, old copies swept."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
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


def place(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


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
    old = [path for path in copies if path.stat().st_mtime < limit]
    size = sum(file.stat().st_size for path in old for file in _files(path))
    for path in old:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return size


def _files(path: Path) -> Iterator[Path]:
    """Yield the files below a folder, or the file itself."""
    return (file for file in (path, *path.rglob("*")) if file.is_file())
